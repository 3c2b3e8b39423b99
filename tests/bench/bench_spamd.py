"""The whole path with a real spamd behind, and the same spamd asked for such letters by nobody else, in turn.

More letters wait than spamd has children. The cores are spamd's: a letter takes it a hundred milliseconds, and what the
gateway, the generator and the sink need of them is missing there.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.scoring.payload import make_payload
from gateway.scoring.spamc import Score
from tests.bench import processes
from tests.bench.measured import Measured, at_least, at_most, ratios
from tests.bench.ours import gateway_before
from tests.bench.stand import Stand, standing
from tests.bench.timing import Effort
from tests.bench.traffic import Shape, bring
from tests.support.copies import copy_of
from tests.support.spamd import RunningSpamd, running_spamd

CHILDREN = 2
LETTERS = 80  # a round
CONNECTIONS = 10
PATIENCE = 600.0  # seconds
SETTINGS = 'hosts = [{{ address = "{address}", concurrency = {children} }}]'


def measure(effort: Effort) -> Iterator[Measured]:
    count = effort.calls(LETTERS)
    shape = Shape(connections=CONNECTIONS, seconds=PATIENCE, letters=count)
    alone: list[float] = []
    behind: list[float] = []
    spent: list[float] = []
    lost = 0
    with standing() as stand, running_spamd(children=CHILDREN) as spamd:
        settings = SETTINGS.format(address=spamd.address, children=CHILDREN)
        letters = _letters(stand, count)
        with gateway_before(stand.sink, stand.root / "gateway", dns=stand.dns, workers=1, spamd=settings) as gateway:
            for number in range(effort.rounds + 1):
                alone.append(count / asyncio.run(_asked(spamd, letters)))
                before = processes.cpu(processes.tree(gateway.process.pid))
                run = bring(gateway.port, stand.corpus, stand.sink, shape, f"s{number}")
                spent.append((processes.cpu(processes.tree(gateway.process.pid)) - before) / count)
                behind.append(run.rate)
                lost += count - run.accepted + run.lost
    rates = ratios(behind[1:], alone[1:])  # the first round warms
    yield Measured(name="spamd asked by nobody else: rate", unit="letters/s", values=tuple(alone[1:]))
    yield Measured(name="spamd behind: rate", unit="letters/s", values=tuple(behind[1:]))
    yield Measured(name="spamd behind: rate, beside that of spamd", unit="times", values=rates, goal=at_least(0.95))
    yield Measured(name="spamd behind: our CPU", unit="ms a letter", values=tuple(spent[1:]), goal=at_most(2))
    yield Measured(name="spamd behind: lost or failed", unit="letters", values=(lost,), goal=at_most(0))


def _letters(stand: Stand, count: int) -> Sequence[bytes]:
    paths = [line.split()[0] for line in stand.corpus.index("small").read_text().splitlines()]
    return [Path(path).read_bytes() for path in itertools.islice(itertools.cycle(paths), count)]


async def _asked(spamd: RunningSpamd, letters: Sequence[bytes]) -> float:
    """The seconds in which spamd scores the letters, each child always with one at hand."""
    left = iter(letters)

    async def ask() -> None:
        for octets in left:
            subject = copy_of(octets)
            assert subject.copy
            payload = make_payload(subject.copy, subject.envelope.sender, max_size=len(octets) * 2)
            assert isinstance(await spamd.client.score(payload), Score)

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(CHILDREN)))
    return time.perf_counter() - began
