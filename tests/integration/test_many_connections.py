"""Two thousand clients that are idle or slow, and the mail of all others goes on."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from gateway.system import descriptors
from tests.support.crowd import Crowd, bring, crowd_at, stranger
from tests.support.gateway import dns_process, running_gateway
from tests.support.sink import counting_sink
from tests.support.wire import Wire

IDLE, SLOW = 1500, 500
LETTERS, SENDERS = 200, 8
LONG = 240.0  # seconds for all of it, on a busy machine
PAUSE = 0.5  # seconds between two octets of a slow client


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors.raise_limit() < IDLE + SLOW + 500:
        pytest.skip("this process may not open so many files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def drip(guest: Wire, chance: Random) -> None:
    """A message of which an octet comes from time to time; it has no end."""
    await guest.send(b"EHLO slow.example\r\nMAIL FROM:<ann@sender.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
    assert [(await guest.reply())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
    while True:
        await guest.send(b"x")
        await asyncio.sleep(PAUSE * (1 + chance.random()))


async def gather_crowd(crowd: Crowd) -> None:
    for first in range(0, IDLE + SLOW, 100):
        told = await asyncio.gather(*(crowd.knock(stranger(number)) for number in range(first, first + 100)))
        assert {answer[:3] for answer in told} == {"220"}
    for guest in crowd.guests[: IDLE // 2]:  # the others say nothing at all
        assert (await guest.command("EHLO idle.example")).startswith("250")


async def bring_letters(port: int, names: Iterator[str]) -> list[str]:
    """Bring letters, each on a connection of its own; what was told for each."""
    told = []
    for name in names:
        wire = await Wire.connect(port, source="127.0.0.9", patience=LONG)
        assert (await wire.reply()).startswith("220")
        told.append(await bring(wire, name, Random(name)))
        await wire.close()
    return told


@pytest.mark.usefixtures("many_descriptors")
async def test_mail_goes_on_while_two_thousand_clients_are_idle_or_slow(tmp_path: Path) -> None:
    names = iter([f"l-{number}" for number in range(LETTERS)])
    with (
        dns_process(tmp_path / "dns", "") as dns,
        counting_sink(tmp_path) as sink,
        running_gateway(
            tmp_path / "gateway",
            dns=dns,
            more=f'[route.default]\nhosts = ["{sink.endpoint}"]\n\n[session]\nmax_connections = 2100\n',
            workers=2,
        ) as gateway,
    ):
        async with asyncio.timeout(LONG), crowd_at(gateway.port) as crowd:
            await gather_crowd(crowd)
            dripping = [asyncio.create_task(drip(guest, Random(n))) for n, guest in enumerate(crowd.guests[IDLE:])]
            told = await asyncio.gather(*(bring_letters(gateway.port, names) for _ in range(SENDERS)))
            assert not any(task.done() for task in dripping)
            for task in dripping:
                task.cancel()
            for guest in crowd.guests[: IDLE // 2]:
                assert (await guest.command("NOOP")).startswith("250 ")
        assert [answer[:3] for answers in told for answer in answers] == ["250"] * LETTERS
        log = (gateway.root / "log").read_text()
    assert sink.taken() == {f"l-{number}": 1 for number in range(LETTERS)}
    assert "Traceback" not in log
