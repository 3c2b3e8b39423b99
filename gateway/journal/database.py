"""The database of the journal: opens it, checks its schema, and turns the errors of SQLAlchemy and the drivers into
ours."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from sqlalchemy import URL, Connection, Engine, create_engine, delete, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from gateway.journal.notation import from_json
from gateway.journal.schema import MIGRATIONS, VERSION, gaps, metadata, schema_version
from gateway.journal.settings import SQLITE

BUSY = 5.0  # seconds that SQLite waits for whoever else writes
CONNECT = 5.0  # seconds to reach PostgreSQL
STATEMENT = 30.0  # seconds that a statement may take there
SILENCE = 10.0  # seconds after which a server that acknowledges nothing is given up
PRAGMAS = (
    "page_size = 8192",  # of a new file: twice the rows in a page are half the pages that a batch writes
    "journal_mode = WAL",  # whoever reads holds nobody up
    "synchronous = NORMAL",  # a power cut may cost the last rows, never the file
    "secure_delete = ON",  # what has expired is gone from the file as well
)


class JournalError(Exception):
    """The journal cannot be used just now; the text says why."""


class NoJournal(JournalError):
    """Nobody has made it yet."""


class RowRefused(JournalError):
    """The database takes everything but what it was given."""


class Database:
    """One database, opened when it is first used. A transaction that cannot be had raises JournalError."""

    def __init__(self, engine: Callable[[], Engine], prepare: Callable[[Connection], None]) -> None:
        self._make_engine = engine
        self._prepare = prepare
        self._engine: Engine | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end of the block. Raises JournalError."""
        with _translated(), self._opened().begin() as connection:
            yield connection

    def close(self) -> None:
        if self._engine:
            self._engine.dispose()
            self._engine = None

    def _opened(self) -> Engine:
        if self._engine is None:
            engine = self._make_engine()
            try:
                with engine.begin() as connection:
                    self._prepare(connection)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine


def for_keeping(place: str, *, busy: float = BUSY) -> Database:
    """The database at that URL, which is made where it is missing. SQLite waits `busy` seconds for others who write."""
    return Database(lambda: _engine(place, Access("rwc", "IMMEDIATE", busy)), _make)


def for_writing(place: str) -> Database:
    """The database at that URL, if it is there."""
    return Database(lambda: _engine(place, Access("rw", "IMMEDIATE", BUSY)), _check)


def for_reading(place: str) -> Database:
    """The same, for whoever only reads: nobody waits for him."""
    return Database(lambda: _engine(place, Access("rw", "DEFERRED", BUSY)), _check)


def try_to_write(place: str) -> None:
    """Do all that is needed to write, but change nothing. Raises JournalError."""
    with closing(for_writing(place)) as database, database.transaction() as connection:
        connection.execute(delete(gaps).where(gaps.c.number < 0))


def name(place: str) -> str:
    """The URL as people may see it."""
    return place if place.startswith(SQLITE) else make_url(place).render_as_string(hide_password=True)


def file_of(place: str) -> str:
    """The path of an SQLite database; "" for another one."""
    return "/" + place.removeprefix(SQLITE).lstrip("/") if place.startswith(SQLITE) else ""


class Access(Struct, frozen=True):
    """How SQLite is opened: the mode of its URI, the kind of its transactions, the seconds to wait for others."""

    mode: str
    transaction: str
    busy: float


def _engine(place: str, access: Access) -> Engine:
    if path := file_of(place):
        return _sqlite(path, access)
    url = make_url(place).set(drivername="postgresql+psycopg")
    settings = {
        "connect_timeout": int(CONNECT),
        "tcp_user_timeout": int(SILENCE * 1000),
        "options": f"-c statement_timeout={STATEMENT * 1000:.0f} -c timezone=UTC",
        "application_name": "mailward",
        **url.query,
    }
    url = url.set(query={})
    return create_engine(
        url,
        connect_args=settings,
        pool_size=1,
        paramstyle="format",  # values by their order, as SQLite has them: see Insertion
        json_deserializer=from_json,
    )


def _sqlite(path: str, access: Access) -> Engine:
    if access.mode == "rwc":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite's own files get the same mode
    elif not os.path.exists(path):
        raise NoJournal("there is no journal yet: the gateway makes it when it starts")
    url = URL.create("sqlite", database=f"file:{quote(path)}", query={"mode": access.mode, "uri": "true"})
    engine = create_engine(url, connect_args={"timeout": access.busy}, json_deserializer=from_json)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: object) -> None:
        with closing(connection.cursor()) as cursor:
            for pragma in PRAGMAS:
                cursor.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # the driver itself would begin with the first change only
        connection.exec_driver_sql(f"BEGIN {access.transaction}")

    return engine


def _make(connection: Connection) -> None:
    """Make what is missing, and bring what is older up to date."""
    version = _version(connection)
    if version is None:
        metadata.create_all(connection)
        connection.execute(insert(schema_version), {"version": VERSION})
        return
    for step in range(version, VERSION):
        for statement in MIGRATIONS[step]:
            connection.execute(text(statement))
        connection.execute(schema_version.update(), {"version": step + 1})


def _check(connection: Connection) -> None:
    version = _version(connection)
    if version is None:
        raise NoJournal("there is no journal in the database yet: the gateway makes it when it starts")
    if version < VERSION:
        raise JournalError(f"the journal has the older schema {version}: the gateway renews it when it starts")


def _version(connection: Connection) -> int | None:
    """Of the schema; None where there is none. Raises JournalError where it is newer than ours."""
    if not inspect(connection).has_table(schema_version.name):
        return None
    version = connection.execute(select(schema_version.c.version)).scalar_one()
    if version > VERSION:
        raise JournalError(f"the journal has the schema {version} of a newer Mailward; this one knows {VERSION}")
    return int(version)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
        raise RowRefused(_reason(error)) from error
    except ModuleNotFoundError as error:
        raise JournalError(f"{error.name} is not installed: pip install 'mailward[postgresql]'") from error
    except (SQLAlchemyError, ArgumentError, OSError) as error:
        raise JournalError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """What is wrong, in one line, without the statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(cause, OSError) and cause.strerror:
        return f"{cause.filename}: {cause.strerror}" if cause.filename else cause.strerror
    lines = str(cause).split("\n")
    return lines[0] or type(cause).__name__
