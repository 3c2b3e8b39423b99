"""A message from a mailbox becomes what spamd was given to score."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.authres.received import received_field
from gateway.connection import Connection, Role
from gateway.envelope import Address, Envelope
from gateway.learning.delivered import Delivered, as_scored
from gateway.message import Octets, parse_message
from gateway.scoring.payload import Whole, return_path

HOST = "mx.example.org"
CLIENT = Connection(
    id="c1", ip=ip_address("192.0.2.7"), port=4000, role=Role.STRANGER, opened=0.0, helo="mail.example.net", esmtp=True
)
ANN = Address("ann", "sender.example")
RESULTS = b"Authentication-Results: mx.example.org;\r\n spf=pass smtp.mailfrom=sender.example\r\n"
RECEIPT_OF_SPF = b"Received-SPF: pass receiver=mx.example.org; client-ip=192.0.2.7\r\n"
THEIRS = (
    b"Received: from inner.example (inner.example [10.0.0.1]) by mail.example.net; Mon, 24 Nov 2025 16:00:00 +0000\r\n"
    b"From: ann@sender.example\r\nSubject: A letter\r\n"
)
BODY = b"\r\nText\r\n"
ABOVE = (  # what the mail server behind us puts on top
    b"Return-Path: <ann@sender.example>\r\nDelivered-To: bob@example.org\r\n"
    b"Received: from mx.example.org by store.example.org with LMTP id x; Mon, 24 Nov 2025 16:00:01 +0000\r\n"
)
MARKS = b"X-Spam-Flag: YES\r\nX-Spam-Score: 7.1\r\nX-Mailward-Tag: spf-fail\r\n"
SET = b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.org; s=x; b=AAAA\r\n"


def receipt(ident: str = "4XyZ-1", hostname: str = HOST) -> bytes:
    envelope = Envelope(id=ident, sender=ANN)
    return received_field(CLIENT, envelope, hostname=hostname, client_name="", now=1764000000.0, ident=ident)


def delivered(octets: bytes, *, authserv_id: str = HOST) -> Delivered:
    message = parse_message(Octets(octets), max_header=100_000)
    return as_scored(message, hostname=HOST, authserv_id=authserv_id)


def told(found: Delivered) -> bytes:
    return b"".join(Whole(return_path=found.return_path, copy=found.copy).chunks())


def test_message_is_as_it_was_scored() -> None:
    mailbox = ABOVE + MARKS + SET + RESULTS + RECEIPT_OF_SPF + receipt() + THEIRS + BODY
    found = delivered(mailbox)
    assert told(found) == return_path(ANN) + RESULTS + RECEIPT_OF_SPF + receipt() + THEIRS + BODY
    assert found.ident == "4XyZ-1"


@pytest.mark.parametrize("forged", [RESULTS, b"ARC-" + RESULTS, RECEIPT_OF_SPF, MARKS])
def test_what_spamd_is_never_given_is_taken_out_below_our_receipt_too(forged: bytes) -> None:
    assert told(delivered(RESULTS + receipt() + forged + THEIRS + BODY)) == RESULTS + receipt() + THEIRS + BODY


def test_results_of_another_above_our_receipt_are_not_ours() -> None:
    other = b"Authentication-Results: store.example.org; dkim=pass header.d=sender.example\r\n"
    assert told(delivered(other + RESULTS + receipt() + THEIRS + BODY)) == RESULTS + receipt() + THEIRS + BODY


def test_the_topmost_receipt_counts_and_what_is_below_it_may_be_forged() -> None:
    found = delivered(receipt("true") + receipt("forged") + THEIRS + BODY)
    assert found.ident == "true"
    assert told(found) == receipt("true") + receipt("forged") + THEIRS + BODY


@pytest.mark.parametrize(
    "field",
    [
        receipt(hostname="mx.elsewhere.example"),
        receipt().replace(b"(Mailward)", b"(Postfix)"),
        receipt().replace(b"from mail.example.net", b"from a by mx.example.org (Mailward) with SMTP id b; c"),
        b"X-" + receipt(),
    ],
)
def test_receipts_of_others_are_not_ours(field: bytes) -> None:
    assert delivered(field + THEIRS + BODY).ident == ""


def test_message_that_never_came_through_us_is_told_as_it_is() -> None:
    found = delivered(ABOVE + THEIRS + BODY)
    assert (found.ident, told(found)) == ("", ABOVE + THEIRS + BODY)


def test_all_copies_of_a_message_have_the_same_original() -> None:
    to_bob = delivered(ABOVE + MARKS + RESULTS + receipt() + THEIRS + BODY)
    to_amy = delivered(receipt("another") + THEIRS + BODY)
    sent = delivered(THEIRS + BODY)
    assert {b"".join(one.original()) for one in (to_bob, to_amy, sent)} == {THEIRS + BODY}


def test_identity_of_the_results_may_be_another_than_the_host_name() -> None:
    results = RESULTS.replace(b"mx.example.org", b"example.org")
    assert told(delivered(results + receipt() + THEIRS + BODY, authserv_id="example.org")).startswith(results)


def test_header_without_an_end_is_taken() -> None:
    assert told(delivered(receipt() + THEIRS)) == receipt() + THEIRS


def test_every_receipt_of_ours_is_known_again() -> None:
    for helo in ("mail.example.net", "[192.0.2.7]", "a(b)c d", "", "x" * 500, "by"):
        field = received_field(
            replace(CLIENT, helo=helo),
            Envelope(id="m-1", sender=ANN),
            hostname=HOST,
            client_name="",
            now=0.0,
            ident="m-1",
        )
        assert delivered(field + THEIRS + BODY).ident == "m-1"


@given(st.lists(st.sampled_from([RESULTS, receipt(), THEIRS, MARKS, b"\xff: \x00\r\n", b" x\r\n", b"\r\n", b":\r\n"])))
def test_whatever_stands_in_a_mailbox_what_is_told_is_what_stands_there(pieces: list[bytes]) -> None:
    """Nothing is made up, and nothing below our receipt comes above it."""
    octets = b"".join(pieces)
    found = told(delivered(octets))
    remaining = iter(octets.split(b"\r\n"))
    assert all(line in remaining for line in found.split(b"\r\n"))
