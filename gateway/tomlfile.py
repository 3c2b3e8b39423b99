"""TOML file: a file to its data (tomllib), and for each table, key and character of a text the place where it stands.

tomllib tells no positions, so a scanner goes once over the text that tomllib has found valid and notes where keys and
values begin. Problems have the form that editors follow: file:line:column: message.
"""

import difflib
import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from gateway.tomladvice import advice

Path = tuple[str | int, ...]
"""The way to a value: ("rule", 3, "when") is the key `when` of the fourth [[rule]]."""

MAX_FILE = 4 * 1024 * 1024  # octets; people write these files, and a device or a log named by mistake is not read whole
MAX_MEANT = 5  # names that a hint has
MAX_NAME = 100  # characters of a name that are compared with others, since difflib is quadratic

_error_re = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)
_blank_re = re.compile(r"(?:[ \t\n,]|#[^\n]*)*")
_key_re = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|'([^'\n]*)'|"((?:[^"\\\n]|\\.)*)")[ \t]*""")
_text_re = re.compile(
    r"'''(?:(?!''').)*'{3,5}"
    r'|"""(?:(?!""")[^\\]|\\.)*"{3,5}'
    r"|'[^'\n]*'"
    r'|"(?:[^"\\\n]|\\.)*"',
    re.DOTALL,
)
_indent_re = re.compile(r"[ \t]*")
_scalar_re = re.compile(r"[^,\]}#\n]+")
# One character of a basic string as it is written; a backslash at the end of a line swallows the white space after it.
_written_re = re.compile(r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|(\\[ \t]*\n[ \t\n]*)|\\.|.", re.DOTALL)


class Place(Struct, frozen=True, order=True):
    """A place in a file, both counted from 1, the column in characters."""

    line: int
    column: int


class Problem(Struct, frozen=True):
    """Something that is wrong with a file. `hint` gives advice, such as the right name where a wrong one stands."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        advice = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{advice}"


class Unreadable(Exception):
    """The file is missing, is no UTF-8, or is no TOML."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class TomlFile(Struct, frozen=True):
    """A file that was read. `keys` and `values` hold the offsets in `text` at which they begin."""

    name: str
    data: dict[str, Any]
    text: str
    keys: Mapping[Path, int]
    values: Mapping[Path, int]

    def place(self, path: Path) -> Place:
        """Where the table, element or key stands; for one that is not there, where what encloses it does."""
        while path and path not in self.keys:
            path = path[:-1]
        return _place(self.text, self.keys.get(path, 0))

    def place_in_text(self, path: Path, offset: int) -> Place:
        """Where the character `offset` of the string value at `path` stands, whichever way the string is quoted."""
        start = self.values.get(path)
        if start is None or not self.text.startswith(("'", '"'), start):
            return self.place(path)
        return _place(self.text, _written_offset(self.text, start, offset))

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        place = self.place(path)
        return Problem(self.name, place.line, place.column, message, hint)


def read(path: FilePath) -> TomlFile:
    """Read a TOML file. Raises Unreadable with the problem where it cannot be."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except OSError as error:
        raise Unreadable(Problem(str(path), 1, 1, f"cannot be read: {error.strerror}")) from error
    if len(octets) > MAX_FILE:
        raise Unreadable(Problem(str(path), 1, 1, f"is larger than {MAX_FILE} octets"))
    return parse(octets, str(path))


def parse(octets: bytes, name: str) -> TomlFile:
    """Parse the octets of a TOML file. Raises Unreadable."""
    try:
        text = octets.removeprefix(BOM_UTF8).decode("utf-8").replace("\r\n", "\n")  # as tomllib does
    except UnicodeDecodeError as error:
        before = octets.removeprefix(BOM_UTF8)[: error.start].decode("utf-8")
        place = _place(before, len(before))
        raise Unreadable(Problem(name, place.line, place.column, "is not UTF-8", "save the file as UTF-8")) from error
    try:
        data = tomllib.loads(text)
        keys, values = _Scanner(text).scan()
    except RecursionError as error:
        raise Unreadable(Problem(name, 1, 1, "is nested too deeply")) from error
    except ValueError as error:  # TOMLDecodeError, or int() of thousands of digits
        raise Unreadable(_syntax_problem(name, text, str(error))) from error
    return TomlFile(name=name, data=data, text=text, keys=keys, values=values)


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was most likely meant by `name`, if one is near."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    near = difflib.get_close_matches(name[:MAX_NAME].casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A hint with the nearest right name, or with those that have it for one of their parts; or no hint."""
    candidates = tuple(candidates)
    parts = [other for other in candidates if name.casefold() in other.split(".")]
    near = nearest(name, candidates)
    nearer = () if near is None or (parts and "." in near) else (near,)
    words = [f'"{other}"' for other in dict.fromkeys((*nearer, *parts))][:MAX_MEANT]
    *others, last = words or [""]
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"did you mean {listed}?" if listed else ""


class _Scanner:
    """Notes where the keys and values of a valid TOML text begin, in one pass."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._keys: dict[Path, int] = {}
        self._values: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}  # tables seen of each array of tables

    def scan(self) -> tuple[dict[Path, int], dict[Path, int]]:
        table: Path = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._keys, self._values

    def _skip_blank(self) -> bool:
        """Go past white space, comments and commas; whether anything is left."""
        self._at = self._match(_blank_re).end()
        return self._at < len(self._text)

    def _header(self) -> Path:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        path: Path = ()
        names = self._key()
        for name in names[:-1]:
            self._keys.setdefault((*path, name), start)
            path = self._latest((*path, name))
        path = (*path, names[-1])
        self._keys.setdefault(path, start)
        if is_array:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = self._latest(path)
            self._keys[path] = start
        self._at = self._text.index("]", self._at) + (2 if is_array else 1)
        return path

    def _latest(self, path: Path) -> Path:
        """A header below an array of tables means the array's latest table."""
        count = self._counts.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, table: Path) -> None:
        start = self._match(_indent_re).end()
        path = table
        for name in self._key():
            path = (*path, name)
            self._keys.setdefault(path, start)
        self._at += 1  # the equals sign
        self._skip_blank()
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a dotted key."""
        parts = []
        while True:
            match = self._match(_key_re)
            self._at = match.end()
            bare, literal, basic = match.groups()
            parts.append(_unescaped(basic) if basic is not None else literal if bare is None else bare)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        self._values[path] = self._at
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._at = self._match(_text_re if first in "\"'" else _scalar_re).end()

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while self._skip_blank() and self._text[self._at] != "]":
            self._keys[(*path, index)] = self._at
            self._value((*path, index))
            index += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip_blank() and self._text[self._at] != "}":
            self._pair(path)
        self._at += 1

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise AssertionError(f"tomllib accepts what the scanner does not, at offset {self._at}")
        return match


def _place(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _written_offset(text: str, start: int, offset: int) -> int:
    """Where the character `offset` of a string's value is written, given where its quotes begin."""
    quotes = text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]
    at = start + len(quotes)
    if len(quotes) == 3 and text.startswith("\n", at):  # a line end right after the quotes is not part of the value
        at += 1
    if quotes[0] == "'":
        return at + offset
    for match in _written_re.finditer(text, at):
        if match[1] is not None:
            continue
        if offset == 0:
            return match.start()
        offset -= 1
    return at


def _unescaped(basic: str) -> str:
    if "\\" not in basic:
        return basic
    unescaped: str = tomllib.loads(f'key = "{basic}"')["key"]
    return unescaped


def _syntax_problem(name: str, text: str, error: str) -> Problem:
    match = _error_re.match(error)
    if match is None:
        return Problem(name, 1, 1, error)
    place = Place(int(match[2]), int(match[3])) if match[2] else _unclosed_place(text)
    lines = text.split("\n", place.line)
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    message = match[1][:1].lower() + match[1][1:]
    return Problem(
        name, place.line, place.column, message, advice(message, line[: place.column - 1], line[place.column - 1 :])
    )


def _unclosed_place(text: str) -> Place:
    """Where the text begins that goes on to the end of the file; the end where there is none."""
    starts = [text.rfind(quotes) for quotes in ("'''", '"""')]
    return _place(text, max(starts) if max(starts) >= 0 else len(text))
