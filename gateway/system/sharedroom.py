"""Shared room: so many of one thing for the whole host, of which no client can take what is left to the others.

Nobody may have as many as are free: a client alone gets half of all, nine that take what they can a tenth each, and
there is one left for whoever comes next.
"""

from functools import lru_cache

from gateway.system.board import Region
from gateway.system.hostcounts import HostCounts

KEPT_CLIENTS = 1024  # whose keys are kept ready: who comes now comes again, and each key is a hash


class SharedRoom:
    """`name` is the same in all workers."""

    def __init__(self, region: Region, name: str, limit: int) -> None:
        self._counts = counts = HostCounts(region)
        self._limit = limit
        self._all = counts.key(name)
        self._key = lru_cache(KEPT_CLIENTS)(lambda client: counts.key(f"{name}: {client}"))

    @property
    def is_full(self) -> bool:
        return self._counts.total(self._all) >= self._limit

    def take(self, client: str) -> bool:
        counts, key = self._counts, self._key(client)
        if counts.total(key) >= self._limit - counts.total(self._all) or not counts.take(self._all, self._limit):
            return False
        if not counts.add(key):
            counts.leave(self._all)
            return False
        return True

    def leave(self, client: str) -> None:
        self._counts.leave(self._key(client))
        self._counts.leave(self._all)
