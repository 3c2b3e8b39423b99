"""Together: runs several coroutines at once, and what need not wait in no task and under no timer at all.

Most of what a message asks DNS is in the cache. Tasks and timers for answers that are already there would cost more
than the answers.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What the coroutines return, in their order. The first that waits has those behind it run in tasks beside it."""
    values: list[T] = []
    left = iter(coroutines)
    for coroutine in left:
        started = Started(coroutine)
        if started.is_over:
            values.append(started.value)
        else:
            values += await _beside(started, left)
    return values


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns; where it need not wait, without a timer. Raises TimeoutError."""
    started = Started(coroutine)
    if started.is_over:
        return started.value
    async with asyncio.timeout(seconds):
        return await started


async def _beside(started: "Started[T]", others: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(other) for other in others]
        value = await started
    return [value, *(task.result() for task in tasks)]


class Started(Generic[T]):
    """Runs a coroutine to its first wait at once, and on from there when it is awaited: in the same task, since what it
    has begun (timeouts, task groups) belongs to that one."""

    __slots__ = ("_coroutine", "_waits_for", "is_over", "value")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Raises what the coroutine raises before it waits."""
        self._coroutine = coroutine
        self._waits_for: Any = None
        self.value: T  # what the coroutine has returned, once it is over
        self.is_over = False
        self._step(coroutine.send, None)

    def __await__(self) -> Generator[Any, Any, T]:
        while not self.is_over:
            try:
                sent = yield self._waits_for
            except BaseException as error:  # noqa: BLE001  raised in the coroutine, which makes of it what it likes
                self._step(self._coroutine.throw, error)
            else:
                self._step(self._coroutine.send, sent)
        return self.value

    def _step(self, resume: Callable[[Any], Any], sent: Any) -> None:
        try:
            self._waits_for = resume(sent)
        except StopIteration as end:
            self.value = end.value
            self.is_over = True
