"""Milliseconds that verifying one DKIM signature takes, beside dkimpy: .venv/bin/python -m tests.bench.bench_dkim

RSA-2048, relaxed/relaxed, the key cached; CPU time, the best of several runs.
"""

import asyncio
import random
import time
from collections.abc import Callable

import dkim

from gateway.checks.dkim import DkimCheck, DkimSettings
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of, wire
from tests.support.signing import rsa_key, signed

SIZES = {"4 KB": 4_000, "100 KB": 100_000, "10 MB": 10_000_000}
ROUNDS = 5
HEADER = wire(
    "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: A  letter\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
)


def main() -> None:
    print(f"{'body':>8} {'ours':>10} {'dkimpy':>10}")
    for name, size in SIZES.items():
        octets = signed(letter(size), rsa_key())
        repeats = max(2_000_000 // size, 1)
        print(f"{name:>8} {_ours(octets, repeats):10.3f} {_dkimpys(octets, max(repeats // 10, 1)):10.3f}")


def letter(size: int) -> bytes:
    pick = random.Random(1)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(2000)]
    lines = bytearray()
    while len(lines) < size:
        lines += " ".join(pick.choices(words, k=12)).encode() + b"\r\n"
    return HEADER + b"\r\n" + bytes(lines)


def _ours(octets: bytes, repeats: int) -> float:
    table = {("s1._domainkey.example.org", "TXT"): [rsa_key().record]}
    check = DkimCheck(DkimSettings(), resolver=TableResolver(table, warm=True), clock=time.time)
    subject = subject_of(octets)

    async def verify() -> None:
        for _ in range(repeats):
            result = await check(subject)
            assert result.result == "pass", result

    return best(lambda: asyncio.run(verify()), repeats)


def _dkimpys(octets: bytes, repeats: int) -> float:
    def verify() -> None:
        for _ in range(repeats):
            assert dkim.verify(octets, dnsfunc=lambda name, timeout=5: rsa_key().record)

    return best(verify, repeats)


def best(work: Callable[[], None], repeats: int) -> float:
    """Milliseconds of CPU for one of the `repeats` that `work` does."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) / repeats * 1e3


if __name__ == "__main__":
    main()
