"""Folding: turns a name and a text into a header field that no text can break out of (RFC 5322 section 2.2.3)."""

import re
from functools import lru_cache

from gateway.printable import printable

MAX_LINE = 78  # characters without CRLF where the text allows it, RFC 5322 section 2.1.1
MAX_WORD = 900  # characters without a space; with the name before it, below the 998 of RFC 5322 section 2.1.1

_name_re = re.compile(r"[!-9;-~]+\Z")


def field(name: str, text: str, *more: str) -> bytes:
    """One header field of ours, with its CRLF; each text of `more` begins a new line. Raises ValueError where `name`
    is not the name of a field."""
    lines = [f"{_checked(name)}: {_line(text)}", *[f" {line}" for line in map(_line, more) if line]]
    return ("\r\n".join(map(fold, lines)) + "\r\n").encode("ascii")


@lru_cache(256)
def _checked(name: str) -> str:
    """A name of ours, or of a rule; there are some dozens of them."""
    if _name_re.match(name) is None:
        raise ValueError(f"{name!r} is not the name of a header field")
    return name


def _line(text: str) -> str:
    line = plain(text)
    return line if len(line) <= MAX_WORD else " ".join([word[:MAX_WORD] for word in line.split(" ")])


def plain(text: str) -> str:
    """Printable ASCII on one line: white space in a run becomes one space, every other character a question mark."""
    return printable(" ".join(text.split()))


def fold(line: str) -> str:
    """Fold before single spaces; removing each CRLF gives `line` again."""
    if len(line) <= MAX_LINE:
        return line
    folded, start = [], 0
    while len(line) - start > MAX_LINE:
        end = line.rfind(" ", start + 1, start + MAX_LINE + 1)
        if end < 0:  # a word is longer than a line
            end = line.find(" ", start + MAX_LINE + 1)
        if end < 0:
            break
        folded.append(line[start:end])
        start = end
    return "\r\n".join([*folded, line[start:]])
