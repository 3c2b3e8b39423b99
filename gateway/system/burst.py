"""Burst: what the connections of a busy worker have to say in a turn of the event loop, written at its end.

Each write wakes another process. The kernel may let that one run in our place, and what it leaves of the caches is not
ours: amid the checks of messages this costs up to a tenth of all that they cost. Where few connections are open there
is hardly more than one write a turn, and each is made at once.
"""

import asyncio
import logging
from collections.abc import Callable

MANY = 6  # connections of a worker, below which it would wait for others in vain

log = logging.getLogger(__name__)


class Burst:
    """What goes through it, goes in its order."""

    def __init__(self, connections: Callable[[], int] = lambda: 0) -> None:
        """`connections` tells how many the worker has; where there are none, nothing ever waits."""
        self._connections = connections
        self._due: list[tuple[asyncio.WriteTransport, bytes]] = []

    def write(self, transport: asyncio.WriteTransport, octets: bytes) -> None:
        """Write in this turn, unless the transport is closed by then."""
        if not self._due:
            if self._connections() < MANY:
                return transport.write(octets)
            asyncio.get_running_loop().call_soon(self.leave)
        return self._due.append((transport, octets))

    def leave(self) -> None:
        """Write all of it now: before one of the connections is closed, or goes on over TLS."""
        due, self._due = self._due, []
        for transport, octets in due:
            try:
                if not transport.is_closing():
                    transport.write(octets)
            except RuntimeError:  # it was half closed: a mistake of ours, for which no other connection is to pay
                log.exception("a connection could not be written to")
                transport.abort()


AT_ONCE = Burst()  # where nobody gathers writes
