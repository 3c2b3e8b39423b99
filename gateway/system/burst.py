"""Burst: what the connections of a busy worker have to say in a turn of the event loop, written at its end.

Each write wakes another process. The kernel may let that one run in our place, and what it leaves of the caches is not
ours: amid the checks of messages this costs up to a tenth of all that they cost. Likewise the records of a turn are
noted one behind the other: each but the first then finds in the caches what it needs. Where few connections are open
there is hardly more than one of either a turn, and all is done at once.
"""

import asyncio
import logging
from collections.abc import Callable

MANY = 6  # connections of a worker, below which nothing is gathered: it would wait for others in vain

log = logging.getLogger(__name__)


class Burst:
    """What goes through it, goes in its order."""

    def __init__(self, connections: Callable[[], int] = lambda: 0) -> None:
        """`connections` tells how many the worker has; where there are none, nothing ever waits."""
        self._connections = connections
        self._gathers = False
        self._first: list[Callable[[], None]] = []
        self._due: list[tuple[asyncio.WriteTransport, bytes]] = []

    def first(self, act: Callable[[], None]) -> None:
        """Have it done in this turn, before anything that is written from now on leaves. Its failure is logged, and
        nobody else's."""
        if self._gathers or self._begins():
            self._first.append(act)
        else:
            _do(act)

    def write(self, transport: asyncio.WriteTransport, octets: bytes) -> None:
        """Write in this turn, unless the transport is closed by then."""
        if self._gathers or self._begins():
            self._due.append((transport, octets))
        else:
            transport.write(octets)

    def leave(self) -> None:
        """Do all of it now: before one of the connections is closed, or goes on over TLS."""
        for act in self._first:  # one of them may have another done behind them
            _do(act)
        self._first.clear()
        self._gathers = False
        due, self._due = self._due, []
        for transport, octets in due:
            try:
                if not transport.is_closing():
                    transport.write(octets)
            except RuntimeError:  # it was half closed: a mistake of ours, for which no other connection is to pay
                log.exception("a connection could not be written to")
                transport.abort()

    def _begins(self) -> bool:
        """Whether to gather until the end of this turn."""
        self._gathers = self._connections() >= MANY
        if self._gathers:
            asyncio.get_running_loop().call_soon(self.leave)
        return self._gathers


def _do(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:
        log.exception("what comes before writing failed")


AT_ONCE = Burst()  # where nobody gathers writes
