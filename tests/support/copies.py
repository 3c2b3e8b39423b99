"""Copies of one message, as the gateway has spamd score them: each with an id and a time of its own."""

from ipaddress import ip_address
from itertools import count

from gateway.authres.received import received_field
from gateway.authres.stamp import for_scanners, stamp
from gateway.checks.base import Subject
from gateway.connection import Connection, Role
from gateway.envelope import Address, Envelope, Recipient
from tests.support.mailbytes import message_of
from tests.support.spamd import AUTHSERV_ID, STRANGER

CLIENT = Connection(
    id="c1", ip=ip_address(STRANGER), port=4000, role=Role.STRANGER, opened=0.0, helo="mail.author.example", esmtp=True
)
SENDER = Address(local="ann", domain="author.example")
RECIPIENT = Recipient(address=Address(local="bob", domain="example.org"))
RESULTS = f"Authentication-Results: {AUTHSERV_ID};\r\n spf=pass smtp.mailfrom=author.example\r\n".encode()
NOON = 1_764_244_800.0  # Unix time

_numbers = count(1)


def copy_of(
    octets: bytes, *, connection: Connection = CLIENT, sender: Address | None = SENDER, results: bytes = RESULTS
) -> Subject:
    """The next copy; it comes a second after the one before."""
    number = next(_numbers)
    envelope = Envelope(id=f"copy-{number}", sender=sender, recipients=(RECIPIENT,))
    message = message_of(octets)
    received = received_field(
        connection,
        envelope,
        hostname=AUTHSERV_ID,
        client_name="mail.author.example",
        now=NOON + number,
        ident=envelope.id,
    )
    stamped = stamp(message, authserv_id=AUTHSERV_ID, ours=(results, received))
    return Subject(connection=connection, envelope=envelope, message=message, copy=for_scanners(stamped))
