"""Lists: files of entries to the sets that listed("name") looks up.

One entry a line, in lower case whatever the file has; "#" begins a comment. Of two lists with the same name, that in
the later directory counts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from gateway.tomlfile import Problem, Unreadable

MAX_LIST = 64 * 1024 * 1024  # octets; some million entries, which every worker holds in memory

_name_re = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


class ListFiles(Mapping[str, frozenset[str]]):
    """The lists of some directories by name. A file is read when its list is first asked for, and only once."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._files = {path.stem: path for directory in directories for path in _files(directory)}
        self._entries: dict[str, frozenset[str]] = {}
        self._digests: dict[str, str] = {}

    def __getitem__(self, name: str) -> frozenset[str]:
        """The entries. Raises KeyError for an unknown list, Unreadable for a file that is no list."""
        if name not in self._entries:
            octets = _read(self._files[name])
            self._entries[name] = parse(octets, str(self._files[name]))
            self._digests[name] = sha256(octets).hexdigest()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def digests(self) -> dict[str, str]:
        """A hash of each list that was asked for."""
        return dict(self._digests)


def parse(octets: bytes, name: str) -> frozenset[str]:
    """Parse the octets of a list. Raises Unreadable where they are no UTF-8."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise Unreadable(Problem(name, line, 1, "is not UTF-8")) from error
    entries = (line.partition("#")[0].strip().lower() for line in text.split("\n"))
    return frozenset(entry for entry in entries if entry)


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if _name_re.match(path.name))
    except OSError:
        return []


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_LIST + 1)
    except OSError as error:
        raise Unreadable(Problem(str(path), 1, 1, f"cannot be read: {error.strerror}")) from error
    if len(octets) > MAX_LIST:
        raise Unreadable(Problem(str(path), 1, 1, f"is larger than {MAX_LIST} octets"))
    return octets
