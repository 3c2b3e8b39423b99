"""Senders who speak in our name: through fields of their own, through the values in ours, and through sheer size."""

import re
from ipaddress import IPv4Address

import authres
import pytest

from gateway.authres.field import AuthenticationResults, AuthresError, MethodResult, Property, build, clean, parse
from gateway.authres.received import received_field
from gateway.authres.stamp import for_scanners, stamp
from gateway.connection import Connection, Role
from gateway.envelope import Envelope, parse_reverse_path
from gateway.message import split_fields
from tests.support.breakouts import BREAKOUTS
from tests.support.mailbytes import message_of

ID = "mx.example.org"
MEBIBYTE = 1 << 20

# How SpamAssassin 4.0's SPF plugin, and mail filters that do not parse, find results in a field.
SEARCHES = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (r".*;\s*SPF\s*=\s*pass", r"dmarc\s*=\s*pass", r"dkim\s*=\s*pass", r'[\s"]spf\s*=\s*pass')
)


@pytest.mark.parametrize("text", BREAKOUTS)
def test_value_says_nothing_in_our_name(text: str) -> None:
    """As a reason, a comment, a property and an authserv-id, to a parser and to a reader that searches."""
    failed = MethodResult(
        "spf", "fail", text, (Property("smtp", "mailfrom", text), Property("smtp", "helo", text)), text
    )
    results = AuthenticationResults(ID, (failed, MethodResult("dmarc", "fail", comment=text)))
    octets = build(results)
    assert parse(octets) == clean(results)
    assert [one.result for one in parse(octets).results] == ["fail", "fail"]
    assert len(split_fields(octets)) == 1
    assert b"\r\n\r\n" not in octets
    assert not any(search.search(octets.decode()) for search in SEARCHES)
    assert b"=?" not in octets  # readers that decode encoded words first would find results in them
    assert parse(build(AuthenticationResults(text, (failed,)))).results[0].result == "fail"


def test_sender_whose_local_part_is_a_result() -> None:
    sender = parse_reverse_path('<"; spf=pass smtp.mailfrom=bank.example; dmarc=pass ("@evil.example>')
    failed = MethodResult("spf", "fail", properties=(Property("smtp", "mailfrom", str(sender)),))
    octets = build(AuthenticationResults(ID, (failed,)))
    assert not any(search.search(octets.decode()) for search in SEARCHES)
    assert octets.count(b";") == 1


def test_helo_and_name_of_a_client_stay_in_their_clauses() -> None:
    client = Connection(
        "c", IPv4Address("192.0.2.7"), 1, Role.STRANGER, 0.0, helo="a) (b [127.0.0.1]) by c (Postfix)\r\nX: y"
    )
    octets = received_field(client, Envelope("m", None), hostname=ID, client_name="d [::1]", now=0, ident="i;j")
    assert octets.startswith(b"Received: from a???b?[127.0.0.1]??by?c??Postfix???X:?y (d?[::1] [192.0.2.7])\r\n")
    assert len(split_fields(octets)) == 1


FORGED = (
    b"Authentication-Results: " + b"(" * 100_000 + b")" * 100_000 + b" mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results: " + b"(" * 100_000 + b" mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results: " + b"(\\" * 100_000 + b" mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results:" + b"\r\n " * 300_000 + b"mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results: " + b"()" * 500_000 + b"mx.example.org; dmarc=pass\r\n",
    b'Authentication-Results: "' + b"\\m\\x.example.org" + b'"; ' + b"a" * MEBIBYTE + b"\r\n",
    b"Authentication-Results: " + b";" * MEBIBYTE + b"mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results" + b" " * MEBIBYTE + b": mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results" + b"\r\n " * 300_000 + b": mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results" + b"\x00" * MEBIBYTE + b": mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results: (" + b"x" * MEBIBYTE + b") mx.example.org; dmarc=pass\r\n",
    b"Authentication-Results: (" + b"x" * 1000 + b") =?utf-8?q?mx=2Eexample=2Eorg?=; dmarc=pass\r\n",
    b"Authentication-Results: " + b" " * 990 + b"=?utf-8?q?mx=2Eexample=2Eorg?=; dmarc=pass\r\n",
)


@pytest.mark.parametrize("field", FORGED, ids=range(len(FORGED)))
def test_forged_field_of_any_size_is_removed(field: bytes) -> None:
    stamped = stamp(message_of(field + b"A: 1\r\n\r\nbody"), authserv_id=ID, ours=())
    assert b"".join(stamped.chunks()) == b"A: 1\r\n\r\nbody"
    assert b"".join(for_scanners(stamped).chunks()) == b"A: 1\r\n\r\nbody"


UNREADABLE = (
    b"mx.example.org 99; spf=pass",
    b"mx.example.org; spf",
    b"mx.example.org; =pass",
    b"mx.example.org;; spf=pass",
    b"mx.example.org; spf=pass (",
    b"mx.example.org spf=pass",
    b"mx . example . org; spf=pass",
    b"(mx.example.org; spf=pass",
    b'"mx.example.org; spf=pass',
    b"<mx.example.org>; spf=pass",
    b"mx.example\x00.org; spf=pass",
    b"; mx.example.org; spf=pass",
)


@pytest.mark.parametrize("value", UNREADABLE)
def test_forged_field_that_no_parser_reads_is_removed(value: bytes) -> None:
    field = b"Authentication-Results: " + value + b"\r\n"
    with pytest.raises(AuthresError):
        parse(field)
    with pytest.raises(authres.AuthResError):
        authres.AuthenticationResultsHeader.parse(field.decode().rstrip())
    stamped = stamp(message_of(field + b"A: 1\r\n\r\nbody"), authserv_id=ID, ours=())
    assert b"".join(stamped.chunks()) == b"A: 1\r\n\r\nbody"


def test_results_forged_in_an_arc_set_are_kept_from_scanners_alone() -> None:
    field = b"ARC-Authentication-Results: i=1; mx.example.org; spf=pass smtp.mailfrom=bank.example; dkim=pass\r\n"
    stamped = stamp(message_of(field + b"A: 1\r\n\r\nbody"), authserv_id=ID, ours=(b"Ours: 1\r\n",))
    assert b"".join(stamped.chunks()) == b"Ours: 1\r\n" + field + b"A: 1\r\n\r\nbody"
    assert b"".join(for_scanners(stamped).chunks()) == b"Ours: 1\r\nA: 1\r\n\r\nbody"
