"""Source: the text of a condition as Python's parser sees it, and the offsets of nodes and errors in it."""

import ast
import re

from msgspec import Struct


class Fault(Struct, frozen=True):
    """Something that is wrong with a condition, at a character of its text."""

    offset: int
    message: str
    hint: str = ""


class Source:
    """The text of a condition. It is parsed in parentheses, so that it may run over lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parsed = f"({text.replace(chr(13), ' ')}\n)"
        self._starts = [0, *(match.end() for match in re.finditer("\n", self.parsed))]

    def offset(self, line: int, column: int) -> int:
        """A line (from 1) and a column (from 0, in characters) of what was parsed, as an offset into the text."""
        start = self._starts[min(line, len(self._starts)) - 1]
        return max(0, min(start + column - 1, len(self.text)))

    def start(self, node: ast.expr) -> int:
        """Where a node begins in the text; -1 for the parenthesis before the text."""
        return self._index(node.lineno, node.col_offset) - 1

    def segment(self, node: ast.expr) -> str:
        """The node as it is written."""
        return self.text[self.start(node) : self._index(node.end_lineno or 1, node.end_col_offset or 0) - 1]

    def _index(self, line: int, octets: int) -> int:
        """Python's parser counts columns in octets of UTF-8."""
        start = self._starts[line - 1]
        following = self.parsed[start : start + octets]
        return start + len(following.encode()[:octets].decode("utf-8", "ignore"))
