"""What `mailward check` shows of hostile mail and DNS: bounded, printable, and no line of it is a stranger's own."""

import asyncio
import contextlib
import io
import json
import time
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli import report
from gateway.config import Settings
from gateway.inspection import Case, Inspector
from tests.support.breakouts import BREAKOUTS
from tests.support.dnstable import TableResolver
from tests.support.sealing import sealed
from tests.support.signing import handmade, rsa_key

SETTINGS = {"hostname": "mx.example.org", "domains": ["example.org"], "route": {"default": {"hosts": ["maildir:///n"]}}}
LABELS = (
    "iprev",
    "spf",
    "dkim",
    "arc",
    "dmarc",
    "spam",
    "refused",
    "rule",
    "verdict",
    "decided",
    "reply",
    "total",
    "field",
)
LETTER = b"From: Ann <ann@example.net>\r\nTo: bob@example.org\r\nSubject: x\r\n\r\nHello\r\n"
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x9b2J\r\nverdict  accept\r\n\xe2\x80\xae"
MOST = 200_000  # characters shown of one message: ten signatures, each of 16 KB at most


def examined(octets: bytes, table: dict[tuple[str, str], Any], **more: Any) -> tuple[str, str]:
    """What is shown of a message, and what is told of it in JSON."""

    async def inspect() -> Any:
        inspector = Inspector(Settings.model_validate(SETTINGS), resolver=TableResolver(table), clock=time.time)
        try:
            envelope = {"helo": "mail.example.net", "mail_from": "ann@example.net", "recipients": []} | more
            return await inspector.inspect(Case.of(octets, ip=ip_address("192.0.2.7"), **envelope))
        finally:
            inspector.close()

    found = asyncio.run(inspect())
    return shown(found), json.dumps(found.to_dict(), ensure_ascii=False)


def shown(found: Any) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        report.show(found)
    return output.getvalue()


def assert_ours(text: str) -> None:
    assert len(text) < MOST
    for line in text.splitlines():
        assert line.isprintable()
        assert line.startswith((" ", *LABELS))
    assert sum(line.startswith("verdict") for line in text.splitlines()) == 1


TAGS: list[dict[str, str]] = [
    {"t": "999999999999", "x": "999999999999"},
    {"t": "1", "x": "999999999999"},
    {"l": "9" * 76},
    {"h": "from:" + ":".join(f"x{number}" for number in range(2000))},
    {"h": "from:" + "\x1b[2J:" * 100},
    {"d": "x." * 120 + "example"},
    {"i": "=1B[2J=0D=0Averdict=20accept@example.net"},
    {"bh": "A" * 12000},
    {"a": "rsa-sha256\x1b"},
]


@pytest.mark.parametrize("tags", TAGS, ids=range(len(TAGS)))
def test_any_tag_of_a_signature_is_shown_or_left_out(tags: dict[str, str]) -> None:
    domain = tags.get("d", "example.net")
    table = {(f"s1._domainkey.{domain}", "TXT"): [rsa_key().record]}
    text, _ = examined(handmade(handmade(LETTER, rsa_key(), **{"d": "example.net", **tags}), rsa_key(), **tags), table)
    assert_ours(text)


@pytest.mark.parametrize(
    "record", [b"v=DKIM1; p=" + ESCAPES, b"v=spf1 a:" + ESCAPES, b"v=DMARC1; p=none; x=" + ESCAPES, ESCAPES * 50]
)
def test_any_record_is_shown_or_left_out(record: bytes) -> None:
    names = ("example.net", "_dmarc.example.net", "_dmarc.net", "s1._domainkey.example.net", "mail.example.net")
    octets = sealed(handmade(LETTER, rsa_key(), d="example.net"), rsa_key(), domain="example.net")
    text, told = examined(octets, {(name, "TXT"): [record] for name in names})
    assert_ours(text)
    assert "\x1b" not in told


@pytest.mark.parametrize("hostile", BREAKOUTS)
def test_what_a_sealer_claims_to_have_found_is_shown_in_its_line(hostile: str) -> None:
    found = hostile.replace("\r", " ").replace("\n", " ")
    table = {("s1._domainkey.lists.example", "TXT"): [rsa_key().record]}
    text, _ = examined(sealed(LETTER, rsa_key(), found=found), table)
    assert_ours(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=500), st.binary(max_size=500), st.binary(max_size=200))
def test_any_octets_are_shown(field: bytes, body: bytes, record: bytes) -> None:
    octets = b"DKIM-Signature: " + field + b"\r\nARC-Seal: " + field + b"\r\n" + LETTER + body
    text, _ = examined(octets, {(name, "TXT"): [record] for name in ("example.net", "_dmarc.example.net")})
    assert_ours(text)
