"""Stamping: forged fields go, ours come first, nothing else changes by one octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.stamp import for_scanners, stamp
from gateway.message import Stamped
from tests.support.mailbytes import message_of

OURS = (b"Authentication-Results: mx.example.org;\r\n spf=pass\r\n", b"Received: from a by mx.example.org\r\n")
TOP = b"".join(OURS)


def stamped(octets: bytes) -> Stamped:
    return stamp(message_of(octets), authserv_id="mx.example.org", ours=OURS)


def left_of(header: bytes) -> bytes:
    """What stamping leaves of a header section."""
    octets = b"".join(stamped(header + b"\r\nbody\r\n").chunks())
    assert octets.startswith(TOP)
    assert octets.endswith(b"\r\nbody\r\n")
    return octets.removeprefix(TOP).removesuffix(b"\r\nbody\r\n")


KEPT = (
    b"Authentication-Results: other.example; spf=pass\r\n",
    b"Authentication-Results: mx.example.org.evil.example; spf=pass\r\n",
    b"Authentication-Results: xmx.example.org; spf=pass\r\n",
    b"Authentication-Results: other.example 1; spf=pass smtp.rcptto=a@mx.example.org\r\n",
    b"Authentication-Results: other.example (mx.example.org); spf=pass\r\n",
    b"Authentication-Results: \r\n",
    b"Authentication-Results: spf=pass smtp.mailfrom=example.net; other.example; dkim=pass\r\n",
    b"ARC-Authentication-Results: i=1; mx.example.org; spf=pass\r\n",
    b"Received-SPF: pass identity=mailfrom; helo=mx.example.org; receiver=lists.example\r\n",
    b"Received-SPF: pass (lists.example: domain of ann@mx.example.org designates it)\r\n",
    b"Received-SPF: pass (google.example: best guess) client-ip=192.0.2.1; envelope-from=ann@mx.example.org;\r\n",
    b"Received-SPF:\r\n",
    b"X-Received-SPF: pass receiver=mx.example.org\r\n",
    b"DKIM-Signature: v=1; d=mx.example.org; b=x\r\n\ty\r\n",
    b"Received: from x by mx.example.org (Mailward) id 1\r\n",
    b"X-Spammer: yes\r\n",
    b"Subject: X-Spam-Flag: YES\r\n",
    b"no field at all\r\n",
    b"\xff\x00: odd\r\n",
    b"A:\r\n",
    b"A : \r\n \r\n b\r\n",
)

REMOVED = (
    b"Authentication-Results: mx.example.org; spf=pass\r\n",
    b"AUTHENTICATION-results: MX.Example.ORG; spf=pass\r\n",
    b"Authentication-Results : mx.example.org; spf=pass\r\n",
    b"Authentication-Results\t: mx.example.org; spf=pass\r\n",
    b"Authentication-Results\r\n : mx.example.org; spf=pass\r\n",
    b"Authentication-Results:\r\n mx.example.org; spf=pass\r\n",
    b"Authentication-Results:\r\n\t\r\n mx.example.org\r\n ; spf=pass\r\n",
    b"Authentication-Results: (comment; (nested)) mx.example.org (c) 1 (c); spf=pass\r\n",
    b'Authentication-Results: "mx.example.org"; spf=pass\r\n',
    b'Authentication-Results: "mx\\.example.org"; spf=pass\r\n',
    b"Authentication-Results: mx.example.org 99; spf=pass\r\n",
    b"Authentication-Results: mx.example.org.; spf=pass\r\n",
    b"Authentication-Results: mx.example.org\r\n",
    b"Authentication-Results: mx.example.org; gibberish ((\r\n",
    b"Authentication-Results: mx.example.org spf=pass\r\n",
    b"Authentication-Results: mx . example . org; spf=pass\r\n",
    b"Authentication-Results: mx(a(b)c).example.org; spf=pass\r\n",
    b"Authentication-Results: mx.exam\r\n ple.org; spf=pass\r\n",
    b"Authentication-Results: mx.example\x00.org; spf=pass\r\n",
    b"Authentication-Results: (mx.example.org; spf=pass\r\n",
    b'Authentication-Results: "mx.example.org; spf=pass\r\n',
    b"Authentication-Results: <mx.example.org>; spf=pass\r\n",
    b"Authentication-Results: =?utf-8?q?mx=2Eexample=2Eorg?=; spf=pass\r\n",
    b"Authentication-Results: spf=pass smtp.mailfrom=a.example; mx.example.org; dkim=pass\r\n",
    b"Authentication-Results: ; mx.example.org; spf=pass\r\n",
    b"Authentication-Results: i=1; mx.example.org; spf=pass\r\n",
    b"Authentication-Results\x00: mx.example.org; spf=pass\r\n",
    b"Authentication-Results\xa0: mx.example.org; spf=pass\r\n",
    b"Received-SPF: pass identity=mailfrom; receiver=mx.example.org\r\n",
    b"received-spf : pass identity=mailfrom; Receiver=MX.example.org; helo=x\r\n",
    b'Received-SPF: pass receiver = "mx.example.org"\r\n',
    b"Received-SPF: pass receiver\r\n\t=\r\n mx.example.org\r\n",
    b"Received-SPF: pass receiver=(comment) mx.example.org\r\n",
    b"Received-SPF: pass receiver=mx.(x)example.org\r\n",
    b'Received-SPF: pass receiver="mx\\.example.org"\r\n',
    b"Received-SPF: pass receiver==?utf-8?q?mx=2Eexample=2Eorg?=\r\n",
    b"Received-SPF: pass (mx.example.org: domain of ann@sender.example designates 192.0.2.1)\r\n",
    b"Received-SPF: Pass (\r\n MX.Example.org : it is permitted)\r\n",
    b"Received-SPF\x00: pass receiver=mx.example.org\r\n",
    b"X-Spam-Flag: NO\r\n",
    b"x-spam-status : No\r\n continued\r\n",
    b"X-Spam-Anything\r\n : x\r\n",
    b"X-Spam-\x00Flag: NO\r\n",
    b"X-Mailward-Quarantine: x\r\n",
    b"X-MAILWARD-TAG: x\r\n",
)


@pytest.mark.parametrize("field", KEPT)
def test_field_of_others_is_kept(field: bytes) -> None:
    assert left_of(b"A: 1\r\n" + field + b"B: 2\r\n") == b"A: 1\r\n" + field + b"B: 2\r\n"


@pytest.mark.parametrize("field", REMOVED)
def test_forged_field_is_removed(field: bytes) -> None:
    assert left_of(b"A: 1\r\n" + field + b"B: 2\r\n") == b"A: 1\r\nB: 2\r\n"
    assert left_of(field) == b""


@given(st.lists(st.sampled_from(KEPT + REMOVED)), st.binary())
def test_exactly_the_forged_fields_are_gone(fields: list[bytes], body: bytes) -> None:
    octets = b"First: x\r\n" + b"".join(fields) + b"\r\n" + body
    expected = TOP + b"First: x\r\n" + b"".join(field for field in fields if field in KEPT) + b"\r\n" + body
    result = stamped(octets)
    assert b"".join(result.chunks()) == expected
    assert result.size == len(expected)


@given(st.binary())
def test_whatever_comes_ends_up_behind_ours(octets: bytes) -> None:
    result = b"".join(stamped(octets).chunks())
    assert result.startswith(TOP)
    assert result[len(TOP) : len(TOP) + 1] not in (b" ", b"\t")


@pytest.mark.parametrize("line", [b" continued\r\n", b"\tspf=pass\r\n more\r\n", b" Subject: x\r\n"])
def test_header_that_begins_folded_cannot_continue_our_field(line: bytes) -> None:
    assert left_of(line + b"A: 1\r\n") == b"A: 1\r\n"


def test_message_without_a_header_gets_one() -> None:
    assert b"".join(stamped(b"\r\nbody\r\n").chunks()) == TOP + b"\r\nbody\r\n"


def test_scanners_see_no_results_but_ours() -> None:
    header = b"".join(KEPT) + b"ARC-Authentication-Results : i=2; mx.example.org; dkim=pass\r\n"
    copy = for_scanners(stamped(header + b"\r\nbody\r\n"))
    octets = b"".join(copy.chunks())
    assert octets.startswith(TOP)
    assert octets.endswith(b"\r\nbody\r\n")
    assert b"authentication-results" not in octets.removeprefix(TOP).lower()
    assert b"\r\nreceived-spf" not in octets.removeprefix(TOP).lower()
    assert b"DKIM-Signature: v=1; d=mx.example.org; b=x\r\n\ty\r\n" in octets
    assert copy.size == len(octets)


@pytest.mark.parametrize(
    "line",
    [
        b"Authentication-Results: other.example; spf=pass\r\n",
        b"ARC-Authentication-Results: i=1; other.example; spf=pass\r\n",
        b"Received-SPF: pass (other.example: x)\r\n",
        b"Received-SPF\xa0: pass (other.example: x)\r\n",
        b"Authentication\x00-Results: other.example; spf=pass\r\n",
    ],
)
def test_a_single_field_that_misleads_is_hidden_from_scanners(line: bytes) -> None:
    result = stamped(b"A: 1\r\n" + line + b"\r\n")
    assert line in result.header
    assert for_scanners(result).header == TOP + b"A: 1\r\n"


def test_scanners_see_what_was_put_on_top_later() -> None:
    copy = for_scanners(stamped(b"A: 1\r\n\r\n").topped_with(b"X-Spam-Flag: NO\r\n"))
    assert b"".join(copy.chunks()) == b"X-Spam-Flag: NO\r\n" + TOP + b"A: 1\r\n\r\n"
