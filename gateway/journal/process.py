"""The journal's process: takes entries from the feed, writes them in batches, and removes what has expired in between.

It touches no mail. Whatever becomes of it, workers go on: what it does not take they drop, and count.
"""

import gc
import logging
import signal
import socket
import time
from pathlib import Path
from typing import Protocol

from gateway.journal.database import JournalError, for_keeping
from gateway.journal.glossary import Glossary
from gateway.journal.intake import Batches, Ending, Intake
from gateway.journal.retention import CHUNK, Retention
from gateway.journal.rows import RowMaker
from gateway.journal.settings import JournalSettings
from gateway.journal.writer import Writer
from gateway.system.steadyclock import SteadyClock
from gateway.vocabulary import FACTS

log = logging.getLogger("mailward.journal")

YOUNG_OBJECTS = 50_000  # after so many the garbage collector looks: more than a batch, in which there is no cycle
IDLE = 5.0  # seconds without an entry after which there is time for other things
PURGE_INTERVAL = 600.0  # seconds; the expiry is counted in days


class Counts(Protocol):
    """Where the process counts."""

    def taken(self, entries: int) -> None: ...

    def written(self, entries: int) -> None: ...

    def dropped(self, reason: str, entries: int) -> None: ...


def run(settings: JournalSettings, state_directory: Path, sock: socket.socket, counts: Counts) -> None:
    """Keep the journal until told to end. `sock` is its end of the feed."""
    for number in (signal.SIGHUP, signal.SIGINT):  # those are for the supervisor
        signal.signal(number, signal.SIG_IGN)
    ending = Ending()
    database = for_keeping(settings.place(state_directory))
    glossary = Glossary.of(FACTS)
    maker = RowMaker(glossary, settings.redact, settings.redact_key)
    journal = Journal(
        intake=Intake(sock, Batches(settings.batch, settings.interval), ending, on_taken=counts.taken),
        writer=Writer(database, maker, glossary, patience=settings.patience, pause=ending.pause),
        retention=Retention(database, days=settings.expiry, clock=SteadyClock()),
        counts=counts,
    )
    gc.freeze()  # what is built by now stays: without this each full collection walks it, for 50 ms
    gc.set_threshold(YOUNG_OBJECTS)
    try:
        while not ending.is_near:
            journal.turn()
    finally:
        database.close()


class Journal:
    """What the process does, turn by turn."""

    def __init__(self, *, intake: Intake, writer: Writer, retention: Retention, counts: Counts) -> None:
        self._intake = intake
        self._writer = writer
        self._retention = retention
        self._counts = counts
        self._purge_at = time.monotonic()

    def turn(self) -> None:
        """Write a batch, where entries have come, and remove a little of what has expired, where it is time."""
        is_behind = self._purge_at <= time.monotonic()
        frames = self._intake.gather(0 if is_behind else IDLE)
        if frames:
            written, dropped = self._writer.write(frames)
            self._counts.written(written)
            for reason, entries in dropped.items():
                self._counts.dropped(reason.value, entries)
        if is_behind:
            self._purge()

    def _purge(self) -> None:
        try:
            removed = self._retention.remove_some()
        except JournalError as error:
            log.warning("what has expired cannot be removed: %s", error)
            removed = 0
        if removed < CHUNK:
            self._purge_at = time.monotonic() + PURGE_INTERVAL
