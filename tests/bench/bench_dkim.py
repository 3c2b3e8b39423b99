"""One DKIM signature, relaxed/relaxed, RSA-2048, its key in the cache: ours, dkimpy's, and what OpenSSL takes of it."""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Iterator

import dkim
import uvloop
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.checks.dkim import DkimCheck, DkimSettings
from tests.bench.measured import Measured, at_most
from tests.bench.timing import Batch, Effort, Task, alternate, awaiting, calling
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of, wire
from tests.support.signing import rsa_key, signed

SIZES = {"4 KB": 4_000, "100 KB": 100_000, "10 MB": 10_000_000}
GOALS = {"4 KB": at_most(0.15), "10 MB": at_most(60)}  # milliseconds
HEADER = wire(
    "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: A  letter\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
)


def measure(effort: Effort) -> Iterator[Measured]:
    for name, size in SIZES.items():
        octets, calls = signed(letter(size), rsa_key()), max(4_000_000 // size, 1)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            times = alternate(
                effort,
                ours=Task(_ours(octets, runner), calls),
                openssl=Task(calling(_openssl(size)), calls),
                dkimpy=Task(calling(_dkimpys(octets)), max(calls // 10, 1)),
            )
        yield Measured(name=f"DKIM, {name}", unit="ms", values=times["ours"], goal=GOALS.get(name))
        yield Measured(name=f"DKIM, {name}: OpenSSL alone", unit="ms", values=times["openssl"])
        yield Measured(name=f"DKIM, {name}: dkimpy", unit="ms", values=times["dkimpy"])


def letter(size: int) -> bytes:
    pick = random.Random(1)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(2000)]
    lines = bytearray()
    while len(lines) < size:
        lines += " ".join(pick.choices(words, k=12)).encode() + b"\r\n"
    return HEADER + b"\r\n" + bytes(lines)


def _ours(octets: bytes, runner: asyncio.Runner) -> Batch:
    table = {("s1._domainkey.example.org", "TXT"): [rsa_key().record]}
    check = DkimCheck(DkimSettings(), resolver=TableResolver(table, warm=True), clock=time.time)
    subject = subject_of(octets)

    async def verify() -> None:
        result = await check(subject)
        assert result.result == "pass", result

    return awaiting(runner, verify)


def _openssl(size: int) -> Callable[[], None]:
    """A hash of so many octets, and one signature."""
    private, body = generate_private_key(65537, 2048), bytes(size)
    signature, public = private.sign(HEADER, PKCS1v15(), SHA256()), private.public_key()

    def verify() -> None:
        hashlib.sha256(body).digest()
        public.verify(signature, HEADER, PKCS1v15(), SHA256())

    return verify


def _dkimpys(octets: bytes) -> Callable[[], None]:
    def verify() -> None:
        assert dkim.verify(octets, dnsfunc=lambda name, timeout=5: rsa_key().record)

    return verify
