"""Synchronous code that waits for what is asynchronous."""

import asyncio
from typing import Any

import pytest

from gateway.system.bridge import DeadlinePassed, run_sync, wait
from tests.support.waiting import until


async def later(value: Any, seconds: float = 0.0) -> Any:
    await asyncio.sleep(seconds)
    return value


async def at_once(value: Any) -> Any:
    return value


async def test_values_and_arguments_go_both_ways() -> None:
    def add(first: int, second: int) -> int:
        return wait(later(first)) + wait(at_once(second)) + 1

    assert await run_sync(add, 2, 3, seconds=5) == 6


async def test_the_loop_goes_on_meanwhile() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(run_sync(lambda: wait(event.wait()), seconds=5))
    await asyncio.sleep(0)
    event.set()
    assert await waiting is True


async def test_calls_at_once_do_not_mix() -> None:
    def chain(number: int) -> list[int]:
        return [wait(later(number)) for _ in range(10)]

    found = await asyncio.gather(*(run_sync(chain, number, seconds=5) for number in range(20)))
    assert found == [[number] * 10 for number in range(20)]


async def test_what_needs_no_waiting_takes_no_turn_of_the_loop() -> None:
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    loop = asyncio.get_running_loop()
    loop.call_soon(turn)
    await run_sync(lambda: [wait(at_once(1)) for _ in range(100)], seconds=5)
    assert turns == 0


async def test_an_error_is_raised_where_the_wait_stands() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("no")

    def forgiving() -> str:
        try:
            wait(fail())
        except LookupError as error:
            return str(error) + str(wait(at_once("!")))
        return ""

    assert await run_sync(forgiving, seconds=5) == "no!"


async def test_an_error_of_the_function_is_the_callers() -> None:
    def fail() -> None:
        wait(later(None))
        raise LookupError("no")

    with pytest.raises(LookupError):
        await run_sync(fail, seconds=5)


async def test_a_timeout_of_what_is_awaited_is_not_the_deadline() -> None:
    async def slow() -> None:
        raise TimeoutError

    def forgiving() -> int:
        with pytest.raises(TimeoutError):
            wait(slow())
        return int(wait(at_once(1)))

    assert await run_sync(forgiving, seconds=5) == 1


async def test_after_the_deadline_every_wait_raises() -> None:
    started: list[int] = []

    async def ask(number: int) -> None:
        started.append(number)
        await asyncio.sleep(60)

    def stubborn() -> int:
        refused = 0
        for number in range(5):
            try:
                wait(ask(number))
            except DeadlinePassed:
                refused += 1
        return refused

    assert await run_sync(stubborn, seconds=0.02) == 5
    assert started == [0]


async def test_cancelling_ends_even_a_function_that_swallows_it() -> None:
    started: list[int] = []
    refused: list[int] = []

    async def ask(number: int) -> None:
        started.append(number)
        await asyncio.sleep(60)

    def stubborn() -> str:
        for number in range(5):
            try:
                wait(ask(number))
            except BaseException:  # noqa: BLE001  as pyspf has it
                refused.append(number)
        return "done"

    task = asyncio.create_task(run_sync(stubborn, seconds=60))
    await until(lambda: bool(started))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (started, refused) == ([0], [0, 1, 2, 3, 4])


async def test_waiting_outside_of_a_call_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        wait(asyncio.get_running_loop().create_future())
