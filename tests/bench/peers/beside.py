"""The gateway and its peers, all started, brought the same loads, and compared."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measured import Measured, at_least, at_most, ratios
from tests.bench.ours import gateway_before
from tests.bench.peers.peer import Peer, Place
from tests.bench.series import Point, System
from tests.bench.traffic import Shape, Sink

CPU = {load: at_most(0.9) for load in ("small, 50 at once", "small, 200 at once", "small, 50 at once, 20 each")}
"""Milliseconds a letter, of all our processes."""
OURS, DIRECT = "Mailward", "no gateway"
ADDED = at_most(2)  # milliseconds
RATES = {  # of ours as a multiple of theirs
    ("small, 50 at once", "Haraka"): at_least(4),
    ("small, 50 at once", "Postfix, rspamd"): at_least(3.5),
    ("small, 50 at once", "Postfix"): at_least(2),
    ("small, 200 at once", "Haraka"): at_least(4),
    ("small, 200 at once", "Postfix, rspamd"): at_least(3.5),
    ("small, 200 at once", "Postfix"): at_least(2),
    ("small, 50 at once, 20 each", "Haraka"): at_least(5),
    ("small, 50 at once, 20 each", "Postfix, rspamd"): at_least(5),
    ("large, 10 at once", "Haraka"): at_least(3),
    ("huge, 2 at once", "Haraka"): at_least(3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What every system is given: a sink behind it, a resolver, a directory, and how many processes it should have."""

    root: Path
    behind: Sink
    dns: str
    workers: int


def loads(connections: Sequence[int], seconds: float) -> list[Shape]:
    return [
        *(Shape(connections=count, seconds=seconds) for count in connections),
        Shape(connections=50, each=20, seconds=seconds),
        Shape(kind="large", connections=10, seconds=seconds),
        Shape(kind="huge", connections=2, seconds=seconds),
    ]


@contextlib.contextmanager
def all_started(stand: Stand, peers: Sequence[Peer]) -> Iterator[list[System]]:
    """Running until the end of the block."""
    with contextlib.ExitStack() as stack:
        ours = gateway_before(stand.behind, stand.root / "ours", dns=stand.dns, workers=stand.workers)
        gateway = stack.enter_context(ours)
        systems = [System(DIRECT, stand.behind.port), System(OURS, gateway.port, (gateway.process.pid,))]
        for number, peer in enumerate(peers):
            directory = stand.root / f"peer{number}"
            directory.mkdir()
            directory.chmod(0o755)
            place = Place(directory=directory, next_hop=stand.behind.port, workers=stand.workers)
            running = stack.enter_context(peer.run(place))
            systems.append(System(peer.name, running.port, running.processes))
        yield systems


def compared(points: Sequence[Point]) -> Iterator[Measured]:
    """Our rate as a multiple of each peer's, round by round, and what a goal is set for besides."""
    by_load = {(point.load, point.system): point for point in points}
    for (load, system), theirs in by_load.items():
        ours = by_load[load, OURS]
        if system == DIRECT and theirs.connections == 1:
            added = tuple(our - their for our, their in zip(ours.p50, theirs.p50, strict=True))
            yield Measured(name=f"{load}: added to the direct median", unit="ms", values=added, goal=ADDED)
        elif system == OURS:
            faults = ours.lost + ours.repeated + sum(ours.failures.values())
            yield Measured(name=f"{load}: CPU", unit="ms a letter", values=ours.cpu, goal=CPU.get(load))
            yield Measured(name=f"{load}: lost, twice or failed", unit="letters", values=(faults,), goal=at_most(0))
        elif system != DIRECT and all(theirs.rate):
            values = ratios(ours.rate, theirs.rate)
            yield Measured(
                name=f"{load}: rate beside {system}", unit="times", values=values, goal=RATES.get((load, system))
            )
