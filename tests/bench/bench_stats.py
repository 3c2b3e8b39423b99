"""What statistics cost: all that `mailward rules stats` counts after it was started, and the memory that it takes.

The journal and the rules are those of bench_replay; a message in ten has feedback.
"""

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop

from gateway.cli.rules.comparison import recorded as of_entry
from gateway.journal.reader import reading
from gateway.policy.profiles import Profiles
from gateway.policy.replay import Replay
from gateway.tuning.sighting import Known, sighted
from gateway.tuning.statistics import statistics
from gateway.tuning.tally import Tally
from tests.bench.bench_journal import inspected, recorded
from tests.bench.bench_replay import MESSAGES, RULES, records, rules
from tests.bench.measured import Measured
from tests.bench.timing import Effort, Task, alone, calling
from tests.support.journal import journal_at

FEEDBACK = {0: Known.HAM, 5: Known.SPAM}  # by the rest of the number of a message, divided by 20


def measure(effort: Effort) -> Iterator[Measured]:
    record, messages = recorded(uvloop.run(inspected())), effort.calls(MESSAGES)
    with tempfile.TemporaryDirectory(prefix="mailward-stats-") as directory:
        judged, place = rules(RULES, Path(directory)), f"sqlite://{directory}/journal.db"
        with journal_at(place) as journal:
            for batch in records(record, messages):
                assert journal.write(*batch)[0] == len(batch)

        def count() -> None:
            tally, replay = Tally(), Replay(Profiles(default=judged, named={}, domains={}))
            with reading(place) as reader:
                for number, entry in enumerate(reader.since(0)):
                    known = FEEDBACK.get(number % 20, Known.UNKNOWN)
                    tally.add(sighted(entry.id, known, replay.outcome(of_entry(entry))))
            statistics(tally, [judged])
            assert tally.messages == messages

        before = _peak()
        spent = tuple(one / messages for one in alone(effort, Task(calling(count), 1)))
        more = _peak() - before
    yield Measured(name=f"statistics of {RULES} rules, a message of {messages:,}", unit="ms", values=spent)
    yield Measured(name=f"statistics of {messages:,} messages: memory more", unit="MiB", values=(more,))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
