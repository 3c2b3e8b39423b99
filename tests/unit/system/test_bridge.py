"""A synchronous call on the event loop: it waits for what is asynchronous, ends in time, and blocks nobody."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from gateway.system.bridge import DeadlinePassed, run_sync, wait

SOON = 0.02  # seconds; the calls below are given this long
PATIENCE = 5.0


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def failing() -> None:
    await asyncio.sleep(0)
    raise LookupError("not there")


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def bounded(function: Callable[..., Any], *arguments: Any, seconds: float = PATIENCE) -> Any:
    async with asyncio.timeout(2 * PATIENCE):
        return await run_sync(function, *arguments, seconds=seconds)


async def test_the_call_gets_its_arguments_and_its_result_comes_back() -> None:
    assert await bounded(lambda a, b: (b, a), 1, 2) == (2, 1)


async def test_what_is_awaited_is_the_value_of_wait() -> None:
    assert await bounded(lambda: [wait(later(n)) for n in range(3)]) == [0, 1, 2]


async def test_a_future_can_be_waited_for() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, "answer")
    assert await bounded(lambda: wait(future)) == "answer"


async def test_an_exception_of_the_call_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        await bounded(lambda: 1 // 0)


async def test_an_exception_after_a_wait_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        await bounded(lambda: 1 // wait(later(0)))


async def test_an_exception_of_what_is_awaited_is_raised_where_the_call_waits() -> None:
    def call() -> str:
        try:
            wait(failing())
        except LookupError as error:
            return f"caught {error}, then {wait(later('went on'))}"
        return "not raised"

    assert await bounded(call) == "caught not there, then went on"


async def test_a_timeout_of_what_is_awaited_is_not_the_deadline() -> None:
    async def gives_up() -> None:
        raise TimeoutError

    def call() -> str:
        try:
            wait(gives_up())
        except TimeoutError:
            return str(wait(later("went on")))
        return "not raised"

    assert await bounded(call) == "went on"


async def test_after_the_deadline_every_wait_raises() -> None:
    """A library that swallows the first exception must not wait again."""
    raised = []

    def stubborn() -> str:
        for _ in range(3):
            try:
                wait(never())
            except DeadlinePassed as error:
                raised.append(error)
        return "its own conclusion"

    assert await bounded(stubborn, seconds=SOON) == "its own conclusion"
    assert len(raised) == 3


async def test_the_deadline_is_one_for_all_waits() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()

    def slow() -> None:
        while True:
            wait(asyncio.sleep(SOON / 4))

    with pytest.raises(DeadlinePassed):
        await bounded(slow, seconds=SOON)
    assert loop.time() - began >= SOON


async def test_a_cancelled_call_ends_with_its_task() -> None:
    ended = []

    def call() -> None:
        try:
            wait(never())
        finally:
            ended.append("tidied up")

    task = asyncio.get_running_loop().create_task(bounded(call))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["tidied up"]


async def test_a_swallowed_cancellation_is_not_lost() -> None:
    def stubborn() -> str:
        for _ in range(3):
            with contextlib.suppress(BaseException):
                wait(never())
        return "as if nothing had happened"

    task = asyncio.get_running_loop().create_task(bounded(stubborn))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_that_waits_for_nothing_takes_no_turn_of_the_loop() -> None:
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, "turn")
    assert await run_sync(lambda: "at once", seconds=PATIENCE) == "at once"
    assert turns == []


async def test_an_answer_at_hand_takes_no_turn_of_the_loop() -> None:
    async def at_hand() -> str:
        return "cached"

    turns = []
    asyncio.get_running_loop().call_soon(turns.append, "turn")
    assert await run_sync(lambda: wait(at_hand()), seconds=PATIENCE) == "cached"
    assert turns == []


async def test_calls_wait_beside_each_other() -> None:
    met = asyncio.Barrier(10)

    def call(number: int) -> int:
        wait(met.wait())
        return number

    assert await asyncio.gather(*(bounded(call, number) for number in range(10))) == list(range(10))


async def test_waiting_outside_of_a_call_is_an_error() -> None:
    future = asyncio.get_running_loop().create_future()
    with pytest.raises(RuntimeError, match="outside"):
        wait(future)
