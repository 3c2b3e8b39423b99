"""What spamd is spared: the same message while it is at it, and spam that it has just seen."""

import asyncio
from random import Random

import pytest

from gateway.scoring.breaker import Cause
from gateway.scoring.hosts import SpamdHost
from gateway.scoring.outcome import Origin, Scored, Unscored
from gateway.scoring.payload import Excerpt
from gateway.scoring.remembered import MOST, Remembered
from gateway.scoring.scorer import Limits, Scorer
from gateway.scoring.spamc import Score
from gateway.scoring.sparing import SparingScorer
from gateway.system.board import Region
from tests.support.fakespamd import Behaviour, FakeSpamd, replying, scored

MESSAGE = Excerpt(b"Subject: x\r\n\r\nHello\r\n")
OTHER = Excerpt(b"Subject: x\r\n\r\nHello!\r\n")
LIMITS = Limits(connect=5.0, attempt=5.0, wait=5.0, waiting=10, failures=9, pause=30.0)
SPAM = scored("7.5", flag="True")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sparing(
    spamd: FakeSpamd, *, remember: float = 0.0, clock: Clock | None = None, concurrency: int = 5
) -> SparingScorer:
    time = clock or Clock()
    host = SpamdHost(address=spamd.address, concurrency=concurrency)
    scorer = Scorer((host,), limits=LIMITS, user="", region=Region.private(), clock=time, random=Random(1))
    return SparingScorer(scorer, Remembered(seconds=remember, clock=time), patience=5.0, clock=time)


class Gate:
    """A spamd that answers when it is told to."""

    def __init__(self, then: Behaviour) -> None:
        self.then = then
        self.open = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        await self.then(reader, writer)


async def until_asked(spamd: FakeSpamd, times: int) -> None:
    async with asyncio.timeout(30):
        while spamd.requests < times:
            await asyncio.sleep(0.001)


def origins(outcomes: list[Scored | Unscored]) -> list[Origin]:
    return [outcome.origin for outcome in outcomes]


async def test_the_same_message_in_flight_is_asked_about_once():
    gate = Gate(replying(scored("1.5")))
    async with FakeSpamd(gate) as spamd:
        some = sparing(spamd)
        asking = [asyncio.create_task(some.score(MESSAGE, client="c")) for _ in range(5)]
        await until_asked(spamd, 1)
        gate.open.set()
        outcomes = await asyncio.gather(*asking)
        assert spamd.requests == 1
        assert origins(outcomes) == [Origin.ASKED, *[Origin.IN_FLIGHT] * 4]
        assert {outcome.score.score for outcome in outcomes} == {1.5}


async def test_another_message_is_asked_about_beside_it():
    gate = Gate(replying(scored()))
    async with FakeSpamd(gate) as spamd:
        some = sparing(spamd)
        asking = [asyncio.create_task(some.score(message, client="c")) for message in (MESSAGE, OTHER)]
        await until_asked(spamd, 2)
        gate.open.set()
        assert origins(await asyncio.gather(*asking)) == [Origin.ASKED] * 2


async def test_ham_is_asked_about_again():
    async with FakeSpamd(replying(scored())) as spamd:
        some = sparing(spamd, remember=60.0)
        assert origins([await some.score(MESSAGE, client="c") for _ in range(2)]) == [Origin.ASKED] * 2
        assert spamd.requests == 2


async def test_spam_is_remembered_for_its_time_and_no_longer():
    clock = Clock()
    async with FakeSpamd(replying(SPAM)) as spamd:
        some = sparing(spamd, remember=60.0, clock=clock)
        first, second = [await some.score(MESSAGE, client="c") for _ in range(2)]
        assert (first.origin, second.origin, second.score) == (Origin.ASKED, Origin.REMEMBERED, first.score)
        clock.now += 60.0
        assert (await some.score(MESSAGE, client="c")).origin is Origin.ASKED
        assert spamd.requests == 2


async def test_what_is_remembered_is_not_kept_longer_by_its_copies():
    clock = Clock()
    async with FakeSpamd(replying(SPAM)) as spamd:
        some = sparing(spamd, remember=60.0, clock=clock)
        for _ in range(4):
            await some.score(MESSAGE, client="c")
            clock.now += 30.0
        assert spamd.requests == 2


async def test_nothing_is_remembered_unless_it_is_asked_for():
    async with FakeSpamd(replying(SPAM)) as spamd:
        some = sparing(spamd)
        assert origins([await some.score(MESSAGE, client="c") for _ in range(2)]) == [Origin.ASKED] * 2


async def test_what_was_not_scored_is_not_remembered():
    async with FakeSpamd(replying(b"nonsense\r\n\r\n")) as spamd:
        some = sparing(spamd, remember=60.0)
        assert isinstance(await some.score(MESSAGE, client="c"), Unscored)
        spamd.behaviour = replying(SPAM)
        assert isinstance(await some.score(MESSAGE, client="c"), Scored)


async def test_no_score_is_the_outcome_of_all_who_asked_meanwhile():
    gate = Gate(replying(b"nonsense\r\n\r\n"))
    async with FakeSpamd(gate) as spamd:
        some = sparing(spamd)
        asking = [asyncio.create_task(some.score(MESSAGE, client="c")) for _ in range(3)]
        await until_asked(spamd, 1)
        gate.open.set()
        outcomes = await asyncio.gather(*asking)
        assert [outcome.cause for outcome in outcomes if isinstance(outcome, Unscored)] == [Cause.BUSY] * 3
        assert spamd.requests == 1


async def test_where_the_one_that_asks_is_given_up_the_next_one_asks():
    gate = Gate(replying(scored()))
    async with FakeSpamd(gate) as spamd:
        some = sparing(spamd)
        first, *others = [asyncio.create_task(some.score(MESSAGE, client="c")) for _ in range(3)]
        await until_asked(spamd, 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await until_asked(spamd, 2)
        gate.open.set()
        assert origins(await asyncio.gather(*others)) == [Origin.ASKED, Origin.IN_FLIGHT]
        assert spamd.requests == 2


async def test_one_that_is_given_up_harms_neither_the_one_that_asks_nor_the_others():
    gate = Gate(replying(scored()))
    async with FakeSpamd(gate) as spamd:
        some = sparing(spamd)
        first, second, third = [asyncio.create_task(some.score(MESSAGE, client="c")) for _ in range(3)]
        await until_asked(spamd, 1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.open.set()
        assert origins(await asyncio.gather(first, third)) == [Origin.ASKED, Origin.IN_FLIGHT]


def test_memory_has_a_bound_and_the_oldest_goes_first():
    clock = Clock()
    remembered = Remembered(seconds=60.0, clock=clock)
    verdict = Scored(host="h:1", score=Score(is_spam=True, score=9.0, required=5.0, symbols=()))
    for number in range(MOST + 1):
        remembered.note(b"%d" % number, verdict)
    assert remembered.find(b"0") is None
    assert remembered.find(b"1") is verdict
    assert remembered.find(b"%d" % MOST) is verdict
