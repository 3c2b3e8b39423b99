"""Course: takes files with messages through one lesson: each is read, told to every spamd, and noted in the journal.

None of the three holds up the others: a file that cannot be read is left out, and what no spamd takes is noted all the
same.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from gateway.learning.files import Unread, files_of, opened
from gateway.learning.letter import Letter, LetterError, Reading, read_letter
from gateway.learning.notebook import Notebook
from gateway.learning.teacher import Progress, Teacher
from gateway.scoring.lesson import Lesson


class Outcome(Struct, frozen=True, kw_only=True):
    messages: int
    unread: tuple[Unread, ...]
    spamd: tuple[Progress, ...]
    recorded: int
    repeated: int  # said before, so that nothing had to be recorded
    linked: int  # of both, messages that the journal has
    unrecorded: int
    unrecorded_reason: str


class Course(Struct, frozen=True, kw_only=True):
    lesson: Lesson
    reading: Reading
    teacher: Teacher
    notebook: Notebook | None  # None: there is no journal

    async def run(self, named: Iterable[Path], *, tell: Callable[[Unread | int], None]) -> Outcome:
        """`tell` hears of each file that gives no message, and how many messages have been dealt with."""
        messages, unread = 0, []
        await self.teacher.begin()
        try:
            for path in files_of(named):
                letter = path if isinstance(path, Unread) else _read(path, self.reading)
                if isinstance(letter, Unread):
                    unread.append(letter)
                    tell(letter)
                    continue
                await self._deal_with(letter)
                messages += 1
                tell(messages)
        finally:  # also what came before somebody has lost patience
            if self.notebook:
                self.notebook.flush()
        return self._outcome(messages, unread)

    async def _deal_with(self, letter: Letter) -> None:
        await self.teacher.tell(self.lesson, letter.payload)
        if self.notebook:
            self.notebook.add(letter)

    def _outcome(self, messages: int, unread: Iterable[Unread]) -> Outcome:
        notebook = self.notebook
        return Outcome(
            messages=messages,
            unread=tuple(unread),
            spamd=tuple(self.teacher.progress()),
            recorded=notebook.recorded if notebook else 0,
            repeated=notebook.repeated if notebook else 0,
            linked=notebook.linked if notebook else 0,
            unrecorded=notebook.unrecorded if notebook else 0,
            unrecorded_reason=notebook.reason if notebook else "",
        )


def _read(path: Path, reading: Reading) -> Letter | Unread:
    try:
        with opened(path) as file:
            return read_letter(file, reading)
    except OSError as error:
        return Unread(path=path, reason=error.strerror or str(error))
    except LetterError as error:
        return Unread(path=path, reason=str(error))
