"""Files: turns what was named on a command line into the files that have a message each.

Of a Maildir these are the files in its cur and new: its other folders are other mail (a Junk folder inside an inbox).
Of any other directory all files in it and below. Hidden files and symbolic links in a directory are passed over.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

STDIN = Path("-")
MAILDIR = ("cur", "new")


class Unread(Struct, frozen=True, kw_only=True):
    """A file or directory that gave no message, and why."""

    path: Path
    reason: str


def files_of(named: Iterable[Path]) -> Iterator[Path | Unread]:
    for path in named:
        if path != STDIN and os.path.isdir(path):  # False also where that cannot be known: reading it says why
            yield from _files_in(path)
        else:
            yield path


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Raises OSError."""
    if path == STDIN:
        yield sys.stdin.buffer
    else:
        with path.open("rb") as file:
            yield file


def _files_in(directory: Path) -> Iterator[Path | Unread]:
    """Without recursion: directories may be nested deeper than Python's stack is."""
    left: list[Path | Unread] = [directory]
    while left:
        entry = left.pop()
        if isinstance(entry, Unread) or not os.path.isdir(entry):
            yield entry
        elif _is_maildir(entry):
            for part in MAILDIR:
                yield from _listed(entry / part)
        else:
            left += reversed([*_listed(entry)])


def _is_maildir(directory: Path) -> bool:
    parts = [directory / name for name in MAILDIR]
    return all(os.path.isdir(part) and not os.path.islink(part) for part in parts)


def _listed(directory: Path) -> Iterator[Path | Unread]:
    """What is not hidden, by name: in a Maildir that is the order of arrival."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(entry.path for entry in entries if _counts(entry))
    except OSError as error:
        yield Unread(path=directory, reason=error.strerror or str(error))
        return
    yield from map(Path, found)


def _counts(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith("."):
        return False
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
