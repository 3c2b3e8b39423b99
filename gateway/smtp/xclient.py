"""XCLIENT: turns what a trusted host says of the client that it speaks for into that client's connection.

The command of Postfix (XCLIENT_README). Its values are xtext (RFC 3461 section 4), and as hostile as that client.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from msgspec.structs import replace

from gateway.connection import Connection, plain_address
from gateway.reply import Reply
from gateway.smtp import replies
from gateway.smtp.commands import XTEXT, is_helo_name

MAX_VALUE = 255  # octets of a value as it is sent

_xtext_re = re.compile(rf"{XTEXT}+\Z")
_hexchar_re = re.compile(r"\+([0-9A-F]{2})")
_absent_re = re.compile(r"\[(?:UNAVAILABLE|TEMPUNAVAIL)\]\Z", re.IGNORECASE)
_name_re = re.compile(r"[A-Za-z0-9._-]+\Z")
_ipv4_re = re.compile(r"[0-9.]+\Z")
_ipv6_re = re.compile(r"IPV6:([0-9A-F:.]+)\Z", re.IGNORECASE)
_port_re = re.compile(r"[0-9]{1,5}\Z")
_proto_re = re.compile(r"(E?)SMTP\Z", re.IGNORECASE)


def parse_xclient(argument: str, before: Connection) -> Connection | Reply:
    """Parse what follows "XCLIENT ". `before` is whom the host has spoken for so far, or the host itself.

    A command with ADDR is about another client, one without tells more of the same: what does not fit into one line
    comes in several.
    """
    fields: dict[str, Any] = {}
    seen: set[str] = set()
    for word in filter(None, argument.split(" ")):
        attribute, _, value = word.partition("=")
        attribute = attribute.upper()
        read = _READERS.get(attribute)
        if read is None or attribute in seen or len(value) > MAX_VALUE or not _xtext_re.match(value):
            return replies.XCLIENT_SYNTAX
        seen.add(attribute)
        found = read(_hexchar_re.sub(_character, value))
        if found is None:
            return replies.XCLIENT_SYNTAX
        fields |= found
    if not seen:
        return replies.XCLIENT_SYNTAX
    if "ip" in fields:
        before = replace(before, port=0, helo="", esmtp=False, via=before.via or before.ip)
    return replace(before, **fields)


def _read_name(value: str) -> dict[str, Any] | None:
    """Not used: the name of a client is what DNS confirms to us."""
    return {} if _name_re.match(value) or _absent_re.match(value) else None


def _read_addr(value: str) -> dict[str, Any] | None:
    """A client without an address is refused: there is nothing that it could be judged by."""
    ip = _address(value)
    return None if ip is None else {"ip": plain_address(ip)}


def _read_port(value: str) -> dict[str, Any] | None:
    if _absent_re.match(value):
        return {"port": 0}
    return {"port": int(value)} if _port_re.match(value) and int(value) < 65536 else None


def _read_proto(value: str) -> dict[str, Any] | None:
    match = _proto_re.match(value)
    return {"esmtp": bool(match[1])} if match else None


def _read_helo(value: str) -> dict[str, Any] | None:
    """[UNAVAILABLE] stands for itself: the name that the host then greets with must not be taken for the client's."""
    return {"helo": value} if is_helo_name(value) else None


def _read_destaddr(value: str) -> dict[str, Any] | None:
    return {} if _absent_re.match(value) or _address(value) else None


def _read_destport(value: str) -> dict[str, Any] | None:
    return {} if _read_port(value) else None


def _address(value: str) -> IPv4Address | IPv6Address | None:
    try:
        if _ipv4_re.match(value):
            return IPv4Address(value)
        match = _ipv6_re.match(value)
        return IPv6Address(match[1]) if match else None
    except AddressValueError:
        return None


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


_READERS: Mapping[str, Callable[[str], dict[str, Any] | None]] = {
    "NAME": _read_name,
    "ADDR": _read_addr,
    "PORT": _read_port,
    "PROTO": _read_proto,
    "HELO": _read_helo,
    "DESTADDR": _read_destaddr,
    "DESTPORT": _read_destport,
}
KEYWORD = f"XCLIENT {' '.join(_READERS)}"  # in the answer to EHLO; there is no LOGIN, since nobody logs in here
