"""Exchange: one request to spamd and its reply, on a connection of their own: spamd closes it after the reply. It knows
nothing of what is asked.
"""

import asyncio
from collections.abc import Iterator
from errno import EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM
from itertools import chain, islice
from typing import Protocol, cast

from gateway.scoring.failure import Failure, Fault
from gateway.scoring.spamc import CutOff, Reply, ReplyError, ReplyParser

PIECES = 4  # that one write takes: the heads of the request and of the message, its Return-Path and up to 64 KiB of it

# Connecting fails with these where this host has run out of something: a flood of mail can bring it to that.
_OWN_SHORTAGES = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAGAIN})


class Payload(Protocol):
    """A message to send; it can be read again for another host."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...


class Exchange(asyncio.Protocol):
    """The asyncio side of one request and its reply: nothing of what asyncio's streams do besides."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = ReplyParser()
        self._reply: asyncio.Future[Reply | Failure] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Future[None] | None = None  # there while the other side takes nothing

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    @property
    def _is_over(self) -> bool:
        """Whether nobody takes what is sent."""
        return self._reply.done() or self._transport is None or self._transport.is_closing()

    def fault_of(self, error: OSError) -> Fault:
        """What it is that failed."""
        if self.is_connected:
            return Fault.BROKEN
        return Fault.SHORTAGE if error.errno in _OWN_SHORTAGES else Fault.UNREACHABLE

    async def hold(self, head: bytes, message: Payload | None) -> Reply | Failure:
        """Send a request, and close our half: spamd reads lines, and a last line without an end would keep it waiting.
        Raises OSError where the message cannot be read."""
        assert self._transport
        chunks = chain((head,), message.chunks() if message else ())
        while not self._is_over and (pieces := tuple(islice(chunks, PIECES))):
            self._transport.write(b"".join(pieces))  # asyncio's writelines pauses nobody before 3.12.9 and 3.13.2
            if self._writable is not None:
                await self._writable
        if not self._is_over:
            self._transport.write_eof()
        return await self._reply

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._reply.done():
            try:
                self._settle(self._parser.feed(data))
            except ReplyError as error:
                self._settle(_unbelievable(error))

    def eof_received(self) -> None:
        try:
            self._settle(self._parser.end())
        except ReplyError as error:
            self._settle(_unbelievable(error))

    def connection_lost(self, exc: Exception | None) -> None:
        reason = words(exc) if isinstance(exc, OSError) else "the connection ended"
        self._settle(Failure(Fault.BROKEN, reason))

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _settle(self, outcome: Reply | Failure | None) -> None:
        """What came of it, if that is known now: nothing more is sent."""
        if outcome is None or self._reply.done():
            return
        self._reply.set_result(outcome)
        self.resume_writing()


def _unbelievable(error: ReplyError) -> Failure:
    return Failure(Fault.BROKEN if isinstance(error, CutOff) else Fault.NONSENSE, str(error))


def words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
