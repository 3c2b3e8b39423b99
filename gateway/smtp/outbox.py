"""Outbox: turns the replies of one turn of the loop into one write: a pipelined group costs one packet (RFC 2920).

A reply never waits for the client: it leaves as soon as the session has nothing to do without waiting itself.
"""

import asyncio

from gateway.reply import Reply


class Outbox:
    """What is to be sent to the client. Without a transport everything said is lost, as it would be on the wire."""

    __slots__ = ("_blocked", "_loop", "_said", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._said: list[bytes] = []
        self._blocked: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None

    def say(self, reply: Reply) -> None:
        if not self._said:
            self._loop.call_soon(self.flush)
        self._said.append(reply.to_bytes())

    def flush(self) -> None:
        if self._said:
            octets = b"".join(self._said)
            self._said.clear()
            if self.transport is not None and not self.transport.is_closing():
                self.transport.write(octets)

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
