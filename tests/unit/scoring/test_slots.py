"""Slots: so many at once for each host, and clients in turn."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.scoring.slots import Slots
from gateway.system.board import Region
from gateway.system.line import Refusal

LONG = 30.0  # seconds; never waited for in full


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def slots_of(capacity: dict[str, int], *, max_waiting: int) -> Slots:
    return Slots(capacity, max_waiting=max_waiting, region=Region.private())


class Visitor:
    """Takes a slot in a task of its own, and leaves when told."""

    def __init__(self, slots: Slots, candidates: list[str], *, client: str = "c") -> None:
        self.granted: str | Refusal | None = None
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(slots, candidates, client))

    async def _visit(self, slots: Slots, candidates: list[str], client: str) -> None:
        async with slots.take(candidates, client=client, seconds=LONG) as self.granted:
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task
        await settle()


async def test_first_candidate_with_a_free_slot_is_granted():
    slots = slots_of({"a": 1, "b": 1}, max_waiting=0)
    async with AsyncExitStack() as stack:
        assert await stack.enter_async_context(slots.take(["a", "b"], client="c", seconds=LONG)) == "a"
        assert await stack.enter_async_context(slots.take(["a", "b"], client="c", seconds=LONG)) == "b"
        assert await stack.enter_async_context(slots.take(["a", "b"], client="c", seconds=LONG)) is Refusal.FULL


async def test_those_who_wait_are_served_in_the_order_they_came():
    slots = slots_of({"a": 1}, max_waiting=9)
    first, second, third = [Visitor(slots, ["a"]) for _ in range(3)]
    await settle()
    assert (first.granted, second.granted, third.granted) == ("a", None, None)
    await first.leave()
    assert (second.granted, third.granted) == ("a", None)
    await second.leave()
    assert third.granted == "a"
    await third.leave()


async def test_a_slot_goes_to_the_first_who_can_use_it():
    slots = slots_of({"a": 1, "b": 1}, max_waiting=9)
    at_a, at_b, wants_a, wants_b = [Visitor(slots, [host]) for host in "abab"]
    await settle()
    await at_b.leave()
    assert (wants_a.granted, wants_b.granted) == (None, "b")
    await at_a.leave()
    assert wants_a.granted == "a"
    await wants_a.leave()
    await wants_b.leave()


async def test_a_wait_that_expires_is_refused_and_leaves_the_line():
    slots = slots_of({"a": 1}, max_waiting=1)
    holder = Visitor(slots, ["a"])
    await settle()
    async with slots.take(["a"], client="c", seconds=0.0) as granted:
        assert granted is Refusal.EXPIRED
    waiting = Visitor(slots, ["a"])
    await settle()
    await holder.leave()
    assert waiting.granted == "a"
    await waiting.leave()


async def test_one_who_is_cancelled_while_waiting_leaves_the_line():
    slots = slots_of({"a": 1}, max_waiting=1)
    holder, waiting = Visitor(slots, ["a"]), Visitor(slots, ["a"])
    await settle()
    waiting.task.cancel()
    await settle()
    await holder.leave()
    async with slots.take(["a"], client="c", seconds=LONG) as granted:
        assert granted == "a"


async def test_a_slot_granted_to_one_who_is_cancelled_in_that_moment_is_given_back():
    slots = slots_of({"a": 1}, max_waiting=1)
    waiting: Visitor
    async with slots.take(["a"], client="c", seconds=LONG):
        waiting = Visitor(slots, ["a"])
        await settle()
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    async with slots.take(["a"], client="c", seconds=LONG) as granted:
        assert granted == "a"


async def test_a_client_with_one_message_goes_before_the_second_of_another():
    slots = slots_of({"a": 1}, max_waiting=9)
    holder = Visitor(slots, ["a"], client="flood")
    await settle()
    flood = [Visitor(slots, ["a"], client="flood") for _ in range(3)]
    await settle()
    single = Visitor(slots, ["a"], client="single")
    await settle()
    await holder.leave()
    assert flood[0].granted == "a"
    await flood[0].leave()
    assert single.granted == "a"
    await single.leave()
    for visitor in flood[1:]:
        assert visitor.granted == "a"
        await visitor.leave()
