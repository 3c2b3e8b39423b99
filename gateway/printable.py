"""Printable: turns text that strangers wrote into what may stand in logs, header fields and on terminals. Pure."""

import re

_unprintable_re = re.compile(r"[^\x20-\x7e]")


def printable(text: str | bytes, limit: int | None = None) -> str:
    """The first `limit` characters, or all, with a question mark for each that is not printable ASCII."""
    beginning = text[:limit]
    shown = beginning.decode("ascii", "replace") if isinstance(beginning, bytes) else beginning
    if shown.isascii() and shown.isprintable():  # as most is
        return shown
    return _unprintable_re.sub("?", shown)


def printable_lines(text: str) -> str:
    """The same of several lines, which stay apart by their line feeds."""
    return "\n".join(map(printable, text.split("\n")))
