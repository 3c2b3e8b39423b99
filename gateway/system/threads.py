"""Threads for the disk: an executor for calls that wait for a disk (fsync, rename), few at a time and bounded."""

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

DISK_PATIENCE = 120.0  # seconds for a message to be on the disk; then a hung one must not hold its sender for ever


async def on_disk(disk: Executor, call: Callable[..., T], *arguments: object) -> T:
    """The result of a call that waits for a disk. Raises what it raises, and TimeoutError after DISK_PATIENCE: it may
    then be done all the same, for a call that has begun cannot be stopped."""
    async with asyncio.timeout(DISK_PATIENCE):
        return await asyncio.get_running_loop().run_in_executor(disk, call, *arguments)


class DiskThreads(ThreadPoolExecutor):
    """A small pool of named threads, for loop.run_in_executor. Refuses a call that would wait behind too many others.

    A running call cannot be stopped: whoever is cancelled while he waits for one leaves it to finish by itself.
    """

    def __init__(self, *, threads: int, waiting: int) -> None:
        """`waiting` bounds the calls that have not begun: a disk that hangs must not collect messages."""
        super().__init__(max_workers=threads, thread_name_prefix="disk")
        self._room = BoundedSemaphore(threads + waiting)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Raises OSError (EAGAIN) where too many calls wait, so that it is handled as any other failure of the disk."""
        if not self._room.acquire(blocking=False):
            raise OSError(errno.EAGAIN, "the disk is too slow: too many calls wait for it")
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: self._room.release())
        return future
