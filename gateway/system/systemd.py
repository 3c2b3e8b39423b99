"""systemd's protocols: its environment to listening sockets and a watchdog interval, and our state to datagrams.

sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3) are a few lines each, so no library stands between.
"""

import os
import socket
import stat
import time
from collections.abc import Mapping

from msgspec import Struct

FIRST_FD = 3  # SD_LISTEN_FDS_START
MAX_FDS = 64  # more listening sockets than any mail gateway has; a bound on what an environment may ask for
SEND_TIMEOUT = 1.0  # seconds; systemd reads at once, and a service manager that hangs must not hang us

LISTEN_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
NOTIFY_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Passed(Struct, frozen=True):
    """A file descriptor that systemd has passed, and the name that the socket unit gives it (FileDescriptorName=)."""

    fd: int
    name: str


class Notifier:
    """Tells systemd how the service fares. Without an address every call does nothing."""

    __slots__ = ("_address",)

    def __init__(self, address: str) -> None:
        """`address` is NOTIFY_SOCKET: a path, or "@" and an abstract name."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self, status: str) -> None:
        self._send(READY="1", STATUS=status)

    def reloading(self, status: str) -> None:
        self._send(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000), STATUS=status)

    def stopping(self, status: str) -> None:
        self._send(STOPPING="1", STATUS=status)

    def status(self, status: str) -> None:
        self._send(STATUS=status)

    def watchdog(self) -> None:
        self._send(WATCHDOG="1")

    def _send(self, **state: str) -> None:
        if not self._address:
            return
        lines = "\n".join(f"{key}={' '.join(value.split())}" for key, value in state.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SEND_TIMEOUT)
            try:
                sender.sendto(lines.encode(), self._address)
            except OSError:
                return  # nobody reads our state; that is no reason to stop serving mail


def passed_sockets(environ: Mapping[str, str], pid: int) -> tuple[Passed, ...]:
    """The listening stream sockets that systemd has passed to the process `pid` (sd_listen_fds_with_names)."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return ()
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    fds = range(FIRST_FD, FIRST_FD + min(int(count), MAX_FDS))
    named = (Passed(fd, names[number] if number < len(names) else "") for number, fd in enumerate(fds))
    return tuple(passed for passed in named if _listens(passed.fd))


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds within which systemd wants to hear WATCHDOG=1, or None where it does not (sd_watchdog_enabled)."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / 1_000_000


def goes_to_journal(fd: int, environ: Mapping[str, str]) -> bool:
    """True where `fd` is the journal's stream: it adds the time itself, and reads a priority before each line."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        there = os.fstat(fd)
    except OSError:
        return False
    return (device, inode) == (str(there.st_dev), str(there.st_ino))


def _listens(fd: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        with socket.socket(fileno=os.dup(fd)) as sock:
            return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
