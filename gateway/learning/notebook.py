"""Notebook: writes what was said of messages into the journal, some at a time, beside the process that keeps it."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from gateway.journal.database import Database, JournalError
from gateway.journal.feedback import Feedback, Kind, known, last_said, note, withdraw
from gateway.learning.letter import Letter
from gateway.scoring.lesson import Lesson

BATCH = 100  # that are written at once; the journal's own writer waits meanwhile
SOURCE = "learn"

_KINDS = {Lesson.SPAM: Kind.SPAM, Lesson.HAM: Kind.HAM}


class Notebook:
    """`clock` gives Unix time. What the journal does not take is counted, with the first reason, and left out."""

    def __init__(self, database: Database, lesson: Lesson, clock: Callable[[], float]) -> None:
        self._database = database
        self._lesson = lesson
        self._clock = clock
        self._waiting: list[tuple[str, str]] = []  # id and digest
        self.recorded = 0
        self.linked = 0  # messages, of all these, of which the journal has a row
        self.repeated = 0  # that had been said before, and not been taken back
        self.unrecorded = 0
        self.reason = ""

    def add(self, letter: Letter) -> None:
        self._waiting.append((letter.ident, letter.digest))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            there = known(self._database, [ident for ident, _ in waiting])
            written = self._write([(ident if ident in there else "", digest) for ident, digest in waiting])
        except JournalError as error:
            self.unrecorded += len(waiting)
            self.reason = self.reason or str(error)
            return
        self.recorded += written
        self.repeated += len(waiting) - written
        self.linked += sum(ident in there for ident, _ in waiting)

    def _write(self, messages: Sequence[tuple[str, str]]) -> int:
        """How many it was news of: who reads a Junk folder every day says the same of most of it."""
        ids, digests = zip(*messages, strict=True)
        if self._lesson is Lesson.FORGET:
            withdraw(self._database, ids=ids, digests=digests)
            return len(messages)
        said = Feedback(began=self._clock(), verdict=_KINDS[self._lesson], source=SOURCE)
        before = last_said(self._database, digests)
        news = [message for message in dict.fromkeys(messages) if before.get(message) is not said.verdict]
        note(self._database, [replace(said, id=ident, digest=digest) for ident, digest in news])
        return len(news)
