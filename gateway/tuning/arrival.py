"""Arrival: a message as it lies in a mailbox, to the message as it came to us, and what its trace fields say of how it
came. Pure.

It came as the Received field says that our own host has written; or else the first one, from the top, whose client is
in none of our own networks and has no private address. That field and all above it are of the time after it came: they
are taken off.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from msgspec import Struct
from msgspec.structs import replace

from gateway.authres.received import receipt_ident
from gateway.envelope import PathError, parse_forward_path, parse_reverse_path
from gateway.lines import to_crlf
from gateway.message import Field, split_fields

MAX_HEADER = 1024 * 1024  # octets, as many as the configuration can allow; of a larger header nothing is taken off
MAX_RECEIVED = 2000  # characters of a Received field that are looked at

# Addresses within a house, whoever's it is: RFC 1918, RFC 4193, loopback and link-local.
PRIVATE = (
    *map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16")),
    *map(ip_network, ("fc00::/7", "fe80::/10", "::1")),
)

IPAddress = IPv4Address | IPv6Address

_LINE_END = b"\r\n"
_HEADER_END = _LINE_END * 2

_separator_re = re.compile(rb"From [^\n]*\n")  # of mbox files: it stands before a message, and is no part of it
_client_re = re.compile(r"from (\S++)(.*?) by ")
_address_re = re.compile(r"[\[(](?:IPv6:)?([0-9A-Fa-f.:]{2,45})[\])]")
_helo_re = re.compile(r"\b(?:HELO |helo=)([^\s()]+)")
_recipient_re = re.compile(r" for <?([^\s<>;]+)>?")


class Arrival(Struct, frozen=True, kw_only=True):
    """What is None is not known."""

    octets: bytes
    ip: IPAddress | None = None
    helo: str = ""
    mail_from: str | None = None  # in angle brackets
    recipient: str | None = None


class _Client(Struct, frozen=True):
    ip: IPAddress
    helo: str


def arrived(raw: bytes, *, hostname: str, is_own: Callable[[IPAddress], bool]) -> Arrival:
    """`is_own` says whether an address is in one of our own networks."""
    text = to_crlf(raw[separator.end() :] if (separator := _separator_re.match(raw)) else raw)
    header = text[: text.find(_HEADER_END) + len(_LINE_END)] if _HEADER_END in text else text
    if len(header) > MAX_HEADER:
        return Arrival(octets=text)
    fields = split_fields(header)
    end, client = _border(fields, hostname, is_own)
    octets = b"".join([*(field.raw for field in fields[end:]), text[len(header) :]])
    found = Arrival(octets=octets, mail_from=_mail_from(fields[: end or None]))
    if client is None:
        return found
    return replace(found, ip=client.ip, helo=client.helo, recipient=_recipient(fields[end - 1]))


def _border(fields: Sequence[Field], hostname: str, is_own: Callable[[IPAddress], bool]) -> tuple[int, _Client | None]:
    """How many fields there are to the end of the one that says how the message came, and what that says."""
    received = [(number, field) for number, field in enumerate(fields, 1) if field.name == "received"]
    clients = [(number, _client(field)) for number, field in received]
    for number, field in received:
        if receipt_ident(field, hostname):
            return number, _client(field)
    strangers = ((number, client) for number, client in clients if client and not _is_inside(client.ip, is_own))
    return next(strangers, (0, None))


def _is_inside(ip: IPAddress, is_own: Callable[[IPAddress], bool]) -> bool:
    return is_own(ip) or any(ip in network for network in PRIVATE)


def _client(field: Field) -> _Client | None:
    """Who brought it: the last of the addresses that are not those which the client has named itself by at HELO."""
    match = _client_re.match(field.text[:MAX_RECEIVED])
    if match is None:
        return None
    name, rest = match.groups()
    seen = _address_re.findall(_helo_re.sub("", rest)) or _address_re.findall(name)
    addresses = [ip for text in seen if (ip := _address(text))]
    told = _helo_re.search(rest)
    return _Client(addresses[-1], told[1] if told else name) if addresses else None


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _mail_from(fields: Sequence[Field]) -> str | None:
    """What the server that delivered it has put on top (RFC 5321 section 4.4)."""
    path = next((field.text for field in fields if field.name == "return-path"), "")
    try:
        parse_reverse_path(path)
    except PathError:
        return None
    return path


def _recipient(field: Field) -> str | None:
    match = _recipient_re.search(field.text[:MAX_RECEIVED])
    try:
        parse_forward_path(f"<{match[1]}>" if match else "")
    except PathError:
        return None
    return match[1] if match else None
