"""The reader: turns the rows of the journal into entries, of which replay, explanations and statistics are made.

However many rows there are, a page of them at a time is held, and no transaction stays open between two pages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select, tuple_

from gateway.facts import Stage
from gateway.journal.database import Database, for_reading
from gateway.journal.entry import Entry, Evaluation, Extent, Gap
from gateway.journal.glossary import Glossary
from gateway.journal.notation import from_json
from gateway.journal.rows import clean_text
from gateway.journal.schema import dmarc, feedback, gaps, messages, vocabularies

PAGE = 1000  # rows; some 2 MB

_LISTS = ("recipients", "rules", "shadow", "candidate_rules", "unrecorded")
_COLUMNS = tuple(column for column in messages.c if column.name not in ("number", "batch", "reply_class"))
_NAMES = tuple(column.name for column in _COLUMNS)


class Reader:
    """Reads one journal."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._glossaries: dict[str, Glossary | None] = {}

    def since(self, moment: float) -> Iterator[Entry]:
        """All entries whose transaction began at that Unix time or later, in the order of time. Raises JournalError."""
        return map(self._entry, self._in_time(select(*_COLUMNS, messages.c.number), messages, moment))

    def of(self, identity: str) -> list[Entry]:
        """The entries of that id, as in the log: recipients that were refused, and the message. Raises JournalError."""
        known = messages.c.id == clean_text(identity)
        wanted = select(*_COLUMNS).where(known).order_by(messages.c.number).limit(PAGE)
        return list(map(self._entry, self._rows(wanted)))

    def evaluations_since(self, moment: float) -> Iterator[Evaluation]:
        """What aggregate reports are made of: all evaluations of DMARC from that Unix time on, in the order of time.
        Raises JournalError."""
        return map(_evaluation, self._in_time(select(dmarc), dmarc, moment))

    def evaluations_of(self, identity: str) -> list[Evaluation]:
        """Of the message of that id. Raises JournalError."""
        wanted = select(dmarc).where(dmarc.c.id == clean_text(identity)).limit(PAGE)
        return list(map(_evaluation, self._rows(wanted)))

    def gaps_since(self, moment: float) -> list[Gap]:
        """Raises JournalError."""
        wanted = select(gaps.c.began, gaps.c.reason, gaps.c.entries).where(gaps.c.began >= moment)
        return [Gap(**row._mapping) for row in self._rows(wanted.order_by(gaps.c.number).limit(PAGE))]

    def extent(self) -> Extent:
        """Raises JournalError."""
        with self._database.transaction() as connection:
            began = messages.c.began
            rows, first, last = connection.execute(select(func.count(), func.min(began), func.max(began))).one()
            missing = connection.execute(select(gaps.c.reason, func.sum(gaps.c.entries)).group_by(gaps.c.reason)).all()
            return Extent(
                rows=rows,
                first=first,
                last=last,
                octets=_octets(connection),
                missing={reason: int(number) for reason, number in missing},
                feedback=connection.execute(select(func.count()).select_from(feedback)).scalar_one(),
            )

    def _rows(self, wanted: Select[Any]) -> list[Row[Any]]:
        with self._database.transaction() as connection:
            return list(connection.execute(wanted))

    def _in_time(self, wanted: Select[Any], table: Table, moment: float) -> Iterator[Row[Any]]:
        """The rows of a table from that Unix time on, in the order of time."""
        place = (table.c.began, table.c.number)
        ordered = wanted.order_by(*place).limit(PAGE)
        page = self._rows(ordered.where(table.c.began >= moment))
        while page:
            yield from page
            page = self._rows(ordered.where(tuple_(*place) > (page[-1].began, page[-1].number)))

    def _glossary(self, digest: str) -> Glossary | None:
        if digest not in self._glossaries:
            rows = self._rows(select(vocabularies.c.terms).where(vocabularies.c.digest == digest))
            self._glossaries[digest] = Glossary.parse(rows[0].terms) if rows else None
        return self._glossaries[digest]

    def _entry(self, row: Row[Any]) -> Entry:
        values = dict(zip(_NAMES, row, strict=False))
        glossary = self._glossary(values.pop("vocabulary"))
        written, settled = from_json(values.pop("facts")), Stage(values.pop("settled"))
        for name in _LISTS:
            values[name] = tuple(values[name])
        shown = glossary.restored(written) if glossary else {}
        facts = {**glossary.grounds(settled), **shown} if glossary else {}
        for name in values["unrecorded"]:
            facts.pop(name, None)
        return Entry(**values, facts=facts, shown=shown)


@contextmanager
def reading(place: str) -> Iterator[Reader]:
    """The journal at that URL, until the end of the block."""
    database = for_reading(place)
    try:
        yield Reader(database)
    finally:
        database.close()


def _evaluation(row: Row[Any]) -> Evaluation:
    values = row._asdict()
    del values["number"]
    signatures = tuple(map(tuple, values.pop("dkim")))
    return Evaluation(**values | {"rua": tuple(values["rua"])}, dkim=signatures)


def _octets(connection: Connection) -> int:
    """The room that it takes."""
    if connection.dialect.name == "sqlite":
        pages, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size")
        )
        return int(pages) * int(size)
    tables = (func.pg_total_relation_size(table.name) for table in messages.metadata.sorted_tables)
    return sum(int(connection.execute(select(size)).scalar_one()) for size in tables)
