"""The line: first come, first served, in one worker and over two."""

import asyncio

import pytest

from gateway.system.board import Board, Region
from gateway.system.hostcounts import HostCounts, Places
from gateway.system.line import LEFT, PREFERENCE, Line, Refusal

LONG = 30.0  # seconds; never waited for in full


class Clock:
    """A time that passes only when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """One of those who share places named "p"."""

    def __init__(self, region: Region, clock: Clock, *, places: int, capacity: int) -> None:
        self._places = Places(HostCounts(region), "p", places)
        self.line = Line[str](region, "p", capacity=capacity, clock=clock)

    def come(self, *, seconds: float = LONG) -> "asyncio.Task[str | Refusal]":
        return asyncio.create_task(
            self.line.wait(lambda: "p" if self._places.take() else None, wants="p", seconds=seconds, undo=self.leave)
        )

    def leave(self, _: str = "") -> None:
        self._places.leave()
        self.line.released()


def workers(clock: Clock, *, places: int, capacity: int = 10) -> tuple[Worker, Worker]:
    board = Board.private(keys=16, regions=2)
    here, there = (Worker(board.region(board.hand_out()), clock, places=places, capacity=capacity) for _ in range(2))
    return here, there


class Pile(list[int]):
    """Places that are no count."""

    def take(self) -> int | None:
        return self.pop() if self else None


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_another_worker_releases_is_found() -> None:
    here, there = workers(Clock(), places=1)
    await here.come()
    waiting = there.come()
    await settle()
    here.leave()
    assert await waiting == "p"


async def test_one_who_clearly_waited_longer_elsewhere_goes_first() -> None:
    clock = Clock()
    here, there = workers(clock, places=1)
    await here.come()
    first = there.come()
    await settle()
    clock.now += 2 * PREFERENCE
    second = here.come()
    await settle()
    clock.now += 2 * LEFT
    here.leave()
    await settle()
    assert not second.done()
    assert await first == "p"
    assert not second.done()
    there.leave()
    assert await second == "p"


async def test_what_is_released_stays_in_the_worker_where_the_other_waits_no_longer_to_speak_of() -> None:
    clock = Clock()
    here, there = workers(clock, places=1)
    await here.come()
    first = there.come()
    await settle()
    clock.now += PREFERENCE / 2
    second = here.come()
    await settle()
    here.leave()
    await settle()
    assert second.done()
    here.leave()
    assert await first == "p"


async def test_newcomer_leaves_what_is_free_to_one_who_waits_elsewhere() -> None:
    clock = Clock()
    here, there = workers(clock, places=1)
    await here.come()
    first = there.come()
    await settle()
    clock.now += 2 * PREFERENCE
    here.leave()
    newcomer = here.come()
    await settle()
    assert not newcomer.done()
    assert await first == "p"
    there.leave()
    assert await newcomer == "p"


async def test_what_is_left_to_a_worker_that_stands_still_is_taken_in_the_end() -> None:
    clock = Clock()
    board = Board.private(keys=16, regions=2)
    here = Worker(board.region(board.hand_out()), clock, places=1, capacity=10)
    stuck = board.region(board.hand_out())
    stuck.post(stuck.key("first in the line p"), 1)
    waiting = here.come()
    await settle()
    assert not waiting.done()
    clock.now += LEFT
    assert await waiting == "p"


async def test_line_is_as_long_as_all_its_parts() -> None:
    here, there = workers(Clock(), places=1, capacity=2)
    await here.come()
    waiting = [here.come(), there.come()]
    await settle()
    assert (await here.come(), await there.come()) == (Refusal.FULL, Refusal.FULL)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await there.come(seconds=0.0) is Refusal.EXPIRED


async def test_who_gave_up_is_waited_for_by_nobody() -> None:
    clock = Clock()
    here, there = workers(clock, places=1)
    await here.come()
    assert await there.come(seconds=0.0) is Refusal.EXPIRED
    cancelled = there.come()
    await settle()
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    clock.now += 2 * PREFERENCE
    assert not here.line.is_awaited_elsewhere
    here.leave()
    newcomer = here.come()
    await settle()
    assert newcomer.done()


async def test_what_came_to_one_who_is_cancelled_in_that_moment_goes_to_the_next() -> None:
    here, there = workers(Clock(), places=1)
    await here.come()
    waiting = here.come()
    await settle()
    here.leave()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await there.come() == "p"


async def test_everyone_is_served_in_the_end_with_two_workers_and_few_places() -> None:
    board = Board.private(keys=16, regions=2)
    pair = [Line[int](board.region(board.hand_out()), "p") for _ in range(2)]
    places, served = Pile([1, 1, 1]), []

    async def visit(line: Line[int]) -> None:
        held = await line.wait(places.take, wants="p", seconds=LONG, undo=places.append)
        served.append(held)
        await asyncio.sleep(0.001)
        places.append(1)
        line.released()

    async with asyncio.timeout(LONG):
        await asyncio.gather(*(visit(pair[number % 2]) for number in range(60)))
    assert served == [1] * 60
    assert board.total(board.key("first in the line p")) == 0
