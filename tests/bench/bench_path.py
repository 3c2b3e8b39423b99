"""The whole path: signed letters of 2 to 5 KB from a client through the gateway to a next hop, and with no gateway.

All checks, the shipped rules, log and journal are on, DNS is in the cache. `letters/s` is what the machine does with
the generator and the sink on the same cores; CPU is that of all processes of the gateway.
"""

from collections.abc import Iterator, Sequence

from tests.bench.measured import Measured, at_most, ratios
from tests.bench.ours import gateway_before
from tests.bench.series import Point, System, side_by_side
from tests.bench.stand import standing
from tests.bench.timing import Effort
from tests.bench.traffic import Shape

SECONDS = 3.0  # of each load
LOADS = ((1, 1), (10, 1), (50, 1), (200, 1), (50, 20))  # connections, and letters on each
COMPARED = "small, 50 at once"
DIRECT, ONE, TWO = "no gateway", "one worker", "two workers"


def measure(effort: Effort) -> Iterator[Measured]:
    shapes = [Shape(connections=count, each=each, seconds=effort.seconds(SECONDS)) for count, each in LOADS]
    with (
        standing() as stand,
        gateway_before(stand.sink, stand.root / "one", dns=stand.dns, workers=1) as one,
        gateway_before(stand.sink, stand.root / "two", dns=stand.dns, workers=2) as two,
    ):
        systems = [
            System(DIRECT, stand.sink.port),
            System(ONE, one.port, (one.process.pid,)),
            System(TWO, two.port, (two.process.pid,)),
        ]
        points = list(side_by_side(systems, shapes, stand.corpus, stand.sink, effort.rounds))
    yield from _found(points)


def _found(points: Sequence[Point]) -> Iterator[Measured]:
    by_load = {(point.load, point.system): point for point in points}
    for point in points:
        yield Measured(name=f"{point.load}, {point.system}: rate", unit="letters/s", values=point.rate)
        if point.system != DIRECT:
            yield Measured(name=f"{point.load}, {point.system}: CPU", unit="ms a letter", values=point.cpu)
            yield Measured(name=f"{point.load}, {point.system}: slowest of a hundred", unit="ms", values=point.p99)
    alone, direct = by_load["small, 1 at once", ONE], by_load["small, 1 at once", DIRECT]
    added = tuple(our - their for our, their in zip(alone.p50, direct.p50, strict=True))
    yield Measured(name="one at a time: added to the direct median", unit="ms", values=added, goal=at_most(2))
    more = ratios(by_load[COMPARED, TWO].cpu, by_load[COMPARED, ONE].cpu)
    yield Measured(name="two workers: CPU a letter, beside one", unit="times", values=more, goal=at_most(1.08))
    faults = sum(point.lost + point.repeated + sum(point.failures.values()) for point in points)
    yield Measured(name="lost, twice or failed, of all", unit="letters", values=(faults,), goal=at_most(0))
