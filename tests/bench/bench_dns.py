"""DNS: an answer from the cache, and a question that has to be asked of a server in another process."""

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import uvloop

from gateway.system.dns import DnsResolver, DnsSettings, Status
from tests.bench.measured import Measured, at_most
from tests.bench.timing import Effort, Task, alternate, awaiting, calling
from tests.support.dnsserver import DnsServer
from tests.support.gateway import dns_process

AT_ONCE = 100  # questions, or askers of one
NAMES = [f"n{number}.example" for number in range(AT_ONCE)]
ZONE = "".join(f'{name}. 3600 IN TXT "v=spf1 ip4:198.51.100.0/24 -all"\n' for name in NAMES)


def measure(effort: Effort) -> Iterator[Measured]:
    with (
        tempfile.TemporaryDirectory() as directory,
        dns_process(Path(directory), ZONE) as address,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        yield from _times(effort, runner, address)
        yield from _questions(effort, runner)


def _times(effort: Effort, runner: asyncio.Runner, address: str) -> Iterator[Measured]:
    names = itertools.cycle(NAMES)

    async def begin(**settings: int) -> DnsResolver:
        return DnsResolver(DnsSettings(servers=(address,), **settings))

    resolver, forgetful = runner.run(begin()), runner.run(begin(cache_size=0))

    async def ask() -> None:
        assert (await forgetful.query(next(names), "TXT")).status is Status.OK

    async def ask_many() -> None:
        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))

    runner.run(resolver.query(NAMES[0], "TXT"))
    times = alternate(
        effort,
        peeked=Task(calling(partial(resolver.cached, NAMES[0], "TXT")), 20_000),
        cached=Task(awaiting(runner, partial(resolver.query, NAMES[0], "TXT")), 20_000),
        asked=Task(awaiting(runner, ask), 500),
        together=Task(awaiting(runner, ask_many), 10),
    )
    for one in (resolver, forgetful):
        runner.run(one.close())
    yield Measured(name="DNS, a cached answer, peeked at", unit="ms", values=times["peeked"])
    yield Measured(name="DNS, a cached answer, awaited", unit="ms", values=times["cached"])
    yield Measured(name="DNS, a new question", unit="ms", values=times["asked"], goal=at_most(0.2))
    together = tuple(spent / AT_ONCE for spent in times["together"])
    yield Measured(name=f"DNS, one of {AT_ONCE} new questions at once", unit="ms", values=together)


def _questions(effort: Effort, runner: asyncio.Runner) -> Iterator[Measured]:
    """How often the server is asked what many want to know at once."""

    async def ask() -> int:
        async with DnsServer({("d.example", "A"): ["192.0.2.1"]}) as server:
            resolver = DnsResolver(DnsSettings(servers=(server.address,)))
            await asyncio.gather(*(resolver.query("d.example", "A") for _ in range(AT_ONCE)))
            await resolver.close()
            return len(server.asked)

    asked = tuple(float(runner.run(ask())) for _ in range(effort.rounds))
    yield Measured(name=f"DNS, {AT_ONCE} ask the same at once", unit="questions", values=asked, goal=at_most(1))
