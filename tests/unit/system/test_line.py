"""The line: clients in turn, and of each first come, first served, in one worker and over two."""

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

    def come(self, client: str = "c", *, seconds: float = LONG) -> "asyncio.Task[str | Refusal]":
        return asyncio.create_task(
            self.line.wait(
                lambda: "p" if self._places.take() else None,
                client=client,
                wants="p",
                seconds=seconds,
                undo=self.leave,
            )
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


async def give_up(*tasks: "asyncio.Task[str | Refusal]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    waiting = [here.come("a"), there.come("b")]
    await settle()
    assert (await here.come("x"), await there.come("y")) == (Refusal.FULL, Refusal.FULL)
    await give_up(*waiting)
    assert await there.come(seconds=0.0) is Refusal.EXPIRED


async def test_a_flood_on_all_workers_leaves_room_in_the_line_for_others() -> None:
    here, there = workers(Clock(), places=1, capacity=10)
    await here.come()
    flood = [worker.come("flood") for _ in range(10) for worker in (here, there)]
    await settle()
    waiting = [task for task in flood if not task.done()]
    assert len(waiting) == 5
    others = [there.come(f"client {number}") for number in range(5)]
    await settle()
    assert not any(task.done() for task in others)
    await give_up(*waiting, *others)


async def test_who_comes_next_goes_before_what_a_flood_brought_earlier() -> None:
    here, _ = workers(Clock(), places=1)
    await here.come("flood")
    flood = [here.come("flood") for _ in range(3)]
    await settle()
    single = here.come("single")
    await settle()
    here.leave()  # the flood's turn: it came first
    assert await flood[0] == "p"
    here.leave()
    assert await single == "p"
    assert not flood[1].done()
    await give_up(*flood[1:])


async def test_each_client_has_its_turn_however_fast_others_come_again() -> None:
    here, _ = workers(Clock(), places=1)
    await here.come("a")
    waiting = {client: here.come(client) for client in ("flood", "a", "b")}
    await settle()
    served = []
    for _ in range(9):
        here.leave()
        await settle()
        [client] = [client for client, task in waiting.items() if task.done()]
        served.append(client)
        waiting[client] = here.come(client)
        await settle()
    assert served == ["flood", "a", "b"] * 3
    await give_up(*waiting.values())


async def test_a_client_is_not_starved_by_a_flood_that_waits_for_longer_in_another_worker() -> None:
    clock = Clock()
    here, there = workers(clock, places=1)
    await there.come("flood")
    flood = [there.come("flood") for _ in range(4)]
    await settle()
    clock.now += 10.0
    there.leave()  # to the flood, which has waited for ten seconds
    await settle()
    single = here.come("single")
    await settle()
    clock.now += 2 * PREFERENCE
    there.leave()  # to the flood: it was served last when the other came
    await settle()
    there.leave()
    await settle()
    assert sum(task.done() for task in flood) == 2
    assert await single == "p"
    await give_up(*flood)


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


async def test_one_who_wants_something_else_is_not_kept_from_it_by_those_before_him() -> None:
    line, shelf = Line[str](Region.private(), "shelf", clock=Clock()), list[str]()

    def come(wanted: str) -> "asyncio.Task[str | Refusal]":
        def take() -> str | None:
            return shelf.pop(shelf.index(wanted)) if wanted in shelf else None

        return asyncio.create_task(line.wait(take, client=wanted, wants=wanted, seconds=LONG, undo=shelf.append))

    async def bring(*things: str) -> list[bool]:
        shelf.extend(things)
        line.released()
        await settle()
        return [task.done() for task in waiting]

    waiting = [come(wanted) for wanted in ("a", "a", "a", "b", "b")]
    await settle()
    assert await bring("b") == [False, False, False, True, False]
    assert await bring("a", "a") == [True, True, False, True, False]
    assert await bring("b", "a") == [True] * 5


async def test_newcomer_who_wants_something_else_does_not_overtake_those_before_him() -> None:
    line, shelf = Line[str](Region.private(), "shelf", clock=Clock()), list[str]()

    def come(wants: str) -> "asyncio.Task[str | Refusal]":
        def take() -> str | None:
            return shelf.pop() if shelf else None

        return asyncio.create_task(line.wait(take, client=wants, wants=wants, seconds=LONG, undo=shelf.append))

    waiting = [come("a"), come("b")]
    await settle()
    shelf.append("what another worker released")
    waiting.append(come("c"))
    await settle()
    assert [task.done() for task in waiting] == [True, False, False]
    await give_up(*waiting)


async def test_a_wait_ends_though_an_attempt_raises() -> None:
    loop, clock, complaints = asyncio.get_running_loop(), Clock(), list[object]()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    line, attempts = Line[int](Region.private(), "p", clock=clock), iter([None])
    waiting = asyncio.create_task(
        line.wait(lambda: next(attempts), client="c", wants="p", seconds=1.0, undo=lambda _: None)
    )
    await settle()
    clock.now += 1.0
    async with asyncio.timeout(LONG):
        assert await waiting is Refusal.EXPIRED
    assert complaints


async def test_who_gives_up_in_that_moment_gets_nothing_that_another_could_have() -> None:
    here, _ = workers(Clock(), places=1)
    await here.come()
    waiting = [here.come(client) for client in "ab"]
    await settle()
    waiting[0].cancel()
    here.leave()
    await settle()
    assert [task.done() for task in waiting] == [True, True]
    assert await waiting[1] == "p"


async def test_everyone_is_served_in_the_end_with_two_workers_and_few_places() -> None:
    board = Board.private(keys=16, regions=2)
    pair = [Line[int](board.region(board.hand_out()), "p") for _ in range(2)]
    places, served = Pile([1, 1, 1]), []

    async def visit(line: Line[int]) -> None:
        held = await line.wait(places.take, client="c", wants="p", seconds=LONG, undo=places.append)
        served.append(held)
        await asyncio.sleep(0.001)
        places.append(1)
        line.released()

    async with asyncio.timeout(LONG):
        await asyncio.gather(*(visit(pair[number % 2]) for number in range(60)))
    assert served == [1] * 60
    assert board.total(board.key("first in the line p")) == 0
