"""Watchdog: one timer for all deadlines of a connection; one for each command would cost more than the command."""

import asyncio
import math
from collections.abc import Callable

NEVER = math.inf
NAP = 10.0  # seconds that a timer runs at most: a deadline that comes nearer seldom needs another one


class Watchdog:
    """Calls `expired` when the deadline has passed. One that moves away leaves the timer alone until it fires."""

    __slots__ = ("_deadline", "_expired", "_loop", "_rings_at", "_timer", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self.now = loop.time  # what deadlines are reckoned from
        self._expired = expired
        self._deadline = NEVER
        self._rings_at = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def until(self, deadline: float) -> None:
        """Set the deadline, in the loop's time; NEVER for none."""
        self._deadline = deadline
        if deadline < self._rings_at:
            self._arm()

    def stop(self) -> None:
        """No deadline matters any more. Whom it would have called mostly holds it: without this cycle, what a
        connection leaves is freed at once, and not searched for by the garbage collector."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rings_at = -math.inf  # no deadline comes before that
        self._expired = _nobody

    def _arm(self) -> None:
        when = min(self._deadline, self.now() + NAP)
        if when < self._rings_at:
            if self._timer is not None:
                self._timer.cancel()
            self._rings_at = when
            self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._rings_at = NEVER
        if self.now() < self._deadline:
            if self._deadline < NEVER:
                self._arm()
            return
        self._deadline = NEVER
        self._expired()


def _nobody() -> None:
    """Who is called once it was stopped."""
