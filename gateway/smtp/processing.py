"""Processing: the messages that are whole, from their final dot to the answer: so many at once on the host. Others wait
in line, where networks take turns, for a bounded time: to process more at once makes none of them quicker."""

from msgspec import Struct

from gateway.system.board import Region
from gateway.system.hostcounts import MESSAGES, HostCounts, Places
from gateway.system.line import Line, Refusal

ENDLESS = 1 << 30


class Bounds(Struct, frozen=True):
    """Of messages, for all workers together."""

    at_once: int = ENDLESS
    waiting: int = 0
    seconds: float = 60.0  # that one waits


class Processing:
    """`under_way` counts those of this worker: they always finish."""

    def __init__(self, region: Region, bounds: Bounds) -> None:
        self._places = Places(HostCounts(region), MESSAGES, bounds.at_once)
        self._line = Line[bool](region, MESSAGES, capacity=bounds.waiting)
        self._seconds = bounds.seconds
        self.under_way = 0

    @property
    def is_full(self) -> bool:
        """One more could not even wait."""
        return self._places.are_full and self._line.is_full

    async def begin(self, client: str) -> bool:
        """Have a place, or wait for one; False where there is none in time. `client` names whose turn it is."""
        if self._line.is_awaited or not self._places.take():
            granted = await self._line.wait(
                lambda: self._places.take() or None,
                client=client,
                wants=MESSAGES,
                seconds=self._seconds,
                undo=lambda _: self._leave(),
            )
            if isinstance(granted, Refusal):
                return False
        self.under_way += 1
        return True

    def end(self) -> None:
        self.under_way -= 1
        self._leave()

    def _leave(self) -> None:
        self._places.leave()
        self._line.released()
