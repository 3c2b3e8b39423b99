"""The limits of the host, in the gateway as it runs: they hold for two workers together, come back from one that was
killed, and what was accepted under them is finished."""

import asyncio
import os
import re
import resource
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.crowd import Crowd, bring, crowd_at, held_by, stranger
from tests.support.downstream import Downstream
from tests.support.fakespamd import FakeSpamd, replying, scored
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.sink import Sink, counting_sink
from tests.support.waiting import PATIENCE
from tests.support.wire import Wire

OURS = "127.0.0.1"
LONG = 60.0  # seconds in which a crowd of clients must be done


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), "") as address:
        yield address


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with counting_sink(tmp_path, pause=0.02) as sink:
        yield sink


def limited(tmp_path: Path, dns: str, sink: Sink, *, session: str, limits: str = "") -> Any:
    more = f'[route.default]\nhosts = ["{sink.endpoint}"]\n\n[session]\n{session}\n\n[limits]\n{limits}\n'
    return running_gateway(tmp_path / "gateway", dns=dns, more=more, workers=2)


async def until(condition: Any) -> None:
    async with asyncio.timeout(4 * PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


def page(gateway: RunningGateway) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.status_port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def in_use(gateway: RunningGateway, what: str) -> int:
    match = re.search(rf'^mailward_in_use{{what="{what}"}} (\d+)', page(gateway), re.MULTILINE)
    assert match
    return int(match[1])


async def is_full(crowd: Crowd) -> bool:
    """Nobody else is let in, however often he comes."""
    told = [await crowd.knock(stranger(900 + n)) for n in range(10)]
    return all(answer.startswith("421 4.3.2 Too many connections") for answer in told)


async def test_two_workers_admit_as_many_clients_as_the_limit_says(tmp_path: Path, dns: str, sink: Sink) -> None:
    with limited(tmp_path, dns, sink, session="max_connections = 8") as gateway:
        async with crowd_at(gateway.port) as crowd:
            told = await asyncio.gather(*(crowd.knock(stranger(n)) for n in range(40)))
            assert {answer[:9].rstrip() for answer in told} <= {"220 mx.ex", "421 4.3.2"}
            assert len(crowd.guests) <= 8
            await crowd.fill(8, first=100)
            assert await is_full(crowd)
            assert in_use(gateway, "connections") == 8
            assert (await crowd.knock(OURS)).startswith("220 ")
            await crowd.leave(crowd.guests[0])
            await crowd.leave(crowd.guests[0])
            await until(lambda: in_use(gateway, "connections") == 7)
            await crowd.fill(8, first=200)
            assert await is_full(crowd)
        assert re.search(r'mailward_turned_away_total{limit="connections"} \d\d', page(gateway))


async def test_connections_of_a_killed_worker_are_free_again_and_those_of_the_other_still_count(
    tmp_path: Path, dns: str, sink: Sink
) -> None:
    with limited(tmp_path, dns, sink, session="max_connections = 8") as gateway:
        async with crowd_at(gateway.port) as crowd:
            await crowd.fill(8)
            victim = max(gateway.workers(), key=lambda pid: held_by(pid, gateway.port))
            left = 8 - held_by(victim, gateway.port)
            os.kill(victim, signal.SIGKILL)
            await until(lambda: in_use(gateway, "connections") == left)
            gone = [guest for guest in crowd.guests if await has_ended(guest)]
            assert len(gone) == 8 - left > 0
            for guest in gone:
                await crowd.leave(guest)
            await crowd.fill(8, first=100)
            assert await is_full(crowd)


async def has_ended(guest: Wire) -> bool:
    try:
        async with asyncio.timeout(0.5):
            return await guest.octets() == b""
    except TimeoutError:
        return False


async def test_connections_of_one_address_and_of_one_network_are_limited(tmp_path: Path, dns: str, sink: Sink) -> None:
    limits = "max_connections_per_address = 2\nmax_connections_per_prefix = 3"
    with limited(tmp_path, dns, sink, session=limits) as gateway:
        async with crowd_at(gateway.port) as crowd:
            told = [(await crowd.knock("127.0.9.1"))[:9] for _ in range(4)]
            assert told == ["220 mx.ex"] * 2 + ["421 4.7.0"] * 2
            told = [(await crowd.knock(address))[:9] for address in ("127.0.9.2", "127.0.9.3", "127.0.8.1")]
            assert told == ["220 mx.ex", "421 4.7.0", "220 mx.ex"]
            told = [(await crowd.knock(OURS))[:9] for _ in range(6)]
            assert told == ["220 mx.ex"] * 6


async def test_limit_holds_over_one_reload_after_the_other(tmp_path: Path, dns: str, sink: Sink) -> None:
    """Sessions with a transaction stay in the old workers, and go on to count."""
    with limited(tmp_path, dns, sink, session="max_connections = 4") as gateway:
        async with crowd_at(gateway.port) as crowd:
            await crowd.fill(4)
            for guest in crowd.guests:
                await guest.send(
                    b"EHLO x.example\r\nMAIL FROM:<ann@sender.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"
                )
                assert [(await guest.reply())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
            for reloads in range(1, 4):
                gateway.process.send_signal(signal.SIGHUP)
                await until(lambda: len(gateway.records("reload")) == reloads)  # noqa: B023
                assert in_use(gateway, "connections") == 4
                assert await is_full(crowd)
            assert all(line["outcome"] == "done" for line in gateway.records("reload"))
            guest = crowd.guests[0]
            assert (await guest.command("Subject: x\r\n\r\nHello.\r\n.")).startswith("250 ")
            await crowd.leave(guest)
            await until(lambda: in_use(gateway, "connections") == 3)
            await crowd.fill(4, first=100)
            assert await is_full(crowd)


@pytest.mark.fault("more clients and messages than there is room for")
async def test_what_is_accepted_under_overload_is_delivered_once_and_all_else_is_told_to_come_again(
    tmp_path: Path, dns: str, sink: Sink
) -> None:
    session = "max_connections = 30\nmax_connections_per_address = 2"
    limits = "messages = 3\nwaiting = 0\nmemory = 1_048_576\nspool_memory = 65_536"
    fates: dict[str, str] = {}

    async def insist(number: int) -> None:
        """Three letters, each brought once, on a connection of its own."""
        random = Random(number)
        for name in (f"l-{number}-{turn}" for turn in range(3)):
            wire = await Wire.connect(gateway.port, source=stranger(number // 3), patience=LONG)
            fates[name] = await wire.reply()
            if fates[name].startswith("220"):
                fates[name] = await bring(wire, name, random)
            await wire.close()

    with limited(tmp_path, dns, sink, session=session, limits=limits) as gateway:
        async with asyncio.timeout(LONG):
            await asyncio.gather(*(insist(number) for number in range(90)))
        accepted = {name for name, told in fates.items() if told.startswith("250")}
        refused = {told[:9] for name, told in fates.items() if name not in accepted}
        await until(
            lambda: in_use(gateway, "connections") == in_use(gateway, "messages") == in_use(gateway, "memory") == 0
        )
        assert gateway.stop() == 0
        errors = [line for line in gateway.log() if line["level"] in ("error", "critical")]
        log = (gateway.root / "log").read_text()
    assert sink.taken() == dict.fromkeys(accepted, 1)
    assert accepted
    assert refused >= {"452 4.3.1", "421 4.7.0"}
    assert refused <= {"452 4.3.1", "421 4.7.0", "421 4.3.2"}
    assert errors == []
    assert "Traceback" not in log


@pytest.mark.fault("out of file descriptors")
async def test_workers_without_descriptors_serve_everyone_in_the_end(tmp_path: Path, dns: str, sink: Sink) -> None:
    fates: dict[str, str] = {}

    async def come(number: int) -> None:
        """Insist until the letter was taken, as a mail server does."""
        random, name = Random(number), f"l-{number}"
        while not fates.get(name, "").startswith("250"):
            wire = await Wire.connect(gateway.port, source=stranger(number), patience=LONG)
            fates[name] = await wire.reply()
            if fates[name].startswith("220"):
                fates[name] = await bring(wire, name, random)
            assert fates[name][:1] in ("2", "4"), fates[name]
            await wire.close()

    with limited(tmp_path, dns, sink, session="") as gateway:
        workers = gateway.workers()
        for pid in workers:
            few = len(list(Path(f"/proc/{pid}/fd").iterdir())) + 8
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, few))
        async with asyncio.timeout(2 * LONG):
            await asyncio.gather(*(come(number) for number in range(30)))
        assert gateway.workers() == workers
        log = (gateway.root / "log").read_text()
        assert 1 <= log.count("connections wait to be accepted: Too many open files") <= 6
        assert "Traceback" not in log
    assert sink.taken() == {f"l-{number}": 1 for number in range(30)}


async def test_spamd_is_given_no_more_at_once_by_all_workers_than_its_concurrency(
    tmp_path: Path, dns: str, sink: Sink
) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await replying(scored())(reader, writer)

    async with FakeSpamd(slowly) as spamd:
        hosts = f'[[spamd.hosts]]\naddress = "{spamd.address}"\nconcurrency = 3\n'
        with limited(tmp_path, dns, sink, session="", limits=f"\n{hosts}") as gateway:
            assert await all_bring(gateway, 24) == ["250"] * 24
            gateway.wait_for_record(24)
            assert {record["spam"] for record in gateway.records()} == {"scored"}
    assert spamd.requests == 24
    assert spamd.most == 3


async def test_next_hop_has_no_more_connections_of_all_workers_than_its_limit(tmp_path: Path, dns: str) -> None:
    async with Downstream() as server:
        more = f'[route.default]\nhosts = ["{server.endpoint}"]\nmax_connections = 2\n'
        with running_gateway(tmp_path / "gateway", dns=dns, more=more, workers=2) as gateway:
            assert await all_bring(gateway, 40) == ["250"] * 40
    assert len(server.messages) == 40
    assert server.most_open <= 2 + 1  # one may still be closing


async def all_bring(gateway: RunningGateway, count: int) -> list[str]:
    """The codes that so many clients are told that come at once, each with a letter."""

    async def come(number: int) -> str:
        wire = await Wire.connect(gateway.port, source=stranger(number), patience=LONG)
        assert (await wire.reply()).startswith("220 ")
        told = await bring(wire, f"l-{number}", Random(number))
        await wire.close()
        return told[:3]

    async with asyncio.timeout(LONG):
        return await asyncio.gather(*(come(number) for number in range(count)))
