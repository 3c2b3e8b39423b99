"""The service file: how the running service tells commands of its host which process it is, and how its reloads end.

The service holds it locked as long as it runs, so that a file that was left behind, or a number that another process
has by now, is never taken for it.
"""

import fcntl
import json
import os
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

MAX_SIZE = 4096  # octets

NAME = "service"  # in the state directory


class ServiceState(Struct, frozen=True):
    """The process, and its reloads: how many have begun and ended, and how the last one did."""

    pid: int
    begun: int = 0
    ended: int = 0
    outcome: str = ""


class ServiceFile:
    """The file as the service has it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, also where another service holds it."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise
        self._state = ServiceState(pid=os.getpid())
        self._write()

    def begin(self) -> None:
        """A reload begins."""
        self._state = replace(self._state, begun=self._state.begun + 1)
        self._write()

    def end(self, outcome: str) -> None:
        """It has ended so."""
        self._state = replace(self._state, ended=self._state.begun, outcome=outcome)
        self._write()

    def _write(self) -> None:
        """In one piece that is always of the same size, so that no reader sees the half of it."""
        os.pwrite(self._fd, json.dumps(asdict(self._state)).encode().ljust(MAX_SIZE), 0)


def running_service(path: Path) -> ServiceState | None:
    """The service that runs now, or None. Raises OSError where the file cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return ServiceState(**json.loads(os.pread(fd, MAX_SIZE, 0)))
    finally:
        os.close(fd)
    return None
