"""Insertion: puts rows into a table, by the means of the database's driver.

SQLAlchemy makes the statement, once. It would also look at each value of each row, which costs more than to write them.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, Table, insert

from gateway.journal.notation import to_text

Values = tuple[Any, ...]


class Insertion:
    """What puts rows into one table. They have all of its columns but the number and, after it, those that are the same
    in a whole batch."""

    def __init__(self, table: Table, *, common: int = 0) -> None:
        """`common` is how many columns a batch has in common."""
        self._table = table
        self._names = tuple(column.name for column in table.c if not column.primary_key)
        own = self._names[common:]
        self._values_of = itemgetter(*own)
        self._lists = tuple(place for place, name in enumerate(own) if isinstance(table.c[name].type, JSON))
        self._statement = ""

    def values(self, row: Mapping[str, Any]) -> Values:
        """The row as the driver takes it, which needs far less room while it waits for the others of its batch."""
        values = list(self._values_of(row))
        for place in self._lists:
            values[place] = to_text(values[place])
        return tuple(values)

    def put(self, connection: Connection, rows: Iterable[Values], *common: Any) -> None:
        """`common` are the values that the batch has in common."""
        self._statement = self._statement or self._compiled(connection.dialect)
        connection.exec_driver_sql(self._statement, [common + row for row in rows])

    def _compiled(self, dialect: Dialect) -> str:
        """With a place for each value, in the order of the columns; nobody asks for the number that a row gets."""
        return str(insert(self._table).inline().compile(dialect=dialect, column_keys=self._names))
