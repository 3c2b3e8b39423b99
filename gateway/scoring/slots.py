"""Slots: so many requests at once for each spamd, over all workers, and a bounded line of those who wait.

A request to a spamd whose children are all at work would wait where we can neither see nor bound it: it waits here.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

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

    def take(self, candidates: Sequence[str], *, client: str, seconds: float) -> "_Stay":
        """Hold a slot of the first candidate that has one, waiting `seconds` for it, as an asynchronous context that
        gives its name. Clients take turns."""
        granted = self._line.wait(
            lambda: self._take(candidates),
            client=client,
            wants=frozenset(candidates),
            seconds=seconds,
            undo=self._release,
        )
        return _Stay(granted, self._release)

    def _take(self, candidates: Sequence[str]) -> str | None:
        for name in candidates:
            if self._places[name].take():
                self._counts.add(self._held)
                return name
        return None

    def _release(self, name: str) -> None:
        self._counts.leave(self._held)
        self._places[name].leave()
        self._line.released()


class _Stay:
    """The time between the grant of a slot and its release. A generator, as context, would be noted by the loop."""

    __slots__ = ("_granted", "_name", "_release")

    def __init__(self, granted: Coroutine[Any, Any, str | Refusal], release: Callable[[str], None]) -> None:
        self._granted = granted
        self._release = release

    async def __aenter__(self) -> str | Refusal:
        self._name = await self._granted
        return self._name

    async def __aexit__(self, *_: object) -> None:
        if not isinstance(self._name, Refusal):
            self._release(self._name)
