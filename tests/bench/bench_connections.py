"""What idle connections cost: memory, plain and over TLS, and what the mail of others loses by thousands of them.

Memory is what the workers have for themselves (PSS); the kernel's buffers come on top. Rounds without and with the idle
ones alternate.
"""

import time
from collections.abc import Iterator

from tests.bench import processes
from tests.bench.idlers import PLAIN, TLS, Crowd, crowd_of
from tests.bench.measured import Measured, at_least, at_most, ratios
from tests.bench.ours import gateway_before
from tests.bench.stand import Stand, standing
from tests.bench.timing import Effort
from tests.bench.traffic import Shape, bring
from tests.support.gateway import RunningGateway

CROWDS = (2_000, 10_000)
WORKERS = 2
ROOM = 200  # connections, for the letters
SETTLE = 3.0  # seconds, until what the loops freed is given back
MEMORY = {PLAIN: at_most(20), TLS: at_most(100)}  # KiB of an idle connection, the first time
LOAD = Shape(connections=8, seconds=3.0)


def measure(effort: Effort) -> Iterator[Measured]:
    with standing() as stand:
        for count in map(effort.calls, CROWDS):
            for way in (PLAIN, TLS):  # each of a gateway that has just been started: memory once got is used again
                yield from _crowded(effort, stand, count, way)


def _crowded(effort: Effort, stand: Stand, count: int, way: str) -> Iterator[Measured]:
    root, name = stand.root / f"{count}-{way}", f"{count:,} idle connections, {way}"
    memory: list[float] = []
    rates: dict[str, list[float]] = {"alone": [], "crowded": []}
    crowds: list[Crowd] = []
    with gateway_before(stand.sink, root, dns=stand.dns, workers=WORKERS, connections=count + ROOM) as gateway:
        idle = _memory(gateway)
        _rate(gateway, stand, f"warm-{count}-{way}")
        for number in range(min(effort.rounds, 3) if way == PLAIN else 1):
            rates["alone"].append(_rate(gateway, stand, f"alone-{count}-{way}-{number}"))
            before = _memory(gateway)
            with crowd_of(gateway.port, count, way) as crowd:
                memory.append((_memory(gateway) - before) / count)
                rates["crowded"].append(_rate(gateway, stand, f"crowded-{count}-{way}-{number}"))
            crowds.append(crowd)
    yield Measured(name=f"a worker before {name}", unit="KiB", values=(idle / WORKERS,), goal=at_most(60 * 1024))
    refused = sum(crowd.wanted - crowd.let_in for crowd in crowds)
    if way == PLAIN:
        kept = ratios(rates["crowded"], rates["alone"])
        yield Measured(name=f"{name}: rate of others kept", unit="times", values=kept, goal=at_least(0.9))
    yield Measured(
        name=f"{name}: memory of each, the first time", unit="KiB", values=tuple(memory[:1]), goal=MEMORY[way]
    )
    if memory[1:]:
        yield Measured(name=f"{name}: memory of each, again", unit="KiB", values=tuple(memory[1:]))
    yield Measured(name=f"{name}: refused below the limit", unit="clients", values=(refused,), goal=at_most(0))


def _memory(gateway: RunningGateway) -> float:
    """KiB, once what was freed is given back."""
    time.sleep(SETTLE)
    return processes.pss(gateway.workers())


def _rate(gateway: RunningGateway, stand: Stand, run: str) -> float:
    return bring(gateway.port, stand.corpus, stand.sink, LOAD, run).rate
