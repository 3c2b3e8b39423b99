"""Insertion: puts rows into a table, by the means of the database's driver.

SQLAlchemy makes the statement, once. It would also look at each value of each row, which costs more than to write them.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, Table, insert

from gateway.journal.notation import to_text


class Insertion:
    """What puts rows into one table. They have all of its columns but the number."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = tuple(column.name for column in table.c if not column.primary_key)
        self._values_of = itemgetter(*self._names)
        self._lists = tuple(column.name for column in table.c if isinstance(column.type, JSON))
        self._statement = ""

    def put(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        self._statement = self._statement or self._compiled(connection.dialect)
        connection.exec_driver_sql(self._statement, [self._values(row) for row in rows])

    def _compiled(self, dialect: Dialect) -> str:
        """With a place for each value, in the order of the columns."""
        return str(insert(self._table).compile(dialect=dialect, column_keys=self._names))

    def _values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        values: tuple[Any, ...] = self._values_of({**row, **{name: to_text(row[name]) for name in self._lists}})
        return values
