"""Folding: turns a name and a text into a header field that no text can break out of (RFC 5322 section 2.2.3)."""

import re

from gateway.printable import printable

MAX_LINE = 78  # characters without CRLF where the text allows it, RFC 5322 section 2.1.1
MAX_WORD = 900  # characters without a space; with the name before it, below the 998 of RFC 5322 section 2.1.1

_name_re = re.compile(r"[!-9;-~]+\Z")


def field(name: str, text: str, *more: str) -> bytes:
    """One header field of ours, with its CRLF; each text of `more` begins a new line. Raises ValueError where `name`
    is not the name of a field."""
    if _name_re.match(name) is None:
        raise ValueError(f"{name!r} is not the name of a header field")
    lines = [f"{name}: {_line(text)}", *[f" {line}" for line in map(_line, more) if line]]
    return ("\r\n".join(map(fold, lines)) + "\r\n").encode("ascii")


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
    folded = []
    filling, *words = line.split(" ")
    for word in words:
        if filling and len(filling) + 1 + len(word) > MAX_LINE:
            folded.append(filling)
            filling = ""
        filling += f" {word}"
    return "\r\n".join([*folded, filling])
