"""The fingerprint of what spamd is sent: equal only where nothing differs but our id and our time."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.authres.received import received_field
from gateway.connection import Connection, Role, Tls
from gateway.envelope import Address, Envelope, Recipient
from gateway.message import Stamped, parse_message
from gateway.scoring.likeness import fingerprint, timeless
from gateway.scoring.payload import make_payload
from gateway.system.spool import Spool

CONNECTION = Connection(
    id="c1", ip=ip_address("192.0.2.7"), port=4000, role=Role.STRANGER, opened=0.0, helo="mail.example", esmtp=True
)
BOB = Recipient(address=Address(local="bob", domain="example.org"))
ENVELOPE = Envelope(id="A1b2", sender=Address(local="ann", domain="author.example"), recipients=(BOB,))
RESULTS = b"Authentication-Results: mx.example.org;\r\n spf=pass smtp.mailfrom=author.example\r\n"
HEADER = b"From: ann@author.example\r\nSubject: Lunch\r\n"
BODY = b"Shall we have lunch?\r\n"
TLS = Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256)


def mark(
    connection: Connection = CONNECTION,
    envelope: Envelope = ENVELOPE,
    *,
    client_name: str = "mail.example",
    now: float = 1_763_978_400.0,
    results: bytes = RESULTS,
    header: bytes = HEADER,
    body: bytes = BODY,
    max_size: int = 100_000,
) -> bytes:
    received = received_field(
        connection, envelope, hostname="mx.example.org", client_name=client_name, now=now, ident=envelope.id
    )
    spool = Spool(threshold=1_000_000, directory=Path("/nonexistent"))
    spool.write(header + b"\r\n" + body)
    message = parse_message(spool, max_header=10_000)
    copy = Stamped(header=results + received + header, message=message, ours=len(results + received))
    return fingerprint(make_payload(copy, envelope.sender, max_size=max_size))


SEVERAL = replace(ENVELOPE, recipients=(BOB, BOB))
LONG = replace(ENVELOPE, recipients=(Recipient(address=Address(local="b" * 60, domain=f"{'x' * 60}.example.org")),))


@pytest.mark.parametrize("tls", [None, TLS])
@pytest.mark.parametrize("envelope", [ENVELOPE, SEVERAL, LONG, replace(ENVELOPE, sender=None)])
def test_our_id_and_our_time_make_no_difference(envelope, tls):
    client = replace(CONNECTION, tls=tls)
    assert mark(client, envelope) == mark(client, replace(envelope, id="Zz9-0000000000000000"), now=1_763_978_461.0)


def test_nor_do_they_where_only_the_beginning_is_scored():
    body = b"A line.\r\n" * 1000
    again = replace(ENVELOPE, id="Zz9")
    assert mark(body=body, max_size=4096) == mark(envelope=again, body=body, now=1.0, max_size=4096)


OTHERS = {
    "address": {"connection": replace(CONNECTION, ip=ip_address("192.0.2.8"))},
    "HELO": {"connection": replace(CONNECTION, helo="mail.example.")},
    "TLS": {"connection": replace(CONNECTION, tls=TLS)},
    "ESMTP": {"connection": replace(CONNECTION, esmtp=False)},
    "reverse name": {"client_name": ""},
    "sender": {"envelope": replace(ENVELOPE, sender=Address(local="anne", domain="author.example"))},
    "no sender": {"envelope": replace(ENVELOPE, sender=None)},
    "recipient": {"envelope": replace(ENVELOPE, recipients=(replace(BOB, address=Address("rob", "example.org")),))},
    "several recipients": {"envelope": SEVERAL},
    "results": {"results": RESULTS.replace(b"pass", b"fail")},
    "header": {"header": HEADER.replace(b"Lunch", b"Lunch.")},
    "case of a field": {"header": HEADER.replace(b"Subject", b"subject")},
    "body": {"body": BODY.replace(b"lunch", b"Lunch")},
    "an octet more": {"body": BODY + b" "},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_everything_else_does(other):
    assert mark(**other) != mark()


def test_time_and_id_in_fields_of_the_sender_stay():
    header = b"Received: from a by b id one; Mon, 24 Nov 2025 10:00:00 +0000\r\n"
    assert mark(header=header) != mark(header=header.replace(b"one", b"two"))
    assert mark(header=header) != mark(header=header.replace(b"10:00", b"10:01"))


@pytest.mark.parametrize("helo", ["x id y; z", "x\tid y; Mon, 1 Jan 2024 00:00:00 +0000", " id a for <b>;"])
def test_no_helo_is_taken_for_our_id(helo):
    client = replace(CONNECTION, helo=helo)
    assert mark(client) != mark(replace(client, helo=helo.replace("y", "w").replace("a", "c")))


@pytest.mark.parametrize("ours", [b"", b"X: y\r\n", b"Received: from a by b\r\n"])
def test_fields_without_our_moment_stay_as_they_are(ours):
    assert timeless(ours) == ours
