"""Together: runs several coroutines at once, and what need not wait in no task and under no timer at all.

Most of what a message asks DNS is in the cache. Tasks and timers for answers that are already there would cost more
than the answers.
"""

import asyncio
from collections.abc import Coroutine, Generator, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the coroutines return, in their order. The first that waits has those behind it run in tasks beside it."""
    values: list[T] = []
    left = iter(coroutines)
    for coroutine in left:
        try:
            waits_for = coroutine.send(None)
        except StopIteration as end:
            values.append(end.value)
        else:
            values += await _beside(Started(coroutine, waits_for), left)
    return values


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns; where it need not wait, without a timer. Raises TimeoutError."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    async with asyncio.timeout(seconds):
        return await Started(coroutine, waits_for)


async def _beside(started: "Started[T]", others: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(other) for other in others]
        value = await started
    return [value, *(task.result() for task in tasks)]


class Started(Generic[T]):
    """A coroutine that has run to its first wait, to be awaited in the same task: what it has begun (timeouts, task
    groups) belongs to that one."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:  # noqa: BLE001  raised in the coroutine, which makes of it what it likes
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(sent)
        except StopIteration as end:
            value: T = end.value
            return value
