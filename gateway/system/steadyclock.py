"""Steady clock: Unix time for whoever removes what is old, since a wall clock that jumps forward makes nothing old."""

import time
from collections.abc import Callable


class SteadyClock:
    """Unix time that is never ahead of what has passed since this process made it. A process that starts with a wrong
    wall clock has a wrong one here too."""

    __slots__ = ("_began", "_passed", "_wall")

    def __init__(self, *, wall: Callable[[], float] = time.time, passed: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._passed = passed
        self._began = wall() - passed()

    def __call__(self) -> float:
        return min(self._wall(), self._began + self._passed())
