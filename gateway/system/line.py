"""Line: those who wait for what others hold, in this worker or another. First come, first served, over the whole host.

What is released in this worker goes to its first who can use it, unless somebody waits in another worker for longer:
then it is left to that one for a moment. What another worker releases is found by looking, every few milliseconds and
only while somebody waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from gateway.system.board import Region
from gateway.system.hostcounts import HostCounts, Places

T = TypeVar("T")

LOOK = 0.01  # seconds between two looks; little against what is waited for, and nothing to a worker
LEFT = 0.05  # seconds that something is left to one who waits elsewhere; his worker may stand still
PREFERENCE = 0.25  # seconds that one elsewhere must have waited longer: what changes the worker costs a new connection
ENDLESS = 1 << 32  # places in a line that what waits in it bounds itself


class Refusal(StrEnum):
    """Why there is nothing to be had."""

    FULL = "the line is full"
    EXPIRED = "the wait is over"


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter(Generic[T]):
    attempt: Callable[[], T | None]
    wants: Hashable
    since: float
    granted: "asyncio.Future[T]"


class Line(Generic[T]):
    """`name` is the same in all workers; so is `capacity`, for all who may wait at once on the host."""

    def __init__(
        self, region: Region, name: str, *, capacity: int = ENDLESS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives monotonic seconds."""
        self._region = region
        self._rank = region.key(f"first in the line {name}")
        self._room = Places(HostCounts(region), f"waiting in the line {name}", capacity)
        self._clock = clock
        self._waiters: deque[_Waiter[T]] = deque()
        self._left_until = 0.0
        self._next_look: asyncio.TimerHandle | None = None

    async def wait(
        self, attempt: Callable[[], T | None], *, wants: Hashable, seconds: float, undo: Callable[[T], None]
    ) -> T | Refusal:
        """What `attempt` gives, as soon as it gives anything: at once, or within `seconds`.

        It must not wait, and release nothing here. Those whose `wants` are equal get nothing where another of them just
        did not. `undo` is called with what came to one who was cancelled in that moment.
        """
        now = self._clock()
        self.serve()
        if not self._stands_back(now, now) and (got := attempt()) is not None:
            return got
        if not self._room.take():
            return Refusal.FULL
        waiter = _Waiter(attempt, wants, now, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._arrange()
        return await self._await(waiter, seconds, undo)

    def released(self) -> None:
        """Something was released in this worker."""
        if self._waiters and self.is_awaited_elsewhere:
            self._left_until = self._clock() + LEFT
        self.serve()

    def serve(self) -> None:
        """Let everyone in the line try, in its order."""
        failed = set()
        now = self._clock()
        for waiter in tuple(self._waiters):
            if waiter.wants in failed or self._stands_back(waiter.since, now):
                continue
            got = waiter.attempt()
            if got is None:
                failed.add(waiter.wants)
            else:
                self._leave(waiter)
                waiter.granted.set_result(got)

    @property
    def is_awaited_elsewhere(self) -> bool:
        """Somebody in another worker has waited clearly longer than anybody here."""
        return self._is_before(self._waiters[0].since if self._waiters else self._clock() + PREFERENCE)

    def _stands_back(self, since: float, now: float) -> bool:
        """Whether one who waits since then leaves what there is to somebody elsewhere."""
        return now < max(self._left_until, since + LEFT) and self._is_before(since)

    def _is_before(self, since: float) -> bool:
        elsewhere = self._region.others(self._rank)
        return bool(elsewhere) and min(elsewhere) < (since - PREFERENCE) * 1000

    async def _await(self, waiter: _Waiter[T], seconds: float, undo: Callable[[T], None]) -> T | Refusal:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(waiter.granted)
        except TimeoutError:
            return waiter.granted.result() if waiter.granted.done() else Refusal.EXPIRED
        except asyncio.CancelledError:
            if waiter.granted.done():
                undo(waiter.granted.result())
            raise
        finally:
            if not waiter.granted.done():
                self._leave(waiter)

    def _leave(self, waiter: _Waiter[T]) -> None:
        self._waiters.remove(waiter)
        self._room.leave()
        self._arrange()

    def _arrange(self) -> None:
        """Tell the others who is first here, and look again soon, as long as there is somebody."""
        first = self._waiters[0].since if self._waiters else 0.0
        self._region.post(self._rank, max(1, int(first * 1000)) if self._waiters else 0)
        if self._waiters and self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        self._next_look = None
        self.serve()
        self._arrange()
