"""DMARC policy records: what their owners ask for, also where they are wrong (RFC 9989 sections 4.7 and 4.10.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.dmarc.record import Mode, Policy, Psd, Record, Trial, parse_record, policy_texts, stated_policies
from tests.support.effort import growth, lines_run


def parsed(text: str) -> Record:
    record = parse_record(text.encode())
    assert record is not None
    return record


def policies(text: str) -> tuple[Policy | None, Policy | None, Policy | None]:
    record = parsed(text)
    return record.policy, record.subdomains, record.nonexistent


def test_every_tag_is_read() -> None:
    record = parsed(
        "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=S; t=y; psd=n; fo=1:d;"
        " rua=mailto:a@example.org!10m, https://example.org/r; ruf=mailto:b@example.org"
    )
    assert record == Record(
        policy=Policy.REJECT,
        subdomains=Policy.QUARANTINE,
        nonexistent=Policy.NONE,
        testing=Trial.YES,
        psd=Psd.NO,
        adkim=Mode.STRICT,
        aspf=Mode.STRICT,
        rua=("mailto:a@example.org", "https://example.org/r"),
        ruf=("mailto:b@example.org",),
        fo=("1", "d"),
    )


def test_absent_tags_have_their_defaults() -> None:
    assert parsed("v=DMARC1;p=none") == Record(Policy.NONE, Policy.NONE, Policy.NONE)


@pytest.mark.parametrize("text", ["v=DMARC1", "V = DMARC1 ; p=none", "v=DMARC1;", "v=DMARC1\t;p=none"])
def test_version_makes_a_record(text: str) -> None:
    assert parse_record(text.encode()) is not None


@pytest.mark.parametrize(
    "text",
    ["", "v=DMARC1x", "v=DMARC2; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1", "v=spf1 -all", "DMARC1; p=none"],
)
def test_text_without_the_version_first_is_no_record(text: str) -> None:
    assert parse_record(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=DMARC1; p=reject", (Policy.REJECT, Policy.REJECT, Policy.REJECT)),
        ("v=DMARC1; p=reject; sp=none", (Policy.REJECT, Policy.NONE, Policy.NONE)),
        ("v=DMARC1; p=none; np=reject", (Policy.NONE, Policy.NONE, Policy.REJECT)),
        ("v=DMARC1; p=none; sp=quarantine; np=reject", (Policy.NONE, Policy.QUARANTINE, Policy.REJECT)),
        ("v=DMARC1; p = Reject ; pct=0", (Policy.REJECT, Policy.REJECT, Policy.REJECT)),
    ],
)
def test_sp_and_np_fall_back(text: str, expected: tuple[Policy | None, ...]) -> None:
    assert policies(text) == expected


@pytest.mark.parametrize("wrong", ["", "p=rejct;", "p=;", "p=reject; sp=x;", "p=reject; np=x;", "p=reject quarantine;"])
def test_wrong_policy_counts_as_none_where_reports_are_asked_for(wrong: str) -> None:
    assert policies(f"v=DMARC1; {wrong} rua=mailto:a@example.org") == (Policy.NONE,) * 3
    assert policies(f"v=DMARC1; {wrong}") == (None,) * 3
    assert policies(f"v=DMARC1; {wrong} rua=nonsense") == (None,) * 3


@pytest.mark.parametrize(
    "wrong", ["adkim=x", "adkim", "psd=maybe", "t=yes", "fo=7", "aspf=\xff", "=", ";;;", "unknown=1"]
)
def test_wrong_and_unknown_tags_count_as_absent(wrong: str) -> None:
    record = parse_record(f"v=DMARC1; {wrong}; p=reject".encode("latin-1"))
    assert record == Record(Policy.REJECT, Policy.REJECT, Policy.REJECT)


def test_first_of_two_tags_counts() -> None:
    assert parsed("v=DMARC1; p=reject; p=none").policy is Policy.REJECT


def test_policy_records_are_told_from_others() -> None:
    texts = (b"v=DMARC1; p=reject", b"V = DMARC1", b"v=DMARC1;p=none")
    assert policy_texts((b"v=spf1 -all", *texts, b"x", b"v=DMARC11; p=none", b"v=dmarc1; p=none", b"")) == texts


def test_policies_that_are_stated() -> None:
    assert stated_policies(b"v=DMARC1; NP=none; p=reject; x=y") == ("p", "np")
    assert stated_policies(b"v=DMARC1; rua=mailto:a@example.org") == ()


@given(st.binary() | st.text(max_size=60).map(lambda text: f"v=DMARC1;{text}".encode("utf-8", "replace")))
def test_any_octets_are_a_record_or_none(octets: bytes) -> None:
    parse_record(octets)


@pytest.mark.parametrize("part", [b";", b"=", b" ", b"a=b;", b"rua=a:b,", b",", b":", b"p=reject;"])
def test_record_of_64_kilobytes_takes_linear_time(part: bytes) -> None:
    for beginning in (b"v=DMARC1;", b"v=DMARC1; rua="):
        parse_record(beginning + part * (65536 // len(part)))
        assert growth(lambda times, head=beginning: lines_run(lambda: parse_record(head + part * times)), 200) < 4
