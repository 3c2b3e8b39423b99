"""Milliseconds that sealing one message takes, beside dkimpy: .venv/bin/python -m tests.bench.bench_arc

The first set of a chain, RSA-2048; CPU time, the best of several runs. dkimpy's signatures are made in pure Python.
"""

import asyncio
from collections.abc import Callable

import dkim

from gateway.authres.field import parse
from gateway.checks.arc import ArcResult
from gateway.message import Stamped
from tests.bench.bench_dkim import SIZES, best, letter
from tests.support.mailbytes import message_of
from tests.support.sealing import our_sealer
from tests.support.signing import SigningKey, ed25519_key, rsa_key

RESULTS = (
    b"Authentication-Results: mx.example; spf=pass smtp.mailfrom=example.org; dmarc=pass header.from=example.org\r\n"
)


def main() -> None:
    print(f"{'body':>8} {'ours':>10} {'Ed25519':>10} {'dkimpy':>10}")
    for name, size in SIZES.items():
        octets = RESULTS + letter(size)
        repeats = max(2_000_000 // size, 1)
        ours, small = (best(_ours(octets, repeats, key), repeats) for key in (rsa_key(), ed25519_key()))
        few = max(repeats // 10, 1)
        print(f"{name:>8} {ours:10.3f} {small:10.3f} {best(_dkimpys(octets, few), few):10.3f}")


def _ours(octets: bytes, repeats: int, key: SigningKey) -> Callable[[], None]:
    message = message_of(octets)
    stamped = Stamped(header=octets[: message.header_size], message=message)
    sealer, found = our_sealer(key), parse(RESULTS)

    async def seal() -> None:
        for _ in range(repeats):
            assert (await sealer.seal(stamped, found, ArcResult())).ours

    return lambda: asyncio.run(seal())


def _dkimpys(octets: bytes, repeats: int) -> Callable[[], None]:
    def seal() -> None:
        for _ in range(repeats):
            assert dkim.arc_sign(octets, b"s1", b"mx.example", rsa_key().private, b"mx.example")

    return seal


if __name__ == "__main__":
    main()
