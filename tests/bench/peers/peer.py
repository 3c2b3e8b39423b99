"""A mail system that is measured beside the gateway: how it is laid out, started and ended."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

STOP = 10.0  # seconds
PATIENCE = 60.0  # seconds until a program listens


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a system is put: a directory that its own users can enter, the port of 127.0.0.1 where the sink is, and how
    many processes it should have where it must be told."""

    directory: Path
    next_hop: int
    workers: int


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    processes: tuple[int, ...]  # each with all that descends from it


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    run: Callable[[Place], AbstractContextManager[Running]]


@contextlib.contextmanager
def daemon(directory: Path, name: str, command: Sequence[str], is_ready: Callable[[], bool]) -> Iterator[int]:
    """Run a command that stays in the foreground until the end of the block; its pid. Raises RuntimeError."""
    with (directory / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory)
    try:
        _wait(process, is_ready, directory / f"{name}.out")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listening(place: int | Path) -> Callable[[], bool]:
    """Whether somebody listens at a port of 127.0.0.1, or at a socket in the file system."""

    def is_ready() -> bool:
        family, address = (
            (socket.AF_UNIX, str(place)) if isinstance(place, Path) else (socket.AF_INET, ("127.0.0.1", place))
        )
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.connect(address)
            return True
        return False

    return is_ready


def _wait(process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool], output: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start:\n{output.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
