"""The writer on bad days: a database that is locked, full, away or broken costs entries, which are counted, and a
bounded time."""

import contextlib
import logging
import os
import resource
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.journal import database
from gateway.journal.reader import reading
from gateway.journal.retention import Retention
from gateway.journal.writer import FIRST_PAUSE, LONGEST_PAUSE, Dropped
from tests.support.journal import journal_at, numbered, record_of
from tests.support.postgresql import PostgreSql, running_postgresql


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def place(file: Path) -> str:
    return f"sqlite://{file}"


@pytest.fixture(scope="module")
def failing() -> Iterator[PostgreSql]:
    """One that may be stopped."""
    with running_postgresql() as server:
        yield server


@contextmanager
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield holder
    finally:
        holder.close()


def test_a_batch_waits_for_a_database_that_is_locked(place: str, file: Path) -> None:
    with journal_at(place) as journal:
        journal.write(record_of())
    with locked(file) as holder, journal_at(place, patience=60, on_pause=holder.close) as journal:
        assert journal.write(*numbered(2)) == (2, {})
        assert journal.pauses == [FIRST_PAUSE]


def test_a_batch_is_dropped_where_it_is_locked_for_too_long(place: str, file: Path) -> None:
    with journal_at(place) as journal:
        journal.write(record_of())
        with locked(file):
            assert journal.write(*numbered(2)) == (0, {Dropped.DATABASE: 2})
        assert journal.write(record_of(id="after")) == (1, {})
        assert [entry.id for entry in journal.reader.since(0)] == ["m1", "after"]
        assert journal.reader.extent().missing == {"database": 2}


def test_pauses_grow_up_to_a_bound_and_end_where_there_is_no_time_left(tmp_path: Path) -> None:
    with journal_at(f"sqlite://{tmp_path}/missing/journal.db", patience=3600, pauses_at_most=12) as journal:
        assert journal.write(record_of()) == (0, {Dropped.DATABASE: 1})
        assert journal.pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
        assert max(journal.pauses) == LONGEST_PAUSE
        assert len(journal.pauses) == 12


def test_a_full_disk_costs_what_does_not_fit(place: str, file: Path) -> None:
    with journal_at(place) as journal:
        journal.write(record_of())
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 8192, before[1]))
        try:
            assert journal.write(*numbered(200)) == (0, {Dropped.DATABASE: 200})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert journal.write(record_of(id="after")) == (1, {})
        assert [entry.id for entry in journal.reader.since(0)] == ["m1", "after"]


def test_a_file_that_is_no_database_costs_entries_until_it_is_away(place: str, file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)
    with journal_at(place) as journal:
        assert journal.write(record_of()) == (0, {Dropped.DATABASE: 1})
        file.unlink()
        assert journal.write(record_of(id="m2")) == (1, {})


def test_a_schema_that_cannot_be_made_as_a_whole_is_not_made_at_all(place: str, file: Path) -> None:
    """Otherwise it would look like a journal for ever, and be none."""
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE another (x)")
        other.execute("CREATE INDEX messages_id ON another (x)")
        with journal_at(place) as journal:
            assert journal.write(record_of()) == (0, {Dropped.DATABASE: 1})
            assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (2,)
            other.execute("DROP TABLE another")
            assert journal.write(record_of()) == (1, {})


def test_a_directory_that_is_away_is_waited_for(tmp_path: Path) -> None:
    directory = tmp_path / "mounted later"
    with journal_at(f"sqlite://{directory}/journal.db", patience=60, on_pause=directory.mkdir) as journal:
        assert journal.write(record_of()) == (1, {})


def test_a_database_is_for_its_owner_alone(place: str, file: Path) -> None:
    umask = os.umask(0)
    try:
        with journal_at(place) as journal:
            journal.write(record_of())
            modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    finally:
        os.umask(umask)
    assert modes == dict.fromkeys(("journal.db", "journal.db-wal", "journal.db-shm"), 0o600)


def test_whoever_reads_holds_nobody_up(place: str) -> None:
    with journal_at(place) as journal:
        journal.write(*numbered(1100))
        with reading(place) as reader:
            entries = reader.since(0)
            next(entries)
            assert journal.write(record_of(id="m0")) == (1, {})


def test_what_was_removed_is_gone_from_the_file(place: str, file: Path) -> None:
    with journal_at(place) as journal:
        journal.write(*numbered(300, subject="a very personal subject"))
        Retention(journal.database, days=1, clock=lambda: 4e9).remove_all()
    assert b"a very personal subject" not in file.read_bytes()


def test_an_outage_is_told_when_it_begins_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "away"
    with caplog.at_level(logging.WARNING), journal_at(f"sqlite://{directory}/journal.db") as journal:
        for _ in range(3):
            journal.write(record_of())
        directory.mkdir()
        journal.write(record_of())
        journal.write(record_of())
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [
        ("ERROR", f"the journal cannot be written: {directory}/journal.db: No such file or directory"),
        ("WARNING", "the journal is written again"),
    ]


def test_a_server_that_is_away_costs_entries_and_is_found_again(failing: PostgreSql) -> None:
    with journal_at(failing.emptied()) as journal:
        assert journal.write(record_of()) == (1, {})
        failing.stop()
        assert journal.write(*numbered(3)) == (0, {Dropped.DATABASE: 3})
        failing.start()
        assert journal.write(record_of(id="after")) == (1, {})
        assert journal.reader.extent().missing == {"database": 3}


def test_a_server_that_comes_back_in_time_costs_nothing(failing: PostgreSql) -> None:
    with journal_at(failing.emptied(), patience=60, on_pause=failing.start) as journal:
        journal.write(record_of())
        failing.stop()
        assert journal.write(record_of(id="after")) == (1, {})
        assert [entry.id for entry in journal.reader.since(0)] == ["m1", "after"]


def test_without_its_driver_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(database.JournalError, match=r"pip install 'mailward\[postgresql\]'"):
        database.try_to_write("postgresql://127.0.0.1/journal")
