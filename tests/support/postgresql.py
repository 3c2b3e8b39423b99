"""A real PostgreSQL in a directory of its own, at a Unix socket there, as a user that is not root."""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

OWNERS = ("postgres", "nobody")  # who runs it where the tests are root's
START = 60  # seconds
PR_SET_PDEATHSIG = 1


def programs() -> Path | None:
    """Where initdb and postgres are; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@dataclass
class PostgreSql:
    directory: Path
    bin: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def emptied(self) -> str:
        """The URL of its database, in which there is nothing any more."""
        with self._connected() as connection:
            connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return f"postgresql://mailward@/postgres?host={self.directory}"

    def start(self) -> None:
        """It ends with the process that runs the tests, however that ends."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.directory}", "fsync=off", "max_connections=20")
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", "data", *(word for one in settings for word in ("-c", one))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                preexec_fn=_end_with_parent,
                **_as_somebody(),
            )
        deadline = time.monotonic() + START
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it did not start:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """As a crash does it."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(START)

    def make(self) -> None:
        options = ("-U", "mailward", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
        done = subprocess.run(
            [self.bin / "initdb", "-D", "data", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START,
            cwd=self.directory,
            check=False,
            **_as_somebody(),
        )
        assert done.returncode == 0, done.stderr

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(f"host={self.directory} user=mailward dbname=postgres", autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True


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


def _as_somebody() -> dict[str, Any]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": next(owner for owner in OWNERS if owner in known)}


def _end_with_parent() -> None:
    """prctl(2): the kernel sends this signal where the parent ends without having done so."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
