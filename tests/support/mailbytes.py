"""Messages out of bytes: text to wire bytes, bytes to a Message, a Message to the Subject of a check."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from gateway.author import find_author
from gateway.checks.base import Subject
from gateway.connection import Connection, Role
from gateway.envelope import Envelope
from gateway.message import CHUNK, Message, parse_message

MAX_HEADER = 1 << 23  # octets, and fields; more than any header that a test makes has


@dataclass(frozen=True, slots=True)
class Bytes:
    """A gateway.message.Content in memory, given out in chunks of `step` octets."""

    octets: bytes
    step: int = CHUNK

    @property
    def size(self) -> int:
        return len(self.octets)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        return (self.octets[at : at + self.step] for at in range(start, self.size, self.step))


def wire(text: str | bytes) -> bytes:
    """The octets with every line end as CRLF, whatever it was."""
    octets = text.encode() if isinstance(text, str) else text
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def message_of(octets: bytes, *, step: int = CHUNK) -> Message:
    return parse_message(Bytes(octets, step), max_header=MAX_HEADER, max_fields=MAX_HEADER)


def subject_of(octets: bytes, *, step: int = CHUNK) -> Subject:
    message = message_of(octets, step=step)
    return Subject(
        connection=Connection(id="c1", ip=IPv4Address("192.0.2.1"), port=2525, role=Role.STRANGER, opened=0.0),
        envelope=Envelope(id="m1", sender=None),
        message=message,
        author=find_author(message),
    )
