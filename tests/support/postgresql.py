"""A real PostgreSQL in a directory of its own, at a Unix socket there, as a user that is not root."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

OWNERS = ("postgres", "nobody")  # who runs it where the tests are root's
PORT = 5432  # a name in the directory of the socket, and no port of the host
START = 60  # seconds


def programs() -> Path | None:
    """Where initdb and pg_ctl are; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@dataclass
class PostgreSql:
    directory: Path
    bin: Path

    def emptied(self) -> str:
        """The URL of its database, in which there is nothing any more."""
        with psycopg.connect(f"host={self.directory} user=mailward dbname=postgres", autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return f"postgresql://mailward@/postgres?host={self.directory}"

    def start(self) -> None:
        options = f"-k {self.directory} -c listen_addresses='' -c fsync=off -c max_connections=20"
        log = str(self.directory / "log")
        self._run(
            "pg_ctl", "-D", str(self.directory / "data"), "-w", "-t", str(START), "-l", log, "-o", options, "start"
        )

    def stop(self) -> None:
        """As a crash does it."""
        self._run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-m", "immediate", "stop")

    def make(self) -> None:
        data = str(self.directory / "data")
        self._run("initdb", "-D", data, "-U", "mailward", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.bin / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=START,
            cwd=self.directory,
            check=False,
            **_as_somebody(),
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgreSql]:
    """Until the end of the block. A test is skipped where it is not installed, and fails where CI is set."""
    found = programs()
    if found is None:
        message = "PostgreSQL is not installed: the journal is tried on SQLite alone"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="mailward-pg-") as name:  # short: the path of a socket has 107 octets
        server = PostgreSql(Path(name), found)
        if user := _as_somebody().get("user"):
            shutil.chown(name, user)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """One for a whole run."""
    with running_postgresql() as server:
        yield server


def _as_somebody() -> dict[str, str]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": next(owner for owner in OWNERS if owner in known)}
