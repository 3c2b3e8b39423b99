"""The log's stream: turns lines into writes to a file descriptor, in a thread.

The reader of the log cannot stop mail: lines go through a bounded queue, and what a full queue drops is counted.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

MAX_WAITING = 5_000  # lines; some 5 MB of ordinary ones, and seconds of a busy worker's log
MAX_WRITTEN_AT_ONCE = 2_500  # lines joined into one write
LULL = 0.1  # seconds in which lines gather: handing the interpreter to the thread costs more than writing them
LAST_WORDS = 2.0  # seconds that the end of the process waits for a reader of the log


class QueuedStream(logging.Handler):
    """Writes lines to a file descriptor from a thread of its own, so that a full pipe holds nobody up."""

    def __init__(self, fd: int, *, on_drop: Callable[[int], None], limit: int = MAX_WAITING) -> None:
        super().__init__()
        self._fd = fd
        self._on_drop = on_drop
        self._limit = limit
        self._dropped = 0
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except (TypeError, ValueError, KeyError):  # a call whose arguments do not fit its text
            line = self.format(_unformatted(record))
        self.put(line)

    def put(self, line: str) -> None:
        """Write it, unless too many wait by now."""
        if self._lines.qsize() >= self._limit:
            self._dropped += 1
            self._on_drop(1)
        else:
            self._lines.put(line)

    def close(self) -> None:
        """Write what waits, for a short while at most."""
        self._ending.set()
        self._lines.put(None)
        self._thread.join(LAST_WORDS)
        super().close()

    def _write_all(self) -> None:
        ended = False
        while not ended:
            text, ended = self._gathered()
            self._write(text)
            if self._dropped and not self._lines.qsize():
                self._confess()

    def _gathered(self) -> tuple[str, bool]:
        """The lines that come within a lull, and whether these are the last ones."""
        batch = [self._lines.get()]
        self._ending.wait(LULL)
        batch += [self._lines.get() for _ in range(min(self._lines.qsize(), MAX_WRITTEN_AT_ONCE - 1))]
        return "\n".join([*(line for line in batch if line is not None), ""]), None in batch

    def _confess(self) -> None:
        dropped, self._dropped = self._dropped, 0
        self._write(f"{self.format(_note('log lines were dropped: %d', dropped))}\n")

    def _write(self, text: str) -> None:
        view = memoryview(text.encode("ascii", "backslashreplace"))
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            return  # nobody reads the log any more


def _note(text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, "", 0, text, values, None)


def _unformatted(record: logging.LogRecord) -> logging.LogRecord:
    values: dict[str, Any] = {"arguments": repr(record.args)}
    broken = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, str(record.msg), None, None)
    broken.__dict__["values"] = values
    return broken
