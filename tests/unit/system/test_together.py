"""Coroutines that run together: in the caller's task as long as none waits, beside each other from then on."""

import asyncio

import pytest

from gateway.system.together import together, within


async def at_once(value: int) -> int:
    return value


async def after(event: asyncio.Event, value: int) -> int:
    await event.wait()
    return value


async def test_values_come_in_the_order_of_the_coroutines() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await together([at_once(1), after(event, 2), at_once(3), after(event, 4)]) == [1, 2, 3, 4]


async def test_what_need_not_wait_costs_no_task() -> None:
    before = asyncio.all_tasks()
    seen: list[set[object]] = []

    async def look() -> None:
        seen.append(asyncio.all_tasks() - before)

    await together([look(), look()])
    assert seen == [set(), set()]


async def test_those_behind_one_that_waits_run_meanwhile() -> None:
    event = asyncio.Event()

    async def release() -> int:
        event.set()
        return 2

    async with asyncio.timeout(5):
        assert await together([after(event, 1), release()]) == [1, 2]


async def test_a_failure_ends_the_others() -> None:
    cancelled = []

    async def stubborn() -> int:
        try:
            return await after(asyncio.Event(), 1)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError

    with pytest.raises(ExceptionGroup):
        await together([stubborn(), fail()])
    assert cancelled == [1]


async def test_failure_before_any_wait_is_raised_as_it_is() -> None:
    async def fail() -> int:
        raise ValueError

    with pytest.raises(ValueError):
        await together([fail()])


async def test_timeout_within_holds_when_the_coroutine_goes_on_later() -> None:
    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "enough"
        return "never"

    assert await within(60, impatient()) == "enough"


async def test_timeout_around_it_reaches_the_coroutine() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await within(60, after(asyncio.Event(), 1))
    with pytest.raises(TimeoutError):
        await within(0.01, after(asyncio.Event(), 1))


async def test_cancelling_reaches_the_coroutine() -> None:
    ended = []

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def wait_for_it() -> None:
        await within(60, waiting())

    task = asyncio.create_task(wait_for_it())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1]
