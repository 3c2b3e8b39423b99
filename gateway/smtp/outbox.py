"""Outbox: turns the replies to a pipelined group into one write, and so into one packet (RFC 2920).

A reply leaves in this turn of the event loop (gateway/system/burst.py) where no further command is here, else before
the session waits for the client, and soon in any case: the next command may take its time.
"""

import asyncio
from collections.abc import Callable

from gateway.reply import Reply
from gateway.system.burst import Burst
from gateway.system.tcp import unacknowledged

HOLD = 0.05  # seconds that a reply may wait for the next one


class Outbox:
    """What is to be sent to the client. Without a transport everything said is lost, as it would be on the wire."""

    __slots__ = ("_blocked", "_burst", "_is_last", "_loop", "_said", "_timer", "transport")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, burst: Burst, is_last: Callable[[], bool] = lambda: False
    ) -> None:
        """`is_last` tells whether the client has sent nothing more that could be answered in the same write."""
        self._loop = loop
        self._burst = burst
        self._is_last = is_last
        self._said: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._blocked: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None

    def greet(self, banner: Reply) -> None:
        """Say the first words, at once: whoever speaks before them speaks too early (RFC 5321 section 4.3.1)."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(banner.to_bytes())

    def say(self, reply: Reply) -> None:
        self._said.append(reply.to_bytes())
        if self._is_last():
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(HOLD, self.flush)

    def flush(self) -> None:
        """Let what was said leave."""
        if not self._said:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        octets = b"".join(self._said)
        self._said.clear()
        if self.transport is not None and not self.transport.is_closing():
            self._burst.write(self.transport, octets)

    def flush_now(self) -> None:
        """The same, before anything else is done to the connection."""
        self.flush()
        self._burst.leave()

    @property
    def is_unheard(self) -> bool:
        """The client cannot have seen all that it was told when it sent what has come of it."""
        return bool(self._said) or (self.transport is not None and unacknowledged(self.transport) > 0)

    @property
    def is_blocked(self) -> bool:
        """The client does not read what it is told."""
        return self._blocked is not None

    async def room(self) -> None:
        """Wait until the client has read enough."""
        if self._blocked is not None:
            await self._blocked

    def pause(self) -> None:
        """The transport holds as much as it may."""
        self._blocked = self._loop.create_future()

    def resume(self) -> None:
        blocked, self._blocked = self._blocked, None
        if blocked is not None and not blocked.done():
            blocked.set_result(None)
