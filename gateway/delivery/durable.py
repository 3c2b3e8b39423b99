"""Durable: turns octets into a file that is there after a crash, or is not there at all.

A file is on the disk when it is fsynced, and its name when its directory is (man 2 fsync). So: write under tmp/,
fsync, rename into new/, fsync new/. All of it blocks: it is for a thread, never for the event loop.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


class Draft(Struct, frozen=True):
    """A file of a Maildir that is whole and on the disk under tmp/, but not yet to be seen."""

    maildir: Path
    name: str

    @property
    def _written(self) -> Path:
        return self.maildir / "tmp" / self.name

    @property
    def published(self) -> Path:
        return self.maildir / "new" / self.name

    def publish(self) -> None:
        """Show it under new/, for good. Raises OSError."""
        os.rename(self._written, self.published)
        sync_directory(self.maildir / "new")

    def discard(self) -> None:
        """Take it away, published or not."""
        for path in (self._written, self.published):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def make_maildir(maildir: Path) -> None:
    """Make a Maildir and every directory above it that is missing, with their names on the disk. Raises OSError."""
    for part in ("tmp", "cur", "new"):
        _make_directory(maildir / part)


def write_draft(maildir: Path, name: str, chunks: Iterable[bytes], *, size: int) -> Draft:
    """Write a file under tmp/. Raises OSError, also when there are not `size` octets; then nothing is left behind."""
    draft = Draft(maildir=maildir, name=name)
    fd = os.open(maildir / "tmp" / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        _fill(fd, chunks, size)
    except BaseException:
        draft.discard()
        raise
    finally:
        os.close(fd)
    return draft


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _make_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    with suppress(FileExistsError):
        directory.mkdir(mode=DIRECTORY_MODE)
    sync_directory(directory.parent)


def _fill(fd: int, chunks: Iterable[bytes], size: int) -> None:
    written = sum(_write_all(fd, chunk) for chunk in chunks)
    if written != size:
        raise OSError(f"{written} octets of a message of {size} could be read")
    os.fsync(fd)


def _write_all(fd: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)
