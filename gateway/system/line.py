"""Line: those who wait for what others hold, in this worker or another. Clients take turns, over the whole host: next
is the one that has gone without for the longest, however much another one brings.

What is released in this worker goes to its first who can use it, unless somebody's turn in another worker is clearly
before his: then it is left to that one for a moment. What another worker releases is found by looking, every few
milliseconds and only while somebody waits.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from gateway.system.board import Region
from gateway.system.hostcounts import waiting_for
from gateway.system.sharedroom import SharedRoom
from gateway.system.turns import Turns

T = TypeVar("T")

LOOK = 0.01  # seconds between two looks; little against what is waited for, and nothing to a worker
LEFT = 0.05  # seconds that something is left to one who waits elsewhere; his worker may stand still
PREFERENCE = 0.25  # seconds by which a turn elsewhere must be earlier: what changes the worker costs a new connection
ENDLESS = 1 << 32  # places in a line that what waits in it bounds itself


class Refusal(StrEnum):
    """Why there is nothing to be had."""

    FULL = "the line is full"
    EXPIRED = "the wait is over"


class _Waiter(Struct, Generic[T], frozen=True, eq=False):
    client: str
    attempt: Callable[[], T | None]
    wants: Hashable
    granted: "asyncio.Future[T]"


class Line(Generic[T]):
    """`name` is the same in all workers; so is `capacity`, for all who may wait at once on the host."""

    def __init__(
        self, region: Region, name: str, *, capacity: int = ENDLESS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives monotonic seconds."""
        self._region = region
        self._rank = region.key(f"first in the line {name}")
        self._room = SharedRoom(region, waiting_for(name), capacity)
        self._clock = clock
        self._turns = Turns[_Waiter[T]]()
        self._left_until = 0.0
        self._next_look: asyncio.TimerHandle | None = None

    async def wait(
        self,
        attempt: Callable[[], T | None],
        *,
        client: str,
        wants: Hashable,
        seconds: float,
        undo: Callable[[T], None],
    ) -> T | Refusal:
        """What `attempt` gives, as soon as it gives anything: at once, or within `seconds`.

        It must not wait, and release nothing here. `client` names whose turn it is. Those whose `wants` are equal get
        nothing where another of them just did not. `undo` is called with what came to one who was cancelled in that
        moment.
        """
        now = self._clock()
        self.serve()
        if not self._stands_back(now, now) and (got := attempt()) is not None:
            return got
        if not self._room.take(client):
            return Refusal.FULL
        waiter = _Waiter(client, attempt, wants, asyncio.get_running_loop().create_future())
        self._turns.join(client, waiter, now)
        self._arrange()
        return await self._await(waiter, seconds, undo)

    def released(self) -> None:
        """Something was released in this worker."""
        if not self._turns:
            return
        if self.is_awaited_elsewhere:
            self._left_until = self._clock() + LEFT
        self.serve()

    def serve(self) -> None:
        """Let everyone in the line try, in its order."""
        if not self._turns:
            return
        failed = set()
        now = self._clock()
        for waiter, since in self._turns:
            if waiter.wants in failed or self._stands_back(since, now):
                continue
            got = waiter.attempt()
            if got is None:
                failed.add(waiter.wants)
            else:
                self._turns.serve(waiter.client, waiter, now)
                self._gone(waiter)
                waiter.granted.set_result(got)

    @property
    def is_awaited(self) -> bool:
        """Somebody waits, here or in another worker."""
        return bool(self._turns) or bool(self._region.others(self._rank))

    @property
    def is_full(self) -> bool:
        """Nobody else may wait."""
        return self._room.is_full

    @property
    def is_awaited_elsewhere(self) -> bool:
        """A turn in another worker is clearly before all here."""
        first = self._turns.first_since
        return self._is_before(self._clock() + PREFERENCE if first is None else first)

    @property
    def is_awaited_long_elsewhere(self) -> bool:
        """So long that nothing comes free there."""
        return self._is_before(self._clock())

    def _stands_back(self, since: float, now: float) -> bool:
        """Whether one whose client goes without since then leaves what there is to somebody elsewhere."""
        return (now < self._left_until or now < since + LEFT) and self._is_before(since)

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
                self._turns.leave(waiter.client, waiter)
                self._gone(waiter)

    def _gone(self, waiter: _Waiter[T]) -> None:
        self._room.leave(waiter.client)
        self._arrange()

    def _arrange(self) -> None:
        """Tell the others whose turn it is here, and look again soon, as long as there is somebody."""
        first = self._turns.first_since
        self._region.post(self._rank, 0 if first is None else max(1, int(first * 1000)))
        if self._turns and self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        self._next_look = None
        self.serve()
        self._arrange()
