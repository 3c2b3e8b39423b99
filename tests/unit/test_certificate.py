"""What senders who verify will find, from the octets of a certificate, our name and the time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.certificate import WARNING_DAYS, Worth, appraise
from gateway.system.tls import LIFETIME, SKEW, make_certificate
from tests.support import certificates

HOST = "mx.example.org"
NOW = datetime.now(UTC)
OURS = make_certificate(HOST)  # in the moment above


@pytest.mark.parametrize(
    ("name", "worth"),
    [
        (HOST, Worth.GOOD),
        ("MX.Example.ORG", Worth.GOOD),
        ("*.example.org", Worth.GOOD),
        ("mail.example.org", Worth.FOREIGN),
        ("*.mx.example.org", Worth.FOREIGN),
        ("*.org", Worth.FOREIGN),
        ("*", Worth.FOREIGN),
    ],
)
def test_a_wildcard_stands_for_the_first_label_alone(name: str, worth: Worth) -> None:
    assert appraise(make_certificate(name), HOST, NOW).worth is worth


@pytest.mark.parametrize(
    ("later", "worth", "text"),
    [
        (-SKEW - timedelta(hours=1), Worth.UNTIMELY, "is good from "),
        (timedelta(0), Worth.GOOD, f"is for {HOST}, and good for "),
        (LIFETIME - timedelta(days=WARNING_DAYS, hours=-1), Worth.ENDING, f"ends in {WARNING_DAYS - 1} days"),
        (LIFETIME + timedelta(hours=1), Worth.UNTIMELY, "is good from "),
    ],
)
def test_it_must_be_good_for_some_time(later: timedelta, worth: Worth, text: str) -> None:
    appraisal = appraise(OURS, HOST, NOW + later)
    assert appraisal.worth is worth
    assert appraisal.text.startswith(text)
    assert bool(appraisal.advice) is (worth is not Worth.GOOD)


def test_one_without_a_host_name_is_for_nobody(tmp_path: Path) -> None:
    pem = certificates.make_certificate(tmp_path, "192.0.2.1").certificate.read_bytes()
    assert appraise(pem, HOST, NOW).text == f"is for no host name, not for {HOST}"


@pytest.mark.parametrize("octets", [b"", b"half a file", OURS[:200]])
def test_what_is_no_certificate_is_an_error(octets: bytes) -> None:
    with pytest.raises(ValueError):
        appraise(octets, HOST, NOW)
