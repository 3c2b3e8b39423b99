"""Answer: turns the octets of a next hop into its replies (RFC 5321 section 4.2). Pure.

The next hop is not trusted to keep to the protocol: lines, replies and what is unread are bounded, and everything
that is no reply is an AnswerError.
"""

import re
from collections import deque
from functools import lru_cache

from msgspec import Struct

MAX_LINE = 4096  # octets; RFC 5321 section 4.5.3.1.5 has 512, servers with long explanations go beyond it
MAX_LINES = 128  # of one reply; the longest EHLO answers have about 30
MAX_UNREAD = 4096  # replies; more than any transaction can ask for at once
KEPT_LINES = 128  # of those read last: a server says most of its lines again with every message

_line_re = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r?\Z")


class Answer(Struct, frozen=True):
    """One reply of a next hop, as it came. The lines are without the code; they are hostile text."""

    code: int
    lines: tuple[str, ...]

    @property
    def is_success(self) -> bool:
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"


class AnswerError(ValueError):
    """What came is no SMTP reply, or goes beyond a limit."""


class AnswerReader:
    """Collects octets and makes whole replies of them, in their order."""

    __slots__ = ("_begun", "_rest", "answers")

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()  # whole replies, which wait to be taken
        self._rest = b""
        self._begun: list[Answer] = []  # the lines so far of a reply that goes on

    @property
    def is_midway(self) -> bool:
        """Part of a reply is here."""
        return bool(self._rest or self._begun)

    def feed(self, data: bytes) -> None:
        """Take in what was received. Raises AnswerError; nothing after it can be trusted."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        if len(self._rest) > MAX_LINE:
            raise AnswerError(f"a line is longer than {MAX_LINE} octets")
        if len(self.answers) > MAX_UNREAD:
            raise AnswerError(f"more than {MAX_UNREAD} replies came unasked")

    def _take_line(self, line: bytes) -> None:
        answer, is_last = _read(line)
        begun = self._begun
        if begun and answer.code != begun[0].code:
            raise AnswerError(f"the codes {begun[0].code} and {answer.code} stand in one reply")
        if is_last and not begun:  # as most are
            self.answers.append(answer)
            return
        begun.append(answer)
        if is_last:
            self.answers.append(Answer(code=answer.code, lines=tuple([line for part in begun for line in part.lines])))
            begun.clear()
        elif len(begun) >= MAX_LINES:
            raise AnswerError(f"a reply has more than {MAX_LINES} lines")


@lru_cache(KEPT_LINES)
def _read(line: bytes) -> tuple[Answer, bool]:
    """One line as a reply of its own, and whether the reply ends with it. Raises AnswerError."""
    match = _line_re.match(line) if len(line) <= MAX_LINE else None
    if match is None:
        raise AnswerError(f"no reply line: {line[:80]!r}")
    code, separator, text = match.groups()
    return Answer(code=int(code), lines=(text.decode("utf-8", "replace") if text else "",)), separator != b"-"
