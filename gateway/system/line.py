"""Line: those who wait for what others hold, in this worker or another. Clients take turns, over the whole host: next
is the one that has gone without for the longest, however much another one brings.

What is released in this worker goes to its first who can use it, unless somebody's turn in another worker is clearly
before his: then it is left to that one for a moment. What another worker releases is found by looking, every few
milliseconds and only while somebody waits; more seldom where it goes to others who wait.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from gateway.system.board import Region
from gateway.system.hostcounts import waiting_for
from gateway.system.sharedroom import SharedRoom
from gateway.system.turns import Turns

T = TypeVar("T")

MILLISECONDS = 1000  # in which times stand on the board
LOOK = 0.01  # seconds between two looks; little against what is waited for, and nothing to a worker
SOON = 0.002  # seconds after a look within which nothing new is expected
LEFT = 0.05  # seconds that something is left to one who waits elsewhere; his worker may stand still
NOBODY = math.inf  # since when one who does not wait goes without
SELDOM = 0.04  # seconds between two looks at what goes to others; less than LEFT, should they come to leave it
PREFERENCE = 0.25  # seconds by which a turn elsewhere must be earlier: what changes the worker costs a new connection


class Refusal(StrEnum):
    """Why there is nothing to be had."""

    FULL = "the line is full"
    EXPIRED = "the wait is over"


class _Waiter(Struct, Generic[T], frozen=True, eq=False):
    client: str
    attempt: Callable[[], T | None]
    wants: Hashable
    told: "asyncio.Future[T | Refusal]"


class Line(Generic[T]):
    """`name` is the same in all workers; so is `capacity`, for all who may wait at once on the host, where what waits
    does not bound itself."""

    def __init__(
        self, region: Region, name: str, *, capacity: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives monotonic seconds."""
        self._region = region
        self._rank = region.key(f"first in the line {name}")
        self._posted = 0  # under that key
        self._room = None if capacity is None else SharedRoom(region, waiting_for(name), capacity)
        self._clock = clock
        self._turns = Turns[_Waiter[T]]()
        self._ends: dict[_Waiter[T], float] = {}  # of each wait; empty where nobody waits
        self._wanted = Counter[Hashable]()  # by how many
        self._left_until = 0.0
        self._served_at = 0.0
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
        """What `attempt` gives, as soon as it gives anything: at once, or within `seconds`, or by the look after them.

        It must not wait, and release nothing here. `client` names whose turn it is. Those whose `wants` are equal get
        nothing where another of them just did not. `undo` is called with what came to one who was cancelled in that
        moment.
        """
        now, elsewhere = self._clock(), self._first_elsewhere()
        if self._ends and (wants not in self._wanted or now >= self._served_at + SOON):
            self._serve(now, elsewhere)
        is_free = wants not in self._wanted and (elsewhere == NOBODY or not self._stands_back(now, now, elsewhere))
        if is_free and (got := attempt()) is not None:
            return got
        if self._room is not None and not self._room.take(client):
            return Refusal.FULL
        waiter = _Waiter(client, attempt, wants, asyncio.get_running_loop().create_future())
        self._come(waiter, now, now + seconds)
        try:
            return await waiter.told
        except asyncio.CancelledError:
            if waiter.told.cancelled():
                self._leave(waiter)
            elif not isinstance(told := waiter.told.result(), Refusal):
                undo(told)
            raise

    def released(self) -> None:
        """Something was released in this worker."""
        if not self._ends:
            return
        now, elsewhere = self._clock(), self._first_elsewhere()
        if _is_before(elsewhere, self._turns.first_since or now):
            self._left_until = now + LEFT
        self._serve(now, elsewhere)

    @property
    def is_awaited(self) -> bool:
        """Somebody waits, here or in another worker."""
        return bool(self._ends or self._region.others(self._rank))

    @property
    def is_full(self) -> bool:
        """Nobody else may wait."""
        return self._room is not None and self._room.is_full

    @property
    def is_awaited_elsewhere(self) -> bool:
        """A turn in another worker is clearly before all here."""
        elsewhere = self._first_elsewhere()
        if elsewhere == NOBODY:
            return False
        first = self._turns.first_since
        return _is_before(elsewhere, self._clock() + PREFERENCE if first is None else first)

    @property
    def is_awaited_long_elsewhere(self) -> bool:
        """So long that nothing comes free there."""
        return _is_before(self._first_elsewhere(), self._clock())

    def _serve(self, now: float, elsewhere: float) -> None:
        """Let everyone in the line try, in its order, until nothing of what they want is to be had."""
        self._served_at = now
        failed: set[Hashable] = set()
        served: list[tuple[_Waiter[T], T]] = []
        for waiter, since in self._turns:
            if waiter.wants in failed or waiter.told.done() or self._stands_back(since, now, elsewhere):
                continue
            got = waiter.attempt()
            if got is not None:
                served.append((waiter, got))
                continue
            failed.add(waiter.wants)
            if len(failed) == len(self._wanted):
                break
        for waiter, got in served:
            self._turns.serve(waiter.client, waiter, now)
            waiter.told.set_result(got)
            self._gone(waiter)
        if served:
            self._arrange()

    def _stands_back(self, since: float, now: float, elsewhere: float) -> bool:
        """Whether one whose client goes without since then leaves what there is to somebody elsewhere."""
        return _is_before(elsewhere, since) and (now < self._left_until or now < since + LEFT)

    def _first_elsewhere(self) -> float:
        """Since when a client goes without whose turn is next in another worker; NOBODY where none waits there."""
        ranks = self._region.others(self._rank)
        return min(ranks) / MILLISECONDS if ranks else NOBODY

    def _come(self, waiter: _Waiter[T], now: float, ends: float) -> None:
        self._turns.join(waiter.client, waiter, now)
        self._wanted[waiter.wants] += 1
        self._ends[waiter] = ends
        self._arrange()

    def _leave(self, waiter: _Waiter[T]) -> None:
        """With nothing."""
        self._turns.leave(waiter.client, waiter)
        self._gone(waiter)
        self._arrange()

    def _gone(self, waiter: _Waiter[T]) -> None:
        del self._ends[waiter]
        self._wanted[waiter.wants] -= 1
        if not self._wanted[waiter.wants]:
            del self._wanted[waiter.wants]
        if self._room is not None:
            self._room.leave(waiter.client)

    def _arrange(self) -> None:
        """Tell the others whose turn it is here, and look again soon, as long as there is somebody."""
        first = self._turns.first_since
        rank = 0 if first is None else max(1, int(first * MILLISECONDS))
        if rank != self._posted and self._region.post(self._rank, rank):
            self._posted = rank
        if first is not None and self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(self._pause(), self._look)

    def _pause(self) -> float:
        """Seconds until the next look, in any case until the first wait is over. It can be seldom where in every other
        worker somebody waits, one of them before all here: they take what is released there."""
        ranks = self._region.others(self._rank)
        theirs = len(ranks) == self._region.neighbours and min(ranks, default=0) < self._posted
        return max(0.0, min(SELDOM if theirs else LOOK, min(self._ends.values()) - self._clock()))

    def _look(self) -> None:
        self._next_look = None
        now = self._clock()
        try:
            self._serve(now, self._first_elsewhere())
        finally:  # whatever became of an attempt, each wait ends
            if min(self._ends.values(), default=math.inf) <= now:
                self._end(now)
            self._arrange()

    def _end(self, now: float) -> None:
        """End the waits whose time is over."""
        for waiter in [waiter for waiter, ends in self._ends.items() if ends <= now and not waiter.told.done()]:
            waiter.told.set_result(Refusal.EXPIRED)
            self._leave(waiter)


def _is_before(one: float, other: float) -> bool:
    """The turn of one who goes without since then is clearly before that of the other."""
    return one < other - PREFERENCE
