"""Watchdog: one timer for all deadlines of all connections; one for each would cost as much as a command."""

import asyncio
import math
from collections.abc import Callable

NEVER = math.inf
NAP = 10.0  # seconds that the timer runs at most: a deadline that comes nearer seldom needs another one
REST = 0.05  # seconds that it runs at least after it has rung: however many deadlines pass, they cost little


class Watch:
    """The timer that the watchdogs of an event loop share."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._awake: set[Watchdog] = set()
        self._rung_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.rings_at = NEVER

    def join(self, watchdog: "Watchdog") -> None:
        self._awake.add(watchdog)

    def leave(self, watchdog: "Watchdog") -> None:
        self._awake.discard(watchdog)

    def ring_at(self, deadline: float) -> None:
        """Or earlier."""
        when = max(min(deadline, self._loop.time() + NAP), self._rung_at + REST)
        if deadline < NEVER and when < self.rings_at:
            if self._timer is not None:
                self._timer.cancel()
            self.rings_at = when
            self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer, self.rings_at = None, NEVER
        self._rung_at = now = self._loop.time()
        try:
            for watchdog in [watchdog for watchdog in self._awake if watchdog.deadline <= now]:
                watchdog.look(now)
        finally:  # whatever became of one, the others are watched
            self.ring_at(min((watchdog.deadline for watchdog in self._awake), default=NEVER))


class Watchdog:
    """Calls `expired` when the deadline has passed. One that moves away leaves the timer alone until it rings."""

    __slots__ = ("_expired", "_watch", "deadline", "now")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None], watch: Watch | None = None
    ) -> None:
        """`watch` is the one that others share; without it this one has its own."""
        self.now = loop.time  # what deadlines are reckoned from
        self.deadline = NEVER
        self._expired = expired
        self._watch = watch or Watch(loop)
        self._watch.join(self)

    def until(self, deadline: float) -> None:
        """Set the deadline, in the loop's time; NEVER for none."""
        self.deadline = deadline
        if deadline < self._watch.rings_at:
            self._watch.ring_at(deadline)

    def stop(self) -> None:
        """No deadline matters any more. Whom it would have called mostly holds it: without this cycle, what a
        connection leaves is freed at once, and not searched for by the garbage collector."""
        self._watch.leave(self)
        self._expired = _nobody

    def look(self, now: float) -> None:
        if self.deadline <= now:
            self.deadline = NEVER
            self._expired()


def _nobody() -> None:
    """Who is called once it was stopped."""
