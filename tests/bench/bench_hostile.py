"""CPU time that hostile input takes, and for how long it keeps others waiting.

First each family at its full size, with the limit that tests/hostile/test_linear_time.py holds it to, the exponent with
which its time grows from a quarter of it (1 is linear), and the longest turn of the event loop. Then the longest turn
of a whole service's loop while a body of 30 MiB comes in over a socket, is examined and goes on.
"""

import asyncio
import math
import multiprocessing
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import uvloop

from tests.bench.measured import Measured, at_most
from tests.bench.timing import Effort
from tests.support.dnsserver import DnsServer
from tests.support.effort import OnLoop, cpu_milliseconds, longest_turn
from tests.support.families import BULK, GROUPS, KEY, Family, hashed
from tests.support.inside import serving

NOISE = 0.3  # milliseconds; below it an exponent says nothing
LINES = {
    "ordinary lines": b"x" * 70 + b"\r\n",
    "lines of white space": b" \t" * 499 + b"\r\n",
    "empty lines": b"\r\n",
}


def measure(effort: Effort) -> Iterator[Measured]:
    for family in chain.from_iterable(GROUPS.values()):
        yield from _of_family(family, effort.rounds)
    for name, line in LINES.items():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            turns = [runner.run(served(hashed(line * (BULK // len(line))))) for _ in range(effort.rounds)]
        yield Measured(name=f"30 MiB through a service, {name}: longest turn", unit="ms", values=tuple(turns))


def _of_family(family: Family, rounds: int) -> Iterator[Measured]:
    quarter, full = (_times(family, size, rounds) for size in (family.full // 4, family.full))
    name = f"{family.name}, {family.full:,} {family.unit}"
    yield Measured(name=name, unit="ms", values=full, goal=at_most(family.limit))
    if min(quarter) > NOISE:
        exponent = math.log(min(full) / min(quarter), 4)
        yield Measured(name=f"{name}: growth", unit="exponent", values=(exponent,))
    work = family.prepare(family.full)
    if isinstance(work, OnLoop):
        turns = tuple(asyncio.run(longest_turn(work.begin)) for _ in range(rounds))
        yield Measured(name=f"{name}: longest turn", unit="ms", values=turns)


def _times(family: Family, size: int, rounds: int) -> tuple[float, ...]:
    work = family.prepare(size)
    return tuple(cpu_milliseconds(work) for _ in range(rounds))


async def served(message: bytes) -> float:
    """The longest turn of the loop while a client in another process brings the message."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "message"
        path.write_bytes(message)
        async with DnsServer(KEY) as dns, serving(Path(directory), dns_at=dns.address) as inside:
            client = multiprocessing.get_context("spawn").Process(target=bring, args=(inside.port, path))
            client.start()
            longest = await longest_turn(partial(asyncio.to_thread, client.join))
            assert client.exitcode == 0
            return longest


def bring(port: int, path: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as file:
        for command in (b"HELO mail.sender.example", b"MAIL FROM:<a@sender.example>", b"RCPT TO:<alice@example.org>"):
            file.readline()
            client.sendall(command + b"\r\n")
        file.readline()
        client.sendall(b"DATA\r\n")
        file.readline()
        client.sendall(path.read_bytes() + b"\r\n.\r\n")
        answer = file.readline()
        assert answer.startswith(b"250"), answer
