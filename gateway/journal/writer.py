"""The writer: puts batches of entries into the database, each in one transaction.

While the database is locked, full or away a batch is tried again, for a bounded time; then it is dropped, and that is
counted. A row that the database refuses is dropped alone.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from gateway.journal.database import Database, JournalError, RowRefused
from gateway.journal.frame import FrameError, Noted, decode
from gateway.journal.glossary import Glossary
from gateway.journal.insertion import Insertion, Values
from gateway.journal.rows import RowMaker
from gateway.journal.schema import dmarc, gaps, messages, vocabularies

log = logging.getLogger("mailward.journal")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts at a batch
BATCH_OCTETS = 7  # of the number of a batch: it fits into a signed column


class Dropped(StrEnum):
    """Why an entry is not in the journal."""

    QUEUE = "queue"  # there was no room for it in the queue of its worker
    DATABASE = "database"  # the database could not be written to for too long
    REFUSED = "refused"  # the database took others, and not this one
    BROKEN = "broken"  # it was not to be understood
    KILLED = "killed"  # the journal's process ended by force while it had it


class Ready(Struct, frozen=True):
    """What is written of one record."""

    id: str
    message: Values
    dmarc: Values | None


class Writer:
    """Writes what comes in frames."""

    def __init__(
        self,
        database: Database,
        maker: RowMaker,
        glossary: Glossary,
        *,
        patience: float,
        pause: Callable[[float], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`pause` waits so many seconds; False where there is no time for another attempt. `clock` gives Unix time."""
        self._database = database
        self._maker = maker
        self._glossary = glossary
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._missing: Counter[Dropped] = Counter()  # of what was dropped, what the journal does not say yet
        self._outage = ""
        self._messages = Insertion(messages, common=1)
        self._evaluations = Insertion(dmarc)

    def write(self, frames: Sequence[bytes]) -> tuple[int, Counter[Dropped]]:
        """The number of entries that were written, and of those that were not."""
        dropped: Counter[Dropped] = Counter()
        batch = list(self._understood(frames, dropped))
        written = 0
        try:
            self._write_patiently(batch)
            written = len(batch)
        except RowRefused:
            written = self._write_singly(batch, dropped)
        except JournalError:
            dropped[Dropped.DATABASE] += len(batch)
        self._missing += dropped
        return written, dropped

    def _understood(self, frames: Sequence[bytes], dropped: Counter[Dropped]) -> Iterator[Ready]:
        for frame in frames:
            try:
                noted = decode(frame)
                yield self._ready(noted)
            except FrameError as error:
                self._note_refusal(dropped, Dropped.BROKEN, "an entry is not to be understood", error)
            else:
                self._missing[Dropped.QUEUE] += noted.missing

    def _ready(self, noted: Noted) -> Ready:
        try:
            rows = self._maker.rows(noted)
            dmarc = self._evaluations.values(rows.dmarc) if rows.dmarc else None
            return Ready(rows.message["id"], self._messages.values(rows.message), dmarc)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise FrameError(f"{type(error).__name__}: {error}") from error

    def _write_singly(self, batch: Sequence[Ready], dropped: Counter[Dropped]) -> int:
        """The number of those that were written."""
        written = 0
        for ready in batch:
            try:
                self._write_patiently([ready])
                written += 1
            except RowRefused as error:
                self._note_refusal(dropped, Dropped.REFUSED, "a row is refused by the database", error)
            except JournalError:
                dropped[Dropped.DATABASE] += len(batch) - written - dropped[Dropped.REFUSED]
                break
        return written

    def _write_patiently(self, batch: Sequence[Ready]) -> None:
        """Raises RowRefused, and JournalError where it was in vain for too long."""
        number = int.from_bytes(os.urandom(BATCH_OCTETS))
        until = time.monotonic() + self._patience
        pause = 0.0
        while True:
            try:
                self._attempt(batch, number)
            except RowRefused:
                raise
            except JournalError as error:
                self._note_outage(str(error))
                pause = min(pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
                if time.monotonic() + pause > until or not self._pause(pause):
                    raise
            else:
                return self._note_outage("")

    def _attempt(self, batch: Sequence[Ready], number: int) -> None:
        with self._database.transaction() as connection:
            self._introduce(connection)
            if not _is_there(connection, batch, number):
                self._insert(connection, batch, number)
            if missing := +self._missing:
                now = self._clock()
                connection.execute(
                    insert(gaps),
                    [{"began": now, "reason": reason.value, "entries": n} for reason, n in missing.items()],
                )
        self._missing.clear()

    def _insert(self, connection: Connection, batch: Sequence[Ready], number: int) -> None:
        self._messages.put(connection, [ready.message for ready in batch], number)
        if reported := [ready.dmarc for ready in batch if ready.dmarc]:
            self._evaluations.put(connection, reported)

    def _introduce(self, connection: Connection) -> None:
        """Have the vocabulary there that the facts are of."""
        digest = self._glossary.digest
        known = select(vocabularies.c.digest).where(vocabularies.c.digest == digest)
        if connection.execute(known).first() is None:
            connection.execute(insert(vocabularies), {"digest": digest, "terms": self._glossary.to_text()})

    def _note_refusal(self, dropped: Counter[Dropped], reason: Dropped, text: str, error: Exception) -> None:
        """Say of the first one in a batch why, and count all."""
        if not dropped[reason]:
            log.error("%s: %s", text, error)
        dropped[reason] += 1

    def _note_outage(self, problem: str) -> None:
        """Say it when it begins, changes or ends, and not at each attempt."""
        if problem == self._outage:
            return
        self._outage = problem
        if problem:
            log.error("the journal cannot be written: %s", problem)
        else:
            log.warning("the journal is written again")


def _is_there(connection: Connection, batch: Sequence[Ready], number: int) -> bool:
    """Whether an attempt before this one was committed, though its answer was lost."""
    if not batch:
        return True
    mine = (messages.c.id == batch[0].id) & (messages.c.batch == number)
    return connection.execute(select(messages.c.number).where(mine)).first() is not None
