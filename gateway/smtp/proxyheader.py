"""PROXY header: turns the octets with which a balancer begins a connection into whose connection it is.

The PROXY protocol, versions 1 and 2, of HAProxy's proxy-protocol.txt. What is not a header in due form is a flaw, and
nothing is made of it. TLVs are passed over, whatever is in them.
"""

import re
import struct
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from msgspec import Struct

MAX_LINE = 107  # octets of version 1 with its CRLF (section 2.1)
MAX_HEADER = 2048  # octets of version 2; it is to fit into a packet, and the common TLVs take some hundred

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # begins version 2 (section 2.2)
FIXED = 16  # octets of version 2 before its addresses

_KEYWORD = b"PROXY "  # begins version 1
_LOCAL, _PROXY = 0x20, 0x21  # the commands of version 2
_ADDRESSES = {0x11: struct.Struct("!4s4sHH"), 0x21: struct.Struct("!16s16sHH")}  # TCP over IPv4 and over IPv6

_line_re = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f:.]{2,45}) ([0-9A-Fa-f:.]{2,45}) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n\Z"
)
_unknown_re = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n\Z")


class End(NamedTuple):
    """One end of a TCP connection."""

    ip: IPv4Address | IPv6Address
    port: int


class Relayed(Struct, frozen=True):
    """The connection of a client to the balancer, which follows."""

    client: End
    server: End


class Own(Enum):
    """The connection is the balancer's own."""

    OWN = "LOCAL, or UNKNOWN in version 1: health checks"


class Flaw(Enum):
    """Why there is no header in due form."""

    NO_HEADER = "something else came"
    TOO_LONG = "it is too long"
    MALFORMED = "it is malformed"
    NO_CLIENT = "it names no client with a TCP address"
    ENDED = "the connection ended"
    LATE = "it did not come in time"
    CROWDED = "too many others were awaited"


def length_of(octets: bytes) -> int | Flaw | None:
    """Of how many octets the header is that begins with these; None where it takes more of them to tell, all of which
    belong to it."""
    return _length_of_block(octets) if octets.startswith(SIGNATURE[:1]) else _length_of_line(octets)


def parse(header: bytes) -> Relayed | Own | Flaw:
    """Read a whole header."""
    length = length_of(header)
    if isinstance(length, Flaw):
        return length
    if length != len(header):
        return Flaw.MALFORMED
    return _parse_block(header) if header.startswith(SIGNATURE) else _parse_line(header)


def to_line(relayed: Relayed) -> bytes:
    """The header of version 1; both ends have the same IP version."""
    client, server = relayed.client, relayed.server
    family = 4 if client.ip.version == 4 else 6
    return f"PROXY TCP{family} {client.ip} {server.ip} {client.port} {server.port}\r\n".encode()


def _length_of_line(octets: bytes) -> int | Flaw | None:
    if octets[: len(_KEYWORD)] != _KEYWORD[: len(octets)]:
        return Flaw.NO_HEADER
    if end := octets.find(b"\n", 0, MAX_LINE) + 1:
        return end
    return None if len(octets) < MAX_LINE else Flaw.TOO_LONG


def _length_of_block(octets: bytes) -> int | Flaw | None:
    if octets[: len(SIGNATURE)] != SIGNATURE[: len(octets)]:
        return Flaw.NO_HEADER
    if len(octets) < FIXED:
        return None
    length = FIXED + int.from_bytes(octets[FIXED - 2 : FIXED], "big")
    return length if length <= MAX_HEADER else Flaw.TOO_LONG


def _parse_line(line: bytes) -> Relayed | Own | Flaw:
    match = _line_re.match(line)
    if match is None:
        return Own.OWN if _unknown_re.match(line) else Flaw.MALFORMED
    family, source, destination, *ports = (group.decode() for group in match.groups())
    read = IPv4Address if family == "4" else IPv6Address
    client_port, server_port = map(int, ports)
    try:
        relayed = Relayed(End(read(source), client_port), End(read(destination), server_port))
    except AddressValueError:
        return Flaw.MALFORMED
    return relayed if max(client_port, server_port) < 65536 else Flaw.MALFORMED


def _parse_block(block: bytes) -> Relayed | Own | Flaw:
    command, family, body = block[12], block[13], block[FIXED:]
    if command == _LOCAL:
        return Own.OWN
    if command != _PROXY:
        return Flaw.MALFORMED
    addresses = _ADDRESSES.get(family)
    if addresses is None:
        return Flaw.NO_CLIENT
    if len(body) < addresses.size:
        return Flaw.MALFORMED
    source, destination, client_port, server_port = addresses.unpack_from(body)
    read = IPv4Address if len(source) == 4 else IPv6Address
    return Relayed(End(read(source), client_port), End(read(destination), server_port))
