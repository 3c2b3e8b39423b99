"""Outbox: turns the replies to a pipelined group into one write, and so into one packet (RFC 2920).

A reply leaves in this turn of the event loop (gateway/system/burst.py) where no further command is here: before the
session waits for the client. Else it is held for the next one, but not long: the next command may take its time.
"""

import asyncio

from gateway.reply import Reply
from gateway.system.burst import Burst
from gateway.system.tcp import unacknowledged

HOLD = 0.05  # seconds that a reply may wait for the next one


class Outbox:
    """What is to be sent to the client. Without a transport everything said is lost, as it would be on the wire."""

    __slots__ = ("_burst", "_loop", "_said", "_timer", "blocked", "is_awaited", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, burst: Burst) -> None:
        self._loop = loop
        self._burst = burst
        self._said: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self.blocked: asyncio.Future[None] | None = None  # while the client does not read what it is told
        self.is_awaited = False  # the session waits for the client to read
        self.transport: asyncio.Transport | None = None

    def greet(self, banner: Reply) -> None:
        """Say the first words, at once: whoever speaks before them speaks too early (RFC 5321 section 4.3.1)."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(banner.to_bytes())

    def say(self, reply: Reply) -> None:
        """Whoever says something lets it leave, or has it held, before doing what may take time."""
        self._said.append(reply.to_bytes())

    def hold(self) -> None:
        """Let what was said wait for what is said next."""
        if self._said and self._timer is None:
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
    def is_empty(self) -> bool:
        """Nothing that was said waits."""
        return not self._said

    @property
    def is_unheard(self) -> bool:
        """The client cannot have seen all that it was told when it sent what has come of it."""
        return bool(self._said) or (self.transport is not None and unacknowledged(self.transport) > 0)

    async def room(self) -> None:
        """Wait until the client has read enough."""
        self.hold()
        if self.blocked is not None:
            self.is_awaited = True
            try:
                await self.blocked
            finally:
                self.is_awaited = False

    def pause(self) -> None:
        """The transport holds as much as it may."""
        self.blocked = self._loop.create_future()

    def resume(self) -> None:
        blocked, self.blocked = self.blocked, None
        if blocked is not None and not blocked.done():
            blocked.set_result(None)
