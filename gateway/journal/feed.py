"""The feed: a socket pair over which the workers give entries to the journal's process, in packets of a few.

All workers share its one end. The supervisor holds both, so that what is on the way outlives the journal's process;
the kernel bounds how much that is. What does not fit in waits in the worker, up to a bound, and is dropped beyond it:
no message ever waits.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from gateway.journal.frame import encode, packed
from gateway.record import Record
from gateway.system.burst import AT_ONCE, Burst

BUFFER = 1 << 20  # octets asked of the kernel for some hundred entries; it gives what net.core.wmem_max allows
RETRY = 0.05  # seconds between two attempts to hand over what waits
LAST_WORDS = 1.0  # seconds that the end of a worker waits for the journal's process to take what it has


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: the workers' and that of the journal's process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    for sock in (ours, theirs):
        sock.settimeout(0)
    return ours, theirs


class Feed:
    """A worker's end. Made inside a running event loop."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        glossary: str,
        limit: int,
        on_drop: Callable[[int], None],
        burst: Burst = AT_ONCE,
    ) -> None:
        """`glossary` is the digest of that of the facts. `limit` is for the entries that wait here while there is no
        room for more in the kernel. `burst` gathers those of a turn."""
        self._socket = sock
        self._glossary = glossary
        self._limit = limit
        self._on_drop = on_drop
        self._burst = burst
        self._waiting: deque[bytes] = deque()
        self._missing = 0  # entries that were dropped since the journal was last told of it
        self._retry: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def waiting(self) -> int:
        """Entries that wait here."""
        return len(self._waiting)

    def put(self, record: Record) -> None:
        """Hand it over in this turn, have it wait, or drop it."""
        if self._retry and len(self._waiting) >= self._limit:
            self._missing += 1
            self._on_drop(1)
            return
        self._waiting.append(encode(record, self._glossary, self._missing))
        self._missing = 0
        if len(self._waiting) == 1:
            self._burst.first(self._hand_over)

    async def close(self) -> None:
        """Hand over what waits, for a short while at most, and drop the rest."""
        deadline = self._loop.time() + LAST_WORDS
        self._hand_over()
        while self._waiting and self._loop.time() < deadline:  # noqa: ASYNC110  nothing tells when there is room
            await asyncio.sleep(RETRY)
        if self._retry:
            self._retry.cancel()
        if self._waiting:
            self._on_drop(len(self._waiting))
            self._waiting.clear()
        self._socket.close()

    def _hand_over(self) -> None:
        """What waits, as far as there is room for it now; what is left is tried again."""
        self._retry = None
        while self._waiting:
            packet, entries = packed(self._waiting)
            try:
                self._socket.send(packet)
            except OSError:  # full; or broken, since the supervisor is gone
                self._retry = self._loop.call_later(RETRY, self._hand_over)
                return
            for _ in range(entries):
                self._waiting.popleft()
