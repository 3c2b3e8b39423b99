"""Host counts: what all workers hold together, and limits on it that hold for the host.

A worker posts what it holds and then adds up what all hold: whoever finds the limit exceeded takes his own back. So it
is never exceeded, and where two come for the last place at once, it may be that neither gets it.
"""

from collections.abc import Sequence

from gateway.system.board import Region

CONNECTIONS = "connections"  # of clients
MESSAGES = "messages"  # being processed
MEMORY = "memory"  # octets of messages
AT_SPAMD = "at_spamd"  # messages that a spamd works on
SPAMD = "spamd"  # the line of those that wait for one


def waiting_for(name: str) -> str:
    """The name under which is counted who waits in the line of that name."""
    return f"waiting_for_{name}"


SHOWN = (CONNECTIONS, MESSAGES, waiting_for(MESSAGES), MEMORY, AT_SPAMD, waiting_for(SPAMD))  # in the metrics


class HostCounts:
    """Counts under the keys that `key` makes of names."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self.key = region.key
        self.total = region.total  # what the whole host holds
        self.add = region.add  # hold so much more, whatever others hold; False where no further key can be counted

    def is_largest_here(self, key: int) -> bool:
        """No other worker holds as much."""
        return self._region.own(key) > max(self._region.others(key), default=0)

    def take(self, key: int, limit: int, amount: int = 1) -> bool:
        """Hold so much more, if the host then holds no more than `limit`."""
        if self.total(key) + amount > limit or not self.add(key, amount):
            return False
        if self.total(key) > limit:
            self.add(key, -amount)
            return False
        return True

    def full_among(self, keys: Sequence[int], limits: Sequence[int]) -> int | None:
        """The place of the first of these keys under which the host holds as much as its limit allows, or more."""
        for place, total in enumerate(self._region.totals(keys)):
            if total >= limits[place]:
                return place
        return None

    def claim_each(self, keys: Sequence[int], limits: Sequence[int]) -> int | None:
        """Hold one more under each, or nothing: then the place of the key whose limit, or lack of room, stands against
        it. For one who has just seen that there is room."""
        against = self._region.add_each(keys, 1)
        if against is not None:
            return against
        for place, total in enumerate(self._region.totals(keys)):
            if total > limits[place]:
                self.leave_each(keys)
                return place
        return None

    def leave(self, key: int, amount: int = 1) -> None:
        """Hold so much less."""
        self.add(key, -amount)

    def leave_each(self, keys: Sequence[int]) -> None:
        """Hold one less under each."""
        self._region.add_each(keys, -1)


class Places:
    """So many of one thing for the whole host."""

    def __init__(self, counts: HostCounts, name: str, limit: int) -> None:
        self._counts = counts
        self._key = counts.key(name)
        self.limit = limit

    @property
    def taken(self) -> int:
        """By all workers together."""
        return self._counts.total(self._key)

    @property
    def are_full(self) -> bool:
        return self._counts.total(self._key) >= self.limit

    @property
    def are_most_here(self) -> bool:
        """No other worker holds as many."""
        return self._counts.is_largest_here(self._key)

    def take(self, amount: int = 1) -> bool:
        return self._counts.take(self._key, self.limit, amount)

    def leave(self, amount: int = 1) -> None:
        self._counts.add(self._key, -amount)
