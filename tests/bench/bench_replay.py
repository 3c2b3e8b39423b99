"""What a replay costs: all that `mailward rules replay` does after it was started.

It reads the messages, judges each by the shipped rules and as many more as make the number, and sorts what changes.
Every twentieth message has facts that were cut; nine rules in ten read facts that were recorded.
"""

import heapq
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop
from msgspec.structs import replace

from gateway.cli.rules.comparison import Comparison
from gateway.journal.reader import reading
from gateway.policy.profiles import Profiles
from gateway.policy.replay import Replay
from gateway.policy.rule import RuleSet
from gateway.policy.rules import load
from gateway.policy.shipped import shipped_rules
from gateway.record import Record
from gateway.vocabulary import FACTS
from tests.bench.bench_journal import inspected, recorded
from tests.bench.measured import Measured
from tests.bench.timing import Effort, Task, alone, calling
from tests.support.journal import journal_at
from tests.support.rulefacts import written

BATCH = 500  # rows
MESSAGES, RULES = 20_000, 50
CONDITIONS = (
    'spf.result == "fail" and spam.score >= {n}.5 and not arc.trusted',
    'author.domain in ("a{n}.example", "b{n}.example") and spam.score < 3',
    'under(author.domain, "d{n}.example") and spam.score < 3',
    '"RULE_{n}" in spam.symbols and recipient.count > 3',
    'spam.score > 1 and client.ip in net("10.{n}.0.0/16", "2001:db8:{n}::/48")',
    '"offer {n}" in subject and spam.score < 3',
    'matches(subject, r"(?i)invoice +{n}")',
    "1 <= spam.score <= {n} or len(recipients) > {n}",
    'sender.address == "sender{n}@example.org"',
    'total > 2{n} and "x" in header("X-Never-Recorded")',
)
REJECTING = '[[rule]]\nid = "cut"\nwhy = "x"\nwhen = \'sender.address == "ann7@example.org"\'\nthen = "reject"\n'


def rules(count: int, directory: Path) -> RuleSet:
    """The shipped rules, one that rejects some, and more that add a score."""
    base = len(load([shipped_rules()], FACTS).rules)
    tables = (
        f"[[rule]]\nid = 'r{n}'\nwhy = 'x'\nwhen = '''{condition.format(n=n)}'''\n{effect(condition)}\n"
        for n in range(count - base - 1)
        for condition in [CONDITIONS[n % len(CONDITIONS)]]
    )
    return load([shipped_rules(), written(directory / "rules", REJECTING + "".join(tables))], FACTS)


def effect(condition: str) -> str:
    return "then = 'quarantine'" if "total" in condition else "score = 0.01"


def records(record: Record, count: int) -> Iterator[list[Record]]:
    """With senders of their own."""
    assert record.basis
    for start in range(0, count, BATCH):
        yield [
            replace(
                record,
                id=f"m{number}",
                began=float(number),
                sender=f"ann{number % 5000}@example.org",
                basis=replace(
                    record.basis,
                    facts={
                        **record.basis.facts,
                        "sender.address": f"ann{number % 5000}@example.org",
                        "subject": "x" * (40_000 if number % 20 == 0 else 40),
                    },
                ),
            )
            for number in range(start, min(start + BATCH, count))
        ]


def measure(effort: Effort) -> Iterator[Measured]:
    record, messages = recorded(uvloop.run(inspected())), effort.calls(MESSAGES)
    with tempfile.TemporaryDirectory(prefix="mailward-replay-") as directory:
        judged, place = rules(RULES, Path(directory)), f"sqlite://{directory}/journal.db"
        with journal_at(place) as journal:
            for batch in records(record, messages):
                assert journal.write(*batch)[0] == len(batch)

        def replay() -> None:
            comparison = Comparison(Replay(Profiles(default=judged, named={}, domains={})))
            with reading(place) as reader:
                heapq.nsmallest(1000, comparison.changed(reader.since(0)), key=lambda change: change.place)
            assert comparison.verdicts == messages

        spent = tuple(one / messages for one in alone(effort, Task(calling(replay), 1)))
    yield Measured(name=f"replay by {RULES} rules, a message of {messages:,}", unit="ms", values=spent)
