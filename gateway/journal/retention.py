"""Retention: removes what is older than the expiry, a little at a time, so that rows are written in between."""

from collections.abc import Callable

from sqlalchemy import delete, select

from gateway.journal.database import Database
from gateway.journal.schema import AGEING

DAY = 86400.0  # seconds
CHUNK = 1000  # rows of a table; removed in some ten milliseconds


class Retention:
    """What may be kept for so many days."""

    def __init__(self, database: Database, *, days: float, clock: Callable[[], float]) -> None:
        """`clock` gives Unix time; it should be one whose jumps make nothing old."""
        self._database = database
        self._days = days
        self._clock = clock

    def remove_some(self) -> int:
        """Remove up to CHUNK rows of each table that are too old, and say how many those were. Raises JournalError."""
        oldest = self._clock() - self._days * DAY
        removed = 0
        with self._database.transaction() as connection:
            for table in AGEING:
                aged = select(table.c.number).where(table.c.began < oldest).order_by(table.c.began).limit(CHUNK)
                removed += connection.execute(delete(table).where(table.c.number.in_(aged))).rowcount
        return removed

    def remove_all(self) -> int:
        """Raises JournalError."""
        total = 0
        while removed := self.remove_some():
            total += removed
        return total
