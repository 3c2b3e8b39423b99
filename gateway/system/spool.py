"""Spool: collects the octets of one message in memory, and past a threshold in an unlinked file."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Protocol

from gateway.message import CHUNK

STEP = 32 * 1024  # octets in memory are counted in such steps; what is below one is not counted
BATCH = 4 * CHUNK  # octets that are moved to the file at once, once there is one: a thread is asked for each


class Memory(Protocol):
    """The octets that all spools of the host may hold in memory (gateway.system.hostcounts.Places)."""

    def take(self, amount: int) -> bool: ...

    def leave(self, amount: int) -> None: ...


class Boundless:
    """Memory where nobody counts."""

    def take(self, amount: int) -> bool:
        return True

    def leave(self, amount: int) -> None:
        return None


class Spool:
    """The content of one message (a gateway.message.Content). Write, then read as often as needed, then close.

    Writing waits for nobody. Whoever writes looks at `is_full`, and has `unload` called where a disk may be waited for.
    """

    __slots__ = (
        "_counted",
        "_directory",
        "_fd",
        "_host",
        "_in_file",
        "_is_closed",
        "_is_crowded",
        "_pieces",
        "_threshold",
        "_unloading",
        "in_memory",
        "size",
    )

    def __init__(self, *, threshold: int, directory: Path, host: Memory | None = None) -> None:
        """Where the host has no memory left for it, it is full long before its threshold."""
        self._threshold = threshold
        self._host = host or Boundless()
        self._counted = 0  # octets that the host counts for us
        self._is_crowded = False  # the host has none left
        self._directory = directory
        self._pieces: list[bytes | bytearray] = []
        self._fd = -1
        self._in_file = 0  # octets
        self._is_closed = False
        self._unloading = Lock()
        self.in_memory = 0  # octets
        self.size = 0

    def write(self, data: bytes | bytearray) -> None:
        """Append. `data` is ours from now on: a large piece is kept as it is, small ones are put together."""
        self.size += len(data)
        self.in_memory += len(data)
        if self._pieces and len(self._pieces[-1]) < CHUNK:
            self._pieces[-1] += data
        else:
            self._pieces.append(data)
        if not 0 <= self.in_memory - self._counted < STEP:
            self._count()

    @property
    def is_full(self) -> bool:
        """More is in memory than should be."""
        if self._is_crowded:
            return self.in_memory >= STEP
        return self.in_memory > (self._threshold if self._fd < 0 else BATCH)

    def unload(self) -> None:
        """Move what is in memory to the file. Waits for the disk; may run in a thread, while nobody writes or reads.
        Raises OSError where the spool directory has no room: the caller answers 452."""
        try:
            with self._unloading:
                if self._fd < 0:
                    self._fd = _nameless_file(self._directory)
                for piece in self._pieces:
                    _write_all(self._fd, piece)
                self._in_file += self.in_memory
                self._forget()
        finally:
            self._close_file()

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        if len(self._pieces) == 1 and start < self.size == self.in_memory <= CHUNK:  # as most messages, read many times
            whole = self._pieces[0] = bytes(self._pieces[0])
            return iter((whole[start:],))
        return self._all_chunks(start)

    def _all_chunks(self, start: int) -> Iterator[bytes]:
        offset = start
        while offset < self._in_file and (piece := os.pread(self._fd, min(CHUNK, self._in_file - offset), offset)):
            yield piece
            offset += len(piece)
        skipped = offset - self._in_file
        for held in self._pieces:
            for place in range(skipped, len(held), CHUNK):
                yield bytes(memoryview(held)[place : place + CHUNK])
            skipped = max(skipped - len(held), 0)

    def close(self) -> None:
        """Safe to call twice, and while it is unloaded: a disk that hangs keeps its file until it answers."""
        if self._counted:
            self._host.leave(self._counted)
            self._counted = 0
        self._is_closed = True
        self._close_file()

    def _count(self) -> None:
        """Have the host count what is in memory now."""
        more = self.in_memory // STEP * STEP - self._counted
        if more < 0:
            self._host.leave(-more)
        self._is_crowded = more > 0 and not self._host.take(more)
        if not self._is_crowded:
            self._counted += more

    def _forget(self) -> None:
        self._pieces, self.in_memory = [], 0

    def _close_file(self) -> None:
        if self._is_closed and self._unloading.acquire(blocking=False):
            self._forget()
            fd, self._fd = self._fd, -1
            self._unloading.release()
            if fd >= 0:
                os.close(fd)


def _nameless_file(directory: Path) -> int:
    """O_TMPFILE never has a name, so nothing is left behind by a killed worker."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        fd, name = tempfile.mkstemp(dir=directory)
        os.unlink(name)
        return fd


def _write_all(fd: int, data: bytes | bytearray) -> None:
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(fd, view[written:])
