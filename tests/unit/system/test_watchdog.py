"""What the watchdogs of a loop share, and what none of them takes from the others."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.system.watchdog import NAP, NEVER, REST, Watch, Watchdog


class Clock:
    """The time and the only timer of a loop, which rings at a word."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[float] = []
        self._call: Callable[[], None] | None = None

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> "Clock":
        self.timers.append(when)
        self._call = call
        return self

    def cancel(self) -> None:
        self._call = None

    def ring(self) -> None:
        self.now, call, self._call = self.timers[-1], self._call, None
        assert call is not None
        call()

    @property
    def is_running(self) -> bool:
        return self._call is not None


class Pack:
    """Watchdogs of one clock. Those that have rung are named, with the time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = cast(asyncio.AbstractEventLoop, self.clock)
        self.watch = Watch(self.loop)
        self.rung: list[tuple[str, float]] = []

    def dog(self, name: str, deadline: float) -> Watchdog:
        return self.calling(lambda: self.rung.append((name, self.clock.now)), deadline)

    def calling(self, expired: Callable[[], None], deadline: float) -> Watchdog:
        watchdog = Watchdog(self.loop, expired, self.watch)
        watchdog.until(deadline)
        return watchdog


def test_all_deadlines_share_a_timer_and_each_rings_in_its_time() -> None:
    pack = Pack()
    for name, deadline in (("second", 2.0 * NAP), ("never", NEVER), ("first", 1.5 * NAP), ("too", 2.0 * NAP)):
        pack.dog(name, deadline)
    assert pack.clock.timers == [NAP]
    while pack.clock.is_running:
        pack.clock.ring()
    assert pack.clock.timers == [NAP, 1.5 * NAP, 2.0 * NAP]
    assert pack.rung[0] == ("first", 1.5 * NAP)
    assert sorted(pack.rung[1:]) == [("second", 2.0 * NAP), ("too", 2.0 * NAP)]


def test_one_that_fails_or_stops_another_keeps_none_from_ringing() -> None:
    pack = Pack()
    stopped = pack.dog("stopped", 1.2)

    def fails() -> None:
        stopped.stop()
        raise ZeroDivisionError

    pack.calling(fails, 1.0)
    pack.dog("other", 1.0)
    pack.dog("later", 1.5)
    with pytest.raises(ZeroDivisionError):
        pack.clock.ring()
    while pack.clock.is_running:
        pack.clock.ring()
    assert [name for name, _ in pack.rung] == ["other", "later"]


def test_deadlines_that_come_thick_are_looked_at_together() -> None:
    pack = Pack()
    for number in range(100):
        pack.dog(str(number), 1 + number * REST / 10)
    while pack.clock.is_running:
        pack.clock.ring()
    assert len(pack.rung) == 100
    assert len(pack.clock.timers) <= 13
    assert all(at - (1 + int(name) * REST / 10) <= REST for name, at in pack.rung)
