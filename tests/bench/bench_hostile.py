"""CPU time that hostile input takes, and for how long it keeps others waiting: python -m tests.bench.bench_hostile

First each family at a quarter, a half and all of its size: the exponent with which its time grows (1 is linear), the
longest turn of the event loop at full size, and the limit that tests/hostile/test_linear_time.py holds it to. Then the
longest turn of a whole service's loop while a body of 30 MiB comes in over a socket, is examined and goes on.
"""

import asyncio
import math
import multiprocessing
import socket
import tempfile
from functools import partial
from pathlib import Path

import uvloop

from tests.support.dnsserver import DnsServer
from tests.support.effort import OnLoop, cpu_milliseconds, longest_turn
from tests.support.families import BULK, GROUPS, KEY, Family, hashed
from tests.support.inside import serving

ROUNDS = 3
NOISE = 0.3  # milliseconds; below it an exponent says nothing
LINES = {
    "ordinary lines": b"x" * 70 + b"\r\n",
    "lines of white space": b" \t" * 499 + b"\r\n",
    "empty lines": b"\r\n",
}


def main() -> None:
    for title, families in GROUPS.items():
        print(f"\n| {title} | size | a quarter | a half | all of it | exponent | longest turn | limit |")
        print("|---|---|---|---|---|---|---|---|")
        for family in families:
            print(row(family), flush=True)
    print("\n| 30 MiB through a service | longest turn |\n|---|---|")
    for name, line in LINES.items():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            turns = [runner.run(served(hashed(line * (BULK // len(line))))) for _ in range(ROUNDS)]
        print(f"| {name} | {min(turns):.1f} |", flush=True)


def row(family: Family) -> str:
    times = [best(family, family.full * share // 4) for share in (1, 2, 4)]
    exponent = f"{math.log(times[2] / times[0], 4):.1f}" if times[0] > NOISE else ""
    shown = " | ".join(f"{spent:.1f}" for spent in times)
    return f"| {family.name} | {family.full:,} {family.unit} | {shown} | {exponent} | {turn(family)} | {family.limit} |"


def best(family: Family, size: int) -> float:
    work = family.prepare(size)
    return min(cpu_milliseconds(work) for _ in range(ROUNDS))


def turn(family: Family) -> str:
    work = family.prepare(family.full)
    if not isinstance(work, OnLoop):
        return ""
    return f"{min(asyncio.run(longest_turn(work.begin)) for _ in range(ROUNDS)):.1f}"


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


if __name__ == "__main__":
    main()
