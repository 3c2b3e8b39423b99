"""Several spamds: who is asked, and what it means when none gives a score."""

import asyncio
import socket
from collections.abc import Callable
from random import Random

from gateway.scoring.breaker import Cause
from gateway.scoring.hosts import SpamdHost
from gateway.scoring.outcome import Scored, Unscored
from gateway.scoring.payload import Excerpt
from gateway.scoring.scorer import Limits, Scorer
from gateway.system.board import Board, Region
from tests.support.fakespamd import FakeSpamd, replying, scored

MESSAGE = Excerpt(b"Subject: x\r\n\r\nHello\r\n")
LIMITS = Limits(connect=5.0, attempt=5.0, wait=5.0, waiting=10, failures=2, pause=30.0)
TOTAL = 5.0  # seconds for one message


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def scorer(*hosts: SpamdHost, clock: Clock | None = None, region: Region | None = None, **limits: float) -> Scorer:
    chosen = Limits(**{name: limits.get(name, getattr(LIMITS, name)) for name in Limits.__slots__})
    known = region or Region.private()
    return Scorer(hosts, limits=chosen, user="", region=known, clock=clock or Clock(), random=Random(1))


async def ask(
    some: Scorer, *, clock: Callable[[], float] | None = None, total: float = TOTAL, client: str = "c"
) -> Scored | Unscored:
    """`clock` is that of the scorer, where a test has changed it."""
    return await some.score(MESSAGE, client=client, deadline=(clock or Clock())() + total)


def dead_host(priority: int = 0) -> SpamdHost:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return SpamdHost(address=f"127.0.0.1:{probe.getsockname()[1]}", priority=priority)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_score_comes_with_the_name_of_its_host():
    async with FakeSpamd(replying(scored("1.5"))) as spamd:
        outcome = await ask(scorer(spamd.host))
        assert isinstance(outcome, Scored)
        assert (outcome.host, outcome.score.score) == (spamd.address, 1.5)


async def test_next_host_is_asked_when_one_is_dead():
    async with FakeSpamd(replying(scored())) as spamd:
        assert isinstance(await ask(scorer(dead_host(), spamd.host)), Scored)


async def test_next_host_is_asked_when_one_talks_nonsense():
    async with FakeSpamd(replying(b"nonsense\r\n\r\n")) as bad, FakeSpamd(replying(scored())) as good:
        first = SpamdHost(address=bad.address, priority=0)
        outcome = await ask(scorer(first, good.host))
        assert isinstance(outcome, Scored)
        assert (outcome.host, bad.requests) == (good.address, 1)


async def test_next_host_is_asked_when_one_is_silent():
    async with FakeSpamd(silent) as slow, FakeSpamd(replying(scored())) as good:
        first = SpamdHost(address=slow.address, priority=0)
        assert isinstance(await ask(scorer(first, good.host, attempt=0.05)), Scored)


async def test_no_host_that_can_be_connected_to_is_dead():
    outcome = await ask(scorer(dead_host(), dead_host()))
    assert isinstance(outcome, Unscored)
    assert outcome.cause is Cause.DEAD
    assert outcome.reason.count("unreachable") == 2


async def test_host_that_breaks_off_is_busy_since_the_message_may_have_done_it():
    async with FakeSpamd(replying()) as spamd:
        outcome = await ask(scorer(spamd.host, dead_host()))
        assert isinstance(outcome, Unscored)
        assert outcome.cause is Cause.BUSY


async def test_breaker_that_slow_messages_opened_says_busy_too():
    async with FakeSpamd(silent) as spamd:
        some = scorer(spamd.host, attempt=0.02)
        causes = [(await ask(some)).cause for _ in range(4)]
        assert causes == [Cause.BUSY] * 4
        assert spamd.requests == 2


async def test_dead_host_is_left_out_after_its_failures_and_tried_again_after_the_pause():
    clock = Clock()
    async with FakeSpamd(replying()) as spamd:
        some = scorer(spamd.host, clock=clock)
        for _ in range(5):
            await ask(some)
        assert spamd.requests == 2
        spamd.behaviour = replying(scored())
        clock.now += 30.0
        assert isinstance(await ask(some, clock=clock), Scored)
        assert isinstance(await ask(some, clock=clock), Scored)


async def test_no_host_is_given_more_at_once_than_its_concurrency():
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        await replying(scored())(reader, writer)

    async with FakeSpamd(slowly) as spamd:
        host = SpamdHost(address=spamd.address, concurrency=2)
        some = scorer(host, waiting=20)
        outcomes = await asyncio.gather(*(ask(some) for _ in range(10)))
        assert all(isinstance(outcome, Scored) for outcome in outcomes)
        assert spamd.most <= 2


def two_workers(*hosts: SpamdHost, **limits: float) -> tuple[Scorer, Scorer]:
    board = Board.private(keys=64, regions=2)
    here, there = (scorer(*hosts, region=board.region(board.hand_out()), **limits) for _ in range(2))
    return here, there


async def test_one_worker_may_use_every_place_of_a_host_and_the_other_then_has_none():
    async with FakeSpamd(silent) as spamd:
        here, there = two_workers(SpamdHost(address=spamd.address, concurrency=2), waiting=0)
        holders = [asyncio.create_task(ask(here)) for _ in range(2)]
        await asyncio.sleep(0)
        outcome = await ask(there)
        assert isinstance(outcome, Unscored)
        assert "line is full" in outcome.reason
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)


async def test_host_that_one_worker_found_dead_is_not_asked_by_the_other():
    async with FakeSpamd(replying()) as spamd:
        here, there = two_workers(spamd.host)
        for _ in range(2):
            await ask(here)
        outcome = await ask(there)
        assert isinstance(outcome, Unscored)
        assert spamd.requests == 2
        assert outcome == Unscored(Cause.BUSY, f"{spamd.address} is left out: busy")


async def test_host_that_is_left_out_as_dead_in_another_worker_is_dead():
    host = dead_host()
    here, there = two_workers(host)
    for _ in range(2):
        await ask(here)
    assert await ask(there) == Unscored(Cause.DEAD, f"{host.address} is left out: dead")


async def test_full_line_is_busy_and_a_wait_that_expires_is_too():
    async with FakeSpamd(silent) as spamd:
        some = scorer(SpamdHost(address=spamd.address, concurrency=1), wait=0.02, waiting=1)
        holder = asyncio.create_task(ask(some))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(ask(some))
        await asyncio.sleep(0)
        full, expired = await ask(some), await waiting
        assert isinstance(full, Unscored)
        assert isinstance(expired, Unscored)
        assert (full.cause, expired.cause) == (Cause.BUSY, Cause.BUSY)
        assert (full.reason, expired.reason) == (
            "no free place at any spamd: the line is full",
            "no free place at any spamd: the wait is over",
        )
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)


async def test_deadline_over_all_hosts_is_kept():
    async with FakeSpamd(silent) as one, FakeSpamd(silent) as other:
        loop = asyncio.get_running_loop()
        some = Scorer(
            (one.host, other.host),
            limits=Limits(connect=5.0, attempt=5.0, wait=5.0, waiting=1, failures=9, pause=30.0),
            user="",
            region=Region.private(),
            clock=loop.time,
            random=Random(1),
        )
        started = loop.time()
        outcome = await ask(some, clock=loop.time, total=0.1)
        assert isinstance(outcome, Unscored)
        assert outcome.cause is Cause.BUSY
        assert loop.time() - started < 2.0


async def test_host_that_was_not_asked_in_time_is_not_held_to_have_failed():
    clock = Clock()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock.now += TOTAL  # the whole time is spent on this one
        writer.close()

    async with FakeSpamd(slow) as bad, FakeSpamd(replying(scored())) as good:
        asker = scorer(SpamdHost(address=bad.address, priority=0), good.host, clock=clock, failures=1)
        outcome = await ask(asker, clock=clock)
        assert isinstance(outcome, Unscored)
        assert outcome.cause is Cause.BUSY
        assert good.requests == 0
        assert isinstance(await ask(asker, clock=clock), Scored)


async def test_host_whose_place_came_too_late_is_not_held_to_have_failed():
    clock = Clock()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock.now += TOTAL
        await replying(scored())(reader, writer)

    async with FakeSpamd(slow) as spamd:
        asker = scorer(SpamdHost(address=spamd.address, concurrency=1), clock=clock, failures=1)
        first, waiting = await asyncio.gather(ask(asker, clock=clock), ask(asker, clock=clock))
        assert isinstance(first, Scored)
        assert waiting == Unscored(Cause.BUSY, "no spamd gave a score in time", waited=TOTAL)
        assert spamd.requests == 1
        spamd.behaviour = replying(scored())
        assert isinstance(await ask(asker, clock=clock), Scored)


async def test_wait_for_a_place_is_told_with_the_outcome():
    clock = Clock()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock.now += 1.5
        await replying(scored())(reader, writer)

    async with FakeSpamd(slow) as spamd:
        asker = scorer(SpamdHost(address=spamd.address, concurrency=1), clock=clock)
        outcomes = await asyncio.gather(ask(asker), ask(asker))
        assert [outcome.waited for outcome in outcomes] == [0.0, 1.5]
