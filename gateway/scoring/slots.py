"""Slots: so many requests at once for each host, and a bounded line of those who wait. First come, first served.

A request to a spamd whose children are all at work would wait where we can neither see nor bound it: it waits here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum


class Refusal(StrEnum):
    """Why there is no slot."""

    FULL = "the line is full"
    EXPIRED = "the wait is over"


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    candidates: Sequence[str]
    granted: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Slots:
    """`capacity` is the number of slots by the host's name; at most `max_waiting` may wait for one, over all hosts."""

    def __init__(self, capacity: Mapping[str, int], *, max_waiting: int) -> None:
        self._free = dict(capacity)
        self._max_waiting = max_waiting
        self._line: deque[_Waiter] = deque()

    @asynccontextmanager
    async def take(self, candidates: Sequence[str], *, seconds: float) -> AsyncIterator[str | Refusal]:
        """Hold a slot of the first candidate that has one, waiting `seconds` for it; yields the name of its host."""
        granted = await self._acquire(candidates, seconds)
        try:
            yield granted
        finally:
            if not isinstance(granted, Refusal):
                self._release(granted)

    async def _acquire(self, candidates: Sequence[str], seconds: float) -> str | Refusal:
        for host in candidates:
            if self._free[host] > 0:
                self._free[host] -= 1
                return host
        if len(self._line) >= self._max_waiting:
            return Refusal.FULL
        waiter = _Waiter(candidates)
        self._line.append(waiter)
        return await self._wait(waiter, seconds)

    async def _wait(self, waiter: _Waiter, seconds: float) -> str | Refusal:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(waiter.granted)
        except TimeoutError:
            return waiter.granted.result() if waiter.granted.done() else Refusal.EXPIRED
        except asyncio.CancelledError:
            if waiter.granted.done():
                self._release(waiter.granted.result())
            raise
        finally:
            if not waiter.granted.done():
                self._line.remove(waiter)

    def _release(self, host: str) -> None:
        for waiter in self._line:
            if host in waiter.candidates:
                self._line.remove(waiter)
                waiter.granted.set_result(host)
                return
        self._free[host] += 1
