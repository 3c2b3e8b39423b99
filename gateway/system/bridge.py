"""Bridge: runs a synchronous library on the event loop, and lets it wait there for what is asynchronous.

The library runs in a greenlet. Where its callback calls `wait`, the greenlet stands still and the task that called
`run_sync` does the waiting; no thread is needed, and the loop goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import greenlet

T = TypeVar("T")


class DeadlinePassed(Exception):
    """The time that a synchronous call was given is over: raised by every `wait` from then on."""


class _Call(greenlet.greenlet):  # type: ignore[misc,unused-ignore]
    """A synchronous call under way. Once it is over for some reason, nothing is awaited for it any more: a library that
    swallows the exception and asks on gets it again."""

    over: BaseException | None = None


async def run_sync(function: Callable[..., T], *arguments: Any, seconds: float) -> T:
    """Call `function`, which may `wait`. After `seconds` each of its waits raises DeadlinePassed; if this task is
    cancelled, each raises CancelledError, and so does this function, whatever `function` makes of it."""
    call = _Call(function)
    ends = asyncio.get_running_loop().time() + seconds
    step = call.switch(*arguments)
    while not call.dead:
        try:
            async with asyncio.timeout_at(ends) as limit:
                found = await step
        except Exception as error:  # noqa: BLE001  it is raised where the library waits
            call.over = DeadlinePassed() if limit.expired() else None
            step = call.throw(call.over or error)
        except BaseException as error:  # noqa: BLE001  cancelled: raised there, and here in the end
            call.over = error
            step = call.throw(error)
        else:
            step = call.switch(found)
    if call.over is not None and not isinstance(call.over, DeadlinePassed):
        raise call.over
    result: T = step
    return result


def wait(awaitable: Awaitable[T]) -> T:
    """The result of `awaitable`. Only inside a function that `run_sync` runs."""
    call = greenlet.getcurrent()
    if not isinstance(call, _Call):
        raise RuntimeError("wait() outside of run_sync()")
    if call.over is not None:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise call.over
    result: T = call.parent.switch(awaitable)
    return result
