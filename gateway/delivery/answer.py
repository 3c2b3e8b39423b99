"""Answer: turns the octets of a next hop into its replies (RFC 5321 section 4.2). Pure.

The next hop is not trusted to keep to the protocol: lines, replies and what is unread are bounded, and everything
that is no reply is an AnswerError.
"""

import re
from functools import lru_cache

from msgspec import Struct

MAX_LINE = 4096  # octets; RFC 5321 section 4.5.3.1.5 has 512, servers with long explanations go beyond it
MAX_LINES = 128  # of one reply; the longest EHLO answers have about 30
MAX_UNREAD = 4096  # replies; more than any transaction can ask for at once
KEPT = 128  # readings of what came last: a server says the same again with every message, but for the last reply
KEPT_SIZE = 512  # octets of each at most

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


class _Reading(Struct, frozen=True):
    """What octets are: whole replies, and what is left of them."""

    answers: tuple[Answer, ...]
    begun: tuple[Answer, ...]  # the lines so far of a reply that goes on
    rest: bytes  # of a line
    problem: str = ""  # why nothing after the answers can be trusted


_NOTHING = _Reading(answers=(), begun=(), rest=b"")


class AnswerReader:
    """Collects octets and makes whole replies of them, in their order."""

    __slots__ = ("_last", "answers")

    def __init__(self) -> None:
        self.answers: list[Answer] = []  # whole replies, which wait to be taken
        self._last = _NOTHING

    @property
    def is_midway(self) -> bool:
        """Part of a reply is here."""
        return bool(self._last.rest or self._last.begun)

    def feed(self, data: bytes) -> None:
        """Take in what was received. Raises AnswerError; nothing after it can be trusted."""
        last = self._last
        if last.rest or last.begun or len(data) > KEPT_SIZE:
            self._last = last = _read(last.rest + data, last.begun)
        else:
            self._last = last = _read_again(data)
        self.answers += last.answers
        if last.problem:
            raise AnswerError(last.problem)
        if len(self.answers) > MAX_UNREAD:
            raise AnswerError(f"more than {MAX_UNREAD} replies came unasked")


def _read(octets: bytes, begun: tuple[Answer, ...] = ()) -> _Reading:
    *lines, rest = octets.split(b"\n")
    answers: list[Answer] = []
    parts = list(begun)
    try:
        for line in lines:
            answer, is_last = _read_line(line)
            if is_last and not parts:  # as most are
                answers.append(answer)
                continue
            if parts and answer.code != parts[0].code:
                raise AnswerError(f"the codes {parts[0].code} and {answer.code} stand in one reply")
            parts.append(answer)
            if is_last:
                texts = [text for part in parts for text in part.lines]
                answers.append(Answer(code=answer.code, lines=tuple(texts)))
                parts.clear()
            elif len(parts) >= MAX_LINES:
                raise AnswerError(f"a reply has more than {MAX_LINES} lines")
        if len(rest) > MAX_LINE:
            raise AnswerError(f"a line is longer than {MAX_LINE} octets")
    except AnswerError as error:
        return _Reading(answers=tuple(answers), begun=(), rest=b"", problem=str(error))
    return _Reading(answers=tuple(answers), begun=tuple(parts), rest=rest)


_read_again = lru_cache(KEPT)(_read)  # of octets that begin with a reply


def _read_line(line: bytes) -> tuple[Answer, bool]:
    """One line as a reply of its own, and whether the reply ends with it. Raises AnswerError."""
    match = _line_re.match(line) if len(line) <= MAX_LINE else None
    if match is None:
        raise AnswerError(f"no reply line: {line[:80]!r}")
    code, separator, text = match.groups()
    return Answer(code=int(code), lines=(text.decode("utf-8", "replace") if text else "",)), separator != b"-"
