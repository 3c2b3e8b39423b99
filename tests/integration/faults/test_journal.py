"""A journal that is killed, cannot write or stands still: all mail is answered as ever, and what is not in the journal
is counted."""

import asyncio
import contextlib
import os
import re
import resource
import signal
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from gateway.journal.database import NoJournal
from gateway.journal.reader import reading
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.load import Fates, Load
from tests.support.postgresql import running_postgresql
from tests.support.supervised import is_alive, until

SENDER = "ann@sender.example"
LETTER = b"From: <ann@sender.example>\r\nSubject: a letter\r\n\r\nHello\r\n"
LARGE = LETTER.replace(b"a letter", b"a " * 3000)  # its entry is as large as one may be
LETTERS, KILLS = 300, (60, 150, 240)  # letters; at which of them the journal is killed
UNCOUNTED = 10 * len(KILLS)  # entries at most: of a packet that a process had from the kernel and had not counted yet
HASTY = "interval = 0.05\npatience = 0.05"

_metric_re = re.compile(r'^mailward_journal_(\w+?)_total(?:\{reason="(\w+)"\})? ([0-9.]+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), "") as address:
        yield address


@contextlib.contextmanager
def keeping(root: Path, dns: str, journal: str) -> Iterator[RunningGateway]:
    more = f'[route.default]\nhosts = ["maildir://{root}/mail"]\n'
    with running_gateway(root / "gateway", dns=dns, more=more, journal=journal, workers=2) as gateway:
        until(gateway.journal, "the journal's process")
        yield gateway


def counted(gateway: RunningGateway) -> Counter[str]:
    """The numbers of the journal, by their names and reasons."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.status_port}/metrics", timeout=20) as answer:
        page = answer.read().decode()
    return Counter({f"{name} {reason}".strip(): int(float(value)) for name, reason, value in _metric_re.findall(page)})


def dropped(numbers: Counter[str]) -> int:
    return sum(number for name, number in numbers.items() if name.startswith("dropped"))


def accounted(gateway: RunningGateway) -> int:
    """Entries that are in the journal, and those that are known not to be."""
    numbers = counted(gateway)
    return numbers["rows"] + dropped(numbers)


def file_of(gateway: RunningGateway) -> Path:
    return gateway.root / "journal.db"


def rows(place: str) -> int:
    with contextlib.suppress(NoJournal), reading(place) as reader:
        return reader.extent().rows
    return 0


def send(gateway: RunningGateway, letter: bytes = LETTER) -> None:
    answer = gateway.send(letter, sender=SENDER)
    assert answer.code == 250, answer


@pytest.mark.fault("journal: kill -9 of its process")
def test_a_journal_that_is_killed_under_load(tmp_path: Path, dns: str) -> None:
    with keeping(tmp_path, dns, "interval = 0.2") as gateway:

        async def main() -> Fates:
            load = Load(gateway.port, letters=LETTERS, random=Random(7))
            killing = asyncio.ensure_future(kill_at_times(gateway, load))
            fates = await load.run()
            await killing
            return fates

        fates = asyncio.run(main())
        assert len(fates.accepted) == LETTERS, str(fates)
        until(lambda: accounted(gateway) >= LETTERS - UNCOUNTED, "each entry to be accounted for")
        numbers = counted(gateway)
        assert set(numbers) <= {"taken", "rows", "dropped killed"}
        assert accounted(gateway) <= LETTERS
        assert numbers["rows"] <= rows(f"sqlite://{file_of(gateway)}") <= LETTERS
        assert len(gateway.records("journal ended")) == len(KILLS)


async def kill_at_times(gateway: RunningGateway, load: Load) -> None:
    for moment in KILLS:
        while load.begun < moment or not gateway.journal():
            await asyncio.sleep(0.005)
        for pid in gateway.journal():
            os.kill(pid, signal.SIGKILL)
            while is_alive(pid):
                await asyncio.sleep(0.005)


@pytest.mark.fault("journal: its database is locked, full or away")
def test_a_database_that_is_locked(tmp_path: Path, dns: str) -> None:
    with keeping(tmp_path, dns, HASTY) as gateway:
        send(gateway)
        until(lambda: counted(gateway)["rows"] == 1, "the first row")
        with contextlib.closing(sqlite3.connect(file_of(gateway), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                send(gateway)
            until(lambda: dropped(counted(gateway)), "what is dropped")
            assert gateway.wait_for_record(event="the journal cannot be written: database is locked")
        send(gateway)
        until(lambda: accounted(gateway) == 5, "each entry to be accounted for")
        assert counted(gateway)["rows"] >= 2
        assert gateway.wait_for_record(event="the journal is written again")


@pytest.mark.fault("journal: its database is locked, full or away")
def test_a_disk_that_is_full(tmp_path: Path, dns: str) -> None:
    with keeping(tmp_path, dns, HASTY) as gateway:
        send(gateway)
        until(lambda: counted(gateway)["rows"] == 1, "the first row")
        [journal] = gateway.journal()
        limits = resource.prlimit(journal, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        for _ in range(3):
            send(gateway)
        until(lambda: counted(gateway)["dropped database"] == 3, "what is dropped")
        resource.prlimit(journal, resource.RLIMIT_FSIZE, limits)
        send(gateway)
        until(lambda: counted(gateway)["rows"] == 2, "the row of what comes after it")
        assert rows(f"sqlite://{file_of(gateway)}") == 2


@pytest.mark.fault("journal: its database is locked, full or away")
def test_a_server_that_is_away(tmp_path: Path, dns: str) -> None:
    with running_postgresql() as server:
        place = server.emptied()
        server.stop()
        with keeping(tmp_path, dns, f'interval = 0.05\nurl = "{place}"') as gateway:
            for _ in range(3):
                send(gateway)
            until(lambda: any("cannot be written" in line["event"] for line in gateway.log()), "the outage to be told")
            server.start()
            until(lambda: counted(gateway)["rows"] == 3, "the rows")
            assert dropped(counted(gateway)) == 0
            assert rows(place) == 3


@pytest.mark.fault("journal: its process stands still")
def test_a_journal_that_stands_still(tmp_path: Path, dns: str) -> None:
    with keeping(tmp_path, dns, "interval = 0.05\nqueue = 2") as gateway:
        [journal] = gateway.journal()
        os.kill(journal, signal.SIGSTOP)
        sent = 0
        while not dropped(counted(gateway)):
            send(gateway, LARGE)
            sent += 1
        os.kill(journal, signal.SIGCONT)
        until(lambda: counted(gateway)["rows"] + counted(gateway)["dropped queue"] == sent, "what had waited")
        send(gateway)
        until(lambda: counted(gateway)["rows"] + counted(gateway)["dropped queue"] == sent + 1, "the last one")
