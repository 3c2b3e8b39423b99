"""Shared room: so many of one thing for the whole host, of which no client can take what is left to the others.

Nobody may have as many as are free: a client alone gets half of all, nine that take what they can a tenth each, and
there is one left for whoever comes next.
"""

from gateway.system.board import Region
from gateway.system.hostcounts import HostCounts, Places


class SharedRoom:
    """`name` is the same in all workers."""

    def __init__(self, region: Region, name: str, limit: int) -> None:
        self._counts = HostCounts(region)
        self._name = name
        self._all = Places(self._counts, name, limit)

    @property
    def is_full(self) -> bool:
        return self._all.are_full

    def take(self, client: str) -> bool:
        key, free = self._key(client), self._all.limit - self._all.taken
        if self._counts.total(key) >= free or not self._all.take():
            return False
        if not self._counts.add(key):
            self._all.leave()
            return False
        return True

    def leave(self, client: str) -> None:
        self._counts.leave(self._key(client))
        self._all.leave()

    def _key(self, client: str) -> int:
        return self._counts.key(f"{self._name}: {client}")
