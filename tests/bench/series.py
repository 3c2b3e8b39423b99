"""Mail systems side by side: each is brought the same letters in the same ways, in turn, round after round."""

import itertools
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.bench import processes
from tests.bench.corpus import Corpus
from tests.bench.traffic import Run, Shape, Sink, bring

WARM = Shape(connections=10, seconds=20.0, letters=400)  # fills caches, and starts what a system starts on demand


@dataclass(frozen=True, slots=True)
class System:
    """What listens on a port of 127.0.0.1, and its processes, each with all that descends from it."""

    name: str
    port: int
    processes: tuple[int, ...] = ()

    def tree(self) -> Iterator[int]:
        return itertools.chain.from_iterable(map(processes.tree, self.processes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One system under one load; a value for each round."""

    system: str
    kind: str
    connections: int
    each: int
    rate: tuple[float, ...]  # letters a second
    cpu: tuple[float, ...]  # milliseconds a letter, of all its processes
    p50: tuple[float, ...]  # milliseconds from the connection to the answer
    p99: tuple[float, ...]
    lost: int
    repeated: int
    failures: dict[str, int]
    passed: dict[str, float]

    @property
    def load(self) -> str:
        each = "" if self.each == 1 else f", {self.each} each"
        return f"{self.kind}, {self.connections} at once{each}"


@dataclass(frozen=True, slots=True)
class _Round:
    run: Run
    cpu: float


def side_by_side(
    systems: Sequence[System], shapes: Sequence[Shape], corpus: Corpus, sink: Sink, rounds: int
) -> Iterator[Point]:
    """The points of each shape as soon as it is done, in the order of the systems."""
    numbers = itertools.count()
    for system, shape in itertools.product(systems, [WARM, replace(WARM, kind=shapes[-1].kind, letters=4)]):
        bring(system.port, corpus, sink, shape, f"w{next(numbers)}")
    for shape in shapes:
        done: dict[str, list[_Round]] = {system.name: [] for system in systems}
        for _, system in itertools.product(range(rounds), systems):
            before = processes.cpu(system.tree())
            run = bring(system.port, corpus, sink, shape, f"r{next(numbers)}")
            spent = processes.cpu(system.tree()) - before
            done[system.name].append(_Round(run, spent / max(run.accepted, 1)))
        for system in systems:
            yield _point(system, shape, done[system.name])


def _point(system: System, shape: Shape, rounds: Sequence[_Round]) -> Point:
    runs = [one.run for one in rounds]
    return Point(
        system=system.name,
        kind=shape.kind,
        connections=shape.connections,
        each=shape.each,
        rate=tuple(run.rate for run in runs),
        cpu=tuple(one.cpu for one in rounds),
        p50=tuple(run.percentile(0.5) for run in runs),
        p99=tuple(run.percentile(0.99) for run in runs),
        lost=sum(run.lost for run in runs),
        repeated=sum(run.repeated for run in runs),
        failures=dict(sum((run.failures for run in runs), Counter())),
        passed={name: statistics.mean(run.passed[name] for run in runs) for name in ("spf", "dkim", "dmarc")},
    )
