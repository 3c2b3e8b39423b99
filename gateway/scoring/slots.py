"""Slots: so many requests at once for each spamd, over all workers, and a bounded line of those who wait.

A request to a spamd whose children are all at work would wait where we can neither see nor bound it: it waits here.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from gateway.system.board import Region
from gateway.system.hostcounts import AT_SPAMD, SPAMD, HostCounts, Places
from gateway.system.line import Line, Refusal


class Slots:
    """`capacity` is the number of slots by the spamd's name; at most `max_waiting` may wait for one, over all of
    them."""

    def __init__(self, capacity: Mapping[str, int], *, max_waiting: int, region: Region) -> None:
        counts = HostCounts(region)
        self._places = {name: Places(counts, f"at spamd {name}", number) for name, number in capacity.items()}
        self._counts, self._held = counts, counts.key(AT_SPAMD)
        self._line = Line[str](region, SPAMD, capacity=max_waiting)

    @asynccontextmanager
    async def take(self, candidates: Sequence[str], *, client: str, seconds: float) -> AsyncIterator[str | Refusal]:
        """Hold a slot of the first candidate that has one, waiting `seconds` for it; yields its name. Clients take
        turns."""
        granted = await self._line.wait(
            lambda: self._take(candidates),
            client=client,
            wants=frozenset(candidates),
            seconds=seconds,
            undo=self._release,
        )
        try:
            yield granted
        finally:
            if not isinstance(granted, Refusal):
                self._release(granted)

    def _take(self, candidates: Sequence[str]) -> str | None:
        name = next((name for name in candidates if self._places[name].take()), None)
        if name is not None:
            self._counts.add(self._held)
        return name

    def _release(self, name: str) -> None:
        self._counts.leave(self._held)
        self._places[name].leave()
        self._line.released()
