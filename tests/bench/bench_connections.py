"""What idle connections cost: memory, plain and over TLS, and what the mail of others loses by two thousand of them.

Run: python -m tests.bench.bench_connections
Rounds without and with the idle ones alternate, since the machine's speed varies. Beside the rate stands the CPU time
of the workers, in which the clients and the next hop have no part. The idle ones are in a process of their own.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from gateway.system import descriptors
from tests.support.crowd import bring, crowd_at, stranger
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.sink import counting_sink
from tests.support.wire import Wire

CROWD = 2000
ROUNDS = 5
LETTERS, SENDERS = 400, 8
SETTLE = 3.0  # seconds, until what the loops freed is given back
WORKERS = 2
PLAIN, TLS = "plain", "TLS"


def memory(gateway: RunningGateway) -> float:
    """KiB that the workers have for themselves (PSS)."""
    total = 0
    for pid in gateway.workers():
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total


def cpu(gateway: RunningGateway) -> float:
    """Milliseconds that the workers have run."""
    threads = (task for pid in gateway.workers() for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in threads) / 1e6


async def be_idle(port: int, way: str) -> None:
    """Be the crowd, until nobody wants it any more."""
    async with crowd_at(port) as crowd:
        for first in range(0, CROWD, 100):
            await asyncio.gather(*(crowd.knock(stranger(number)) for number in range(first, first + 100)))
        for guest in crowd.guests:
            await guest.command("EHLO idle.example")
            if way == TLS:
                await guest.start_tls()
                await guest.command("EHLO idle.example")
        print(len(crowd.guests), flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def crowd_of(gateway: RunningGateway, way: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.bench_connections", str(gateway.port), way]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == f"{CROWD}\n"
    try:
        yield
    finally:
        process.communicate()


async def bring_letters(port: int, names: Iterator[str]) -> None:
    for name in names:
        wire = await Wire.connect(port, source="127.0.0.9")
        await wire.reply()
        assert (await bring(wire, name, Random(name))).startswith("250")
        await wire.close()


async def rate(gateway: RunningGateway, title: str) -> tuple[float, float]:
    """Letters a second, and milliseconds of the workers' CPU for each, once caches and clocks are warm."""
    await bring_letters(gateway.port, iter([f"{title}-warm-{number}" for number in range(LETTERS // 4)]))
    names = iter([f"{title}-{number}" for number in range(LETTERS)])
    before, began = cpu(gateway), time.perf_counter()
    await asyncio.gather(*(bring_letters(gateway.port, names) for _ in range(SENDERS)))
    return LETTERS / (time.perf_counter() - began), (cpu(gateway) - before) / LETTERS


async def measure(gateway: RunningGateway) -> None:
    await rate(gateway, "warm")
    for way in (PLAIN, TLS):
        for _ in range(2):  # the second time much that the first had made is used again
            await asyncio.sleep(SETTLE)
            before = memory(gateway)
            with crowd_of(gateway, way):
                await asyncio.sleep(SETTLE)
                print(f"{way:6} {(memory(gateway) - before) / CROWD:6.1f} KiB an idle connection, of {CROWD}")
    alone, crowded = [], []
    for number in range(ROUNDS):
        alone.append(await rate(gateway, f"alone-{number}"))
        with crowd_of(gateway, PLAIN):
            crowded.append(await rate(gateway, f"crowded-{number}"))
    for title, rounds in (("alone", alone), (f"beside {CROWD} idle ones", crowded)):
        rates, costs = zip(*rounds, strict=True)
        low, high = min(rates), max(rates)
        print(
            f"{title:22} {statistics.median(rates):6.0f} letters/s ({low:.0f}-{high:.0f}),"
            f" {statistics.median(costs):.2f} ms CPU a letter ({min(costs):.2f}-{max(costs):.2f})"
        )


def main() -> None:
    descriptors.raise_limit()
    if sys.argv[1:]:
        port, way = sys.argv[1:]
        asyncio.run(be_idle(int(port), way))
    else:
        serve_and_measure()


def serve_and_measure() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        with dns_process(root / "dns", "") as dns, counting_sink(root) as sink:
            more = f'[route.default]\nhosts = ["{sink.endpoint}"]\n\n[session]\nmax_connections = {CROWD + 100}\n'
            with running_gateway(root / "gateway", dns=dns, more=more, workers=WORKERS) as gateway:
                asyncio.run(measure(gateway))


if __name__ == "__main__":
    main()
