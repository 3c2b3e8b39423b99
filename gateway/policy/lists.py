"""Lists: files of entries to the sets that listed("name") looks up.

One entry a line, in lower case whatever the file has; "#" begins a comment. A domain with other letters than ASCII's is
found as it is written and with A-labels, as facts have it. Of two lists with the same name, that in the later directory
counts.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from gateway.domain import canonical_domain
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
    octets = octets.removeprefix(BOM_UTF8)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise Unreadable(Problem(name, line, 1, "is not UTF-8", "save the file as UTF-8")) from error
    entries = {line.partition("#")[0].strip().lower() for line in text.replace("\r", "\n").split("\n")}
    return frozenset(entries - {""} if text.isascii() else (*filter(None, entries), *_with_a_labels(entries)))


def _with_a_labels(entries: Iterable[str]) -> Iterator[str]:
    """Of domains and addresses of other letters than ASCII's the form in which facts have them."""
    for entry in entries:
        local, at, domain = entry.rpartition("@")
        if not domain.isascii() and (canonical := canonical_domain(domain)):
            yield f"{local}{at}{canonical}"


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if _name_re.match(path.name))
    except OSError:
        return []


def _read(path: Path) -> bytes:
    if path.is_fifo():
        raise Unreadable(Problem(str(path), 1, 1, "cannot be read: it is a pipe"))
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_LIST + 1)
    except OSError as error:
        raise Unreadable(Problem(str(path), 1, 1, f"cannot be read: {error.strerror}")) from error
    if len(octets) > MAX_LIST:
        raise Unreadable(Problem(str(path), 1, 1, f"is larger than {MAX_LIST} octets"))
    return octets
