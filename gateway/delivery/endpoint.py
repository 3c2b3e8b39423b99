"""Endpoint: turns the address of a next hop, such as "smtp://mail.example.org:25", into a value, and back. Pure."""

import re
from enum import StrEnum

from msgspec import Struct

PORTS = {"smtp": 25, "lmtp": 24}

_address_re = re.compile(
    r"(?P<protocol>smtp|lmtp)://(?:\[(?P<literal>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?/?\Z"
)
_socket_re = re.compile(r"(?P<protocol>lmtp|smtp)\+unix://(?P<path>/[^\x00\n]{1,106})\Z")


class Protocol(StrEnum):
    SMTP = "smtp"
    LMTP = "lmtp"  # RFC 2033: one answer for each recipient after the final dot


class Endpoint(Struct, frozen=True):
    """Where a next hop listens: a host and port, or the path of a Unix socket."""

    protocol: Protocol
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"{self.protocol}+unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Parse "smtp://host:port", "lmtp://host:port" or "lmtp+unix:///path". Raises ValueError with what would be
    right."""
    if match := _socket_re.match(text):
        return Endpoint(protocol=Protocol(match["protocol"]), path=match["path"])
    match = _address_re.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not of the form smtp://host:port, lmtp://host:port or lmtp+unix:///path")
    port = int(match["port"] or PORTS[match["protocol"]])
    if not 0 < port < 65536:
        raise ValueError(f"{port} in {text!r} is no port")
    return Endpoint(protocol=Protocol(match["protocol"]), host=match["literal"] or match["host"], port=port)
