"""Watchdog: one timer for all deadlines of a connection; one for each command would cost more than the command."""

import asyncio
import math
from collections.abc import Callable

NEVER = math.inf


class Watchdog:
    """Calls `expired` when the deadline has passed. One that moves away leaves the timer alone until it fires."""

    __slots__ = ("_deadline", "_expired", "_loop", "_rings_at", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._deadline = NEVER
        self._rings_at = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def until(self, deadline: float) -> None:
        """Set the deadline, in the loop's time; NEVER for none."""
        self._deadline = deadline
        if deadline < self._rings_at:
            self.stop()
            self._arm(deadline)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._rings_at = NEVER

    def _arm(self, when: float) -> None:
        self._rings_at = when
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._rings_at = NEVER
        if self._loop.time() < self._deadline:
            if self._deadline < NEVER:
                self._arm(self._deadline)
            return
        self._deadline = NEVER
        self._expired()
