"""Name servers: turns what a configuration or a resolv.conf(5) says into the servers to ask.

Each is "ADDRESS", "ADDRESS:PORT" or "[ADDRESS]:PORT".
"""

import os
from contextlib import suppress
from ipaddress import ip_address

PORT = 53
RESOLV_CONF = "/etc/resolv.conf"

_Stamp = tuple[int, int, int]


class SystemServers:
    """The servers that the file names at the time."""

    def __init__(self, path: str = RESOLV_CONF) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._servers: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Those of before while the file is missing or names none: it is being written."""
        with suppress(OSError):
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._servers = _named_in(self._path) or self._servers
        return self._servers


def parse_server(text: str) -> tuple[str, int]:
    """The address and the port of a server. Raises ValueError."""
    address, port = text, str(PORT)
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ip_address(address)
    except ValueError:
        raise ValueError(f'"{text}" is not an address or ADDRESS:PORT; a name could not be looked up') from None
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError(f'"{text}" has no port between 1 and 65535')
    return address, int(port)


def _named_in(path: str) -> tuple[str, ...]:
    with open(path, encoding="ascii", errors="replace") as file:
        lines = [line.split() for line in file]
    return tuple(line[1] for line in lines if line[:1] == ["nameserver"] and _is_server(*line[1:2]))


def _is_server(text: str = "") -> bool:
    try:
        parse_server(text)
    except ValueError:
        return False
    return True


def _stamp(path: str) -> _Stamp:
    """What changes when the file is replaced or rewritten."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns, found.st_size
