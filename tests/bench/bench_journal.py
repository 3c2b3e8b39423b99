"""What the journal costs: python -m tests.bench.bench_journal [--rows 100000]

CPU time, as the best of several rounds: what a worker spends on a message (to make the entry and to hand it over), what
the journal's process spends on a row, and what a reader spends on one; and the octets that a row takes. An ordinary
signed message, shipped rules.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import uvloop

from gateway.config import Settings
from gateway.inspection import Case, Inspection, Inspector
from gateway.journal.dmarc import evidence
from gateway.journal.feed import Feed, pair
from gateway.journal.frame import MAX_FRAME, encode
from gateway.journal.glossary import Glossary
from gateway.journal.reader import reading
from gateway.record import Basis, Record
from gateway.recorder import message_record
from gateway.vocabulary import FACTS
from tests.bench.bench_journey import MESSAGE, SETTINGS, ZONE
from tests.support.dnstable import TableResolver
from tests.support.journal import STORED, journal_at
from tests.support.signing import rsa_key, signed

ROUNDS = 30
CALLS = 200  # of a round: what fits into the feed without being taken
BATCH = 500  # rows


def best(work: Callable[[], object], after: Callable[[], object] = lambda: None) -> float:
    """Microseconds of one call in the best round; `after` each round something is done that is not counted."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            work()
        rounds.append((time.process_time() - began) / CALLS * 1e6)
        after()
    return min(rounds)


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


async def worker(found: Inspection, record: Record) -> None:
    ours, theirs = pair()
    feed = Feed(ours, glossary=Glossary.of(FACTS).digest, limit=100, on_drop=lambda entries: None)
    results, facts = found.examination.answers.results, found.examination.facts

    def take_all() -> None:
        with suppress(BlockingIOError):
            while theirs.recv(MAX_FRAME):
                pass

    assert record.basis
    settled = record.basis.settled
    basis = best(lambda: Basis(facts=facts, settled=settled, dmarc=evidence(results)))
    encoded = best(lambda: encode(record, "digest"))
    handed = best(lambda: feed.put(record), take_all)
    assert not feed.waiting
    print(f"a worker, for a message: {basis + handed:.1f} us CPU")
    print(f"  the basis {basis:.1f}, the frame of {len(encode(record, 'digest'))} octets {encoded:.1f}, ", end="")
    print(f"handing it over {handed - encoded:.1f}")
    await feed.close()
    theirs.close()


def batches(record: Record, rows: int) -> Iterator[list[Record]]:
    for start in range(0, rows, BATCH):
        yield [replace(record, id=f"m{number}", began=float(number)) for number in range(start, start + BATCH)]


def process(record: Record, rows: int, directory: Path) -> None:
    place = f"sqlite://{directory}/journal.db"
    spent = 0.0
    with journal_at(place) as journal:
        for batch in batches(record, rows):
            began = time.process_time()
            assert journal.write(*batch)[0] == len(batch)
            spent += time.process_time() - began
    octets = (directory / "journal.db").stat().st_size
    print(f"the journal's process, for a row: {spent / rows * 1e6:.0f} us CPU, {octets / rows:,.0f} octets in the file")
    began, cpu = time.perf_counter(), time.process_time()
    with reading(place) as reader:
        assert sum(1 for _ in reader.since(0)) == rows
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    print(f"a reader, for {rows:,} rows: {cpu:.1f} s CPU, {wall:.1f} s in all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    found = uvloop.run(inspected())
    record = recorded(found)
    uvloop.run(worker(found, record))
    with tempfile.TemporaryDirectory(prefix="mailward-journal-") as directory:
        process(record, rows, Path(directory))


if __name__ == "__main__":
    main()
