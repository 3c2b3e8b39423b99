"""Label: what a quarantined message needs to go on later, as the first line of its own file, and back.

Message and envelope are one file, so that neither can be there without the other.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from msgspec import MsgspecError, Struct, convert
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields

from gateway.connection import Connection
from gateway.envelope import Envelope

FIELD = b"X-Mailward-Quarantined: "
MAX_LABEL = 1_000_000  # octets: some thousand recipients with their parameters

ADDRESS = IPv4Address | IPv6Address


class LabelError(ValueError):
    """The file does not begin with a label."""


class Label(Struct, frozen=True):
    """Who brought the message, for whom, and why it was kept back."""

    reason: str
    rules: tuple[str, ...]
    connection: Connection
    envelope: Envelope


class _Stored(Struct):
    """A label as it stands in the file. msgspec knows no addresses of clients: the connection is read here."""

    reason: str
    rules: tuple[str, ...]
    connection: dict[str, Any]
    envelope: Envelope


_encoder = Encoder(enc_hook=str)
_decoder = Decoder(_Stored)


def to_line(label: Label) -> bytes:
    """The label as a header field of one line; line ends within its values are escaped, as JSON has it."""
    return FIELD + _encoder.encode(label) + b"\r\n"


def parse_line(line: bytes) -> Label:
    """Read a label with its line end. Raises LabelError."""
    if not (line.startswith(FIELD) and line.endswith(b"\r\n")):
        raise LabelError("there is no X-Mailward-Quarantined field at the top")
    try:
        stored = _decoder.decode(line[len(FIELD) : -2])
        return Label(stored.reason, stored.rules, _connection(stored.connection), stored.envelope)
    except (MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise LabelError(str(error)) from error


def _connection(values: dict[str, Any]) -> Connection:
    """Raises MsgspecError, ValueError or TypeError."""
    known = {entry.name: entry.type for entry in fields(Connection) if entry.name in values}
    return Connection(**{name: _value(values[name], expected) for name, expected in known.items()})


def _value(stored: Any, expected: Any) -> Any:
    if expected not in (ADDRESS, ADDRESS | None):
        return convert(stored, expected)
    return None if stored is None and expected != ADDRESS else ip_address(stored)
