"""Spool: collects the octets of one message in memory, and past a threshold in an unlinked file."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.message import CHUNK


class Spool:
    """The content of one message (a gateway.message.Content). Write, then read as often as needed, then close."""

    __slots__ = ("_directory", "_fd", "_memory", "_size", "_threshold")

    def __init__(self, *, threshold: int, directory: Path) -> None:
        self._threshold = threshold
        self._directory = directory
        self._memory = bytearray()
        self._fd = -1
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append. Raises OSError where the spool directory has no room: the caller answers 452."""
        self._size += len(data)
        if self._fd < 0:
            self._memory += data
            if len(self._memory) > self._threshold:
                self._move_to_disk()
        else:
            _write_all(self._fd, data)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        if self._fd < 0:
            with memoryview(self._memory) as memory:
                for offset in range(start, len(memory), CHUNK):
                    yield bytes(memory[offset : offset + CHUNK])
            return
        offset = start
        while piece := os.pread(self._fd, CHUNK, offset):
            yield piece
            offset += len(piece)

    def close(self) -> None:
        self._memory = bytearray()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _move_to_disk(self) -> None:
        # O_TMPFILE never has a name, so nothing is left behind by a killed worker.
        try:
            self._fd = os.open(self._directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError:
            self._fd, name = tempfile.mkstemp(dir=self._directory)
            os.unlink(name)
        _write_all(self._fd, self._memory)
        self._memory = bytearray()


def _write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
