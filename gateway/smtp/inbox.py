"""Inbox: turns what the transport receives into command lines, or into pieces of any size for DATA and BDAT.

It holds little: above HIGH_WATER octets the transport stops reading until they are taken, so a fast client waits in its
own kernel and not in our memory.
"""

import asyncio
import sys
from collections.abc import Callable
from enum import Enum

from gateway.system.tcp import unread

HIGH_WATER = 131072  # octets; what a fast client sends in a turn of the loop or two, and little against a message
LOW_WATER = HIGH_WATER // 2
ALL = sys.maxsize  # octets


class BadLine(Enum):
    """What stood where a command line was expected."""

    TOO_LONG = "longer than the limit"
    BARE_LINE_END = "a CR or an LF without the other (RFC 5321 section 2.3.8)"
    UNREADABLE = "not UTF-8, or with control characters"


class EndOfInput(Exception):
    """The client will send no more: it has closed its side, or the connection is lost."""


class Interrupted(Exception):
    """The wait for the client was ended by us."""


def _nothing() -> None:
    """What is done before waiting where nobody asked for anything."""


class Inbox:
    """The octets that a client has sent and nobody has taken. One reader at a time may wait."""

    __slots__ = ("_before_waiting", "_buffer", "_loop", "_paused", "_searched", "_transport", "_waiter", "has_ended")

    def __init__(self, loop: asyncio.AbstractEventLoop, before_waiting: Callable[[], None] = _nothing) -> None:
        """`before_waiting` is called each time the session is about to wait for the client."""
        self._loop = loop
        self._before_waiting = before_waiting
        self._buffer = bytearray()
        self._searched = 0  # octets at the start of the buffer that have no line feed
        self.has_ended = False  # nothing more will come
        self._paused = False
        self._transport: asyncio.ReadTransport | None = None
        self._waiter: asyncio.Future[None] | None = None

    # What the transport does.

    def attach(self, transport: asyncio.ReadTransport) -> None:
        """Octets come from this transport from now on."""
        self._transport = transport
        self._paused = False

    def receive(self, data: bytes) -> None:
        """What comes after the end is for nobody."""
        if self.has_ended:
            return
        self._buffer += data
        if len(self._buffer) > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self) -> None:
        self.receive(b"")  # which wakes whoever waits
        self.has_ended = True
        self._before_waiting = _nothing  # nobody waits any more; it knows who knows us, and no cycle may remain

    # What the session does.

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    @property
    def is_untouched(self) -> bool:
        """Nothing has come that nobody has taken, not even to the kernel."""
        return not self._buffer and (self._transport is None or not unread(self._transport))

    @property
    def is_awaited(self) -> bool:
        """The session waits for the client, who has sent nothing."""
        return self._waiter is not None and not self._waiter.done()

    async def arrival(self) -> None:
        """Wait until there is something. Raises EndOfInput, Interrupted."""
        while not self._buffer:
            await self._more()

    async def line(self, limit: int) -> bytes | BadLine:
        """The next command line without its CRLF. A line above `limit` octets is read to its end and not kept.

        Raises EndOfInput, Interrupted.
        """
        too_long = False
        while self._searched == len(self._buffer) or (line := self.line_here(limit)) is None:
            if self._searched > limit:
                too_long = True
                self.discard()
            await self._more()
        return BadLine.TOO_LONG if too_long else line

    def line_here(self, limit: int) -> bytes | BadLine | None:
        """The same without a wait; None where its end has not come."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(buffer)
            return None
        length = buffer.find(b"\r", 0, end)
        is_whole = 0 <= length == end - 1  # the first CR is the last octet before it
        line = bytes(buffer[:length]) if is_whole else BadLine.BARE_LINE_END
        del buffer[: end + 1]
        self._searched = 0
        if self._paused:
            self._resume()
        return BadLine.TOO_LONG if end >= limit else line

    async def some(self, limit: int = ALL) -> bytearray:
        """The octets there are, at least one and no more than `limit`. Raises EndOfInput, Interrupted."""
        while not self._buffer:
            await self._more()
        if len(self._buffer) <= limit:
            taken, self._buffer = self._buffer, bytearray()
        else:
            taken = self._buffer[:limit]
            del self._buffer[:limit]
        self._searched = 0
        if self._paused:
            self._resume()
        return taken

    def give_back(self, octets: bytearray) -> None:
        """Put back the end of what some() gave."""
        octets += self._buffer
        self._buffer = octets

    def discard(self) -> None:
        """Forget what has come."""
        self._buffer.clear()
        self._searched = 0
        self._resume()

    def interrupt(self) -> bool:
        """End the session's wait, if it waits; True if it did."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return False
        waiter.set_exception(Interrupted())
        return True

    def _more(self) -> asyncio.Future[None]:
        """Done once something has come. No coroutine: each would be one more to walk through at every word."""
        if self.has_ended:
            raise EndOfInput
        self._before_waiting()
        self._waiter = self._loop.create_future()
        return self._waiter

    def _resume(self) -> None:
        if self._paused and not self.has_ended and len(self._buffer) <= LOW_WATER and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
