"""What the journal costs: a worker for a message (to make the entry and to hand it over), the journal's process for a
row, a reader for one; and the octets that a row takes. An ordinary signed message, shipped rules.
"""

import asyncio
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import uvloop
from msgspec.structs import replace

from gateway.config import Settings
from gateway.inspection import Case, Inspection, Inspector
from gateway.journal.dmarc import evidence
from gateway.journal.feed import Feed, pair
from gateway.journal.frame import MAX_FRAME
from gateway.journal.glossary import Glossary
from gateway.journal.reader import reading
from gateway.record import Basis, Record
from gateway.recorder import message_record
from gateway.vocabulary import FACTS
from tests.bench.bench_journey import MESSAGE, SETTINGS, ZONE
from tests.bench.measured import Measured
from tests.bench.timing import Effort, Task, alone, alternate, calling
from tests.support.dnstable import TableResolver
from tests.support.journal import STORED, journal_at
from tests.support.signing import rsa_key, signed

CALLS = 2000
BEHIND = 50  # entries at most that wait to be taken
BATCH = 500  # rows
ROWS = 20_000


async def inspected() -> Inspection:
    zone = ZONE | {("s1._domainkey.example.org", "TXT"): [rsa_key().record]}
    resolver = TableResolver(zone, warm=True)
    inspector = Inspector(Settings.model_validate(SETTINGS), resolver=resolver, clock=time.time)
    case = Case.of(
        signed(MESSAGE, rsa_key()),
        ip=IPv4Address("192.0.2.1"),
        helo="client.example.org",
        mail_from="ann@example.org",
        recipients=["bob@example.net"],
    )
    try:
        return await inspector.inspect(case)
    finally:
        inspector.close()


def recorded(found: Inspection) -> Record:
    one = found.examination
    known = {"began": time.time(), "rules_digest": "c87be46badbb", "panic": False}
    return message_record(one.subject, one.answers, one.facts, one.verdict, STORED, steps={"total": 20.0}, **known)


def measure(effort: Effort) -> Iterator[Measured]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(inspected())
        record = recorded(found)
        yield from _worker(effort, runner, found, record)
    with tempfile.TemporaryDirectory(prefix="mailward-journal-") as directory:
        yield from _rows(effort, record, Path(directory))


def _worker(effort: Effort, runner: asyncio.Runner, found: Inspection, record: Record) -> Iterator[Measured]:
    results, facts = found.examination.answers.results, found.examination.facts
    assert record.basis
    settled = record.basis.settled

    def make() -> None:
        Basis(facts=facts, settled=settled, dmarc=evidence(results))

    async def hand_over(times: int) -> None:
        ours, theirs = pair()
        feed = Feed(ours, glossary=Glossary.of(FACTS).digest, limit=100, on_drop=lambda entries: None)
        for number in range(times):
            feed.put(record)
            if number % BEHIND == 0:
                _take_all(theirs)
        assert not feed.waiting
        await feed.close()
        theirs.close()

    times = alternate(effort, make=Task(calling(make), CALLS), hand=Task(lambda n: runner.run(hand_over(n)), CALLS))
    yield Measured(name="journal, a message's basis, in a worker", unit="ms", values=times["make"])
    yield Measured(name="journal, handing it over, and taking it", unit="ms", values=times["hand"])


def _take_all(theirs: socket.socket) -> None:
    with suppress(BlockingIOError):
        while theirs.recv(MAX_FRAME):
            pass


def batches(record: Record, rows: int) -> Iterator[list[Record]]:
    for start in range(0, rows, BATCH):
        yield [replace(record, id=f"m{number}", began=float(number)) for number in range(start, start + BATCH)]


def _rows(effort: Effort, record: Record, directory: Path) -> Iterator[Measured]:
    place, rows = f"sqlite://{directory}/journal.db", effort.calls(ROWS) // BATCH * BATCH
    written = []
    with journal_at(place) as journal:
        for batch in batches(record, rows):
            began = time.process_time()
            assert journal.write(*batch)[0] == len(batch)
            written.append((time.process_time() - began) / BATCH * 1e3)
    octets = (directory / "journal.db").stat().st_size / rows

    def read() -> None:
        with reading(place) as reader:
            assert sum(1 for _ in reader.since(0)) == rows

    spent = tuple(one / rows for one in alone(effort, Task(calling(read), 1)))
    yield Measured(name="journal, a row written", unit="ms", values=tuple(written))
    yield Measured(name="journal, a row read", unit="ms", values=spent)
    yield Measured(name="journal, a row in the file", unit="octets", values=(octets,))
