"""Sealing a message: the first set of a chain, beside dkimpy, whose signatures are made in pure Python."""

import asyncio
from collections.abc import Callable, Iterator

import dkim
import uvloop

from gateway.authres.field import parse
from gateway.checks.arc import ArcResult
from gateway.message import Stamped
from tests.bench.bench_dkim import SIZES, letter
from tests.bench.measured import Measured
from tests.bench.timing import Batch, Effort, Task, alternate, awaiting, calling
from tests.support.mailbytes import message_of
from tests.support.sealing import our_sealer
from tests.support.signing import SigningKey, ed25519_key, rsa_key

RESULTS = (
    b"Authentication-Results: mx.example; spf=pass smtp.mailfrom=example.org; dmarc=pass header.from=example.org\r\n"
)


def measure(effort: Effort) -> Iterator[Measured]:
    for name, size in SIZES.items():
        octets, calls = RESULTS + letter(size), max(2_000_000 // size, 1)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            times = alternate(
                effort,
                rsa=Task(_ours(octets, rsa_key(), runner), calls),
                ed25519=Task(_ours(octets, ed25519_key(), runner), calls),
                dkimpy=Task(calling(_dkimpys(octets)), max(calls // 10, 1)),
            )
        yield Measured(name=f"ARC seal, {name}, RSA-2048", unit="ms", values=times["rsa"])
        yield Measured(name=f"ARC seal, {name}, Ed25519", unit="ms", values=times["ed25519"])
        yield Measured(name=f"ARC seal, {name}, RSA-2048: dkimpy", unit="ms", values=times["dkimpy"])


def _ours(octets: bytes, key: SigningKey, runner: asyncio.Runner) -> Batch:
    message = message_of(octets)
    stamped = Stamped(header=octets[: message.header_size], message=message)
    sealer, found = our_sealer(key), parse(RESULTS)

    async def seal() -> None:
        assert (await sealer.seal(stamped, found, ArcResult())).ours

    return awaiting(runner, seal)


def _dkimpys(octets: bytes) -> Callable[[], None]:
    def seal() -> None:
        assert dkim.arc_sign(octets, b"s1", b"mx.example", rsa_key().private, b"mx.example")

    return seal
