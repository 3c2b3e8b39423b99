"""Answer: turns the octets of a next hop into its replies (RFC 5321 section 4.2). Pure.

The next hop is not trusted to keep to the protocol: lines, replies and what is unread are bounded, and everything
that is no reply is an AnswerError.
"""

import re
from collections import deque

from msgspec import Struct

MAX_LINE = 4096  # octets; RFC 5321 section 4.5.3.1.5 has 512, servers with long explanations go beyond it
MAX_LINES = 128  # of one reply; the longest EHLO answers have about 30
MAX_UNREAD = 4096  # replies; more than any transaction can ask for at once

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
    """Collects octets and gives out whole replies, in their order."""

    __slots__ = ("_answers", "_code", "_lines", "_rest")

    def __init__(self) -> None:
        self._answers: deque[Answer] = deque()
        self._rest = b""
        self._lines: list[str] = []
        self._code = b""

    def __len__(self) -> int:
        """The number of whole replies that wait to be taken."""
        return len(self._answers)

    @property
    def is_midway(self) -> bool:
        """Part of a reply is here."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> None:
        """Take in what was received. Raises AnswerError; nothing after it can be trusted."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        if len(self._rest) > MAX_LINE:
            raise AnswerError(f"a line is longer than {MAX_LINE} octets")
        if len(self._answers) > MAX_UNREAD:
            raise AnswerError(f"more than {MAX_UNREAD} replies came unasked")

    def take(self) -> Answer:
        return self._answers.popleft()

    def _take_line(self, line: bytes) -> None:
        match = _line_re.match(line) if len(line) <= MAX_LINE else None
        if match is None:
            raise AnswerError(f"no reply line: {line[:80]!r}")
        code, separator, text = match.groups()
        if self._lines and code != self._code:
            raise AnswerError(f"the codes {self._code!r} and {code!r} stand in one reply")
        self._lines.append(text.decode("utf-8", "replace") if text else "")
        if separator == b"-":
            self._code = code
            if len(self._lines) >= MAX_LINES:
                raise AnswerError(f"a reply has more than {MAX_LINES} lines")
            return
        self._answers.append(Answer(code=int(code), lines=tuple(self._lines)))
        self._lines.clear()
