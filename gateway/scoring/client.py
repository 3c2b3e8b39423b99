"""Client: carries one request to one spamd and brings its reply back, over TCP or a Unix socket.

spamd closes a connection after its reply, so each request has its own. Whatever goes wrong is a Failure.
"""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from errno import EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM
from itertools import chain, islice
from typing import Protocol, cast

from msgspec import Struct

from gateway.scoring.hosts import TcpAddress, UnixAddress
from gateway.scoring.lesson import Lesson, Told, parse_told, tell_fields
from gateway.scoring.spamc import Command, CutOff, Reply, ReplyError, ReplyParser, Score, parse_score, request

PIECES = 4  # that one write takes: the heads of the request and of the message, its Return-Path and up to 64 KiB of it

# Connecting fails with these where this host has run out of something: a flood of mail can bring it to that.
_OWN_SHORTAGES = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAGAIN})


class Fault(StrEnum):
    """Why there is no reply of spamd."""

    UNREACHABLE = "unreachable"  # no connection: refused, no such socket, or not in time
    SHORTAGE = "shortage"  # no connection, because we have no descriptor, port or memory left
    TIMEOUT = "timeout"  # connected, but no whole reply in time
    BROKEN = "broken"  # connected, but it broke off before the reply was whole
    NONSENSE = "nonsense"  # what came cannot be believed
    REFUSED = "refused"  # it answered with an error code


class Failure(Struct, frozen=True):
    fault: Fault
    reason: str  # for the log

    def __str__(self) -> str:
        return f"{self.fault}: {self.reason}" if self.reason else self.fault.value


class Patience(Struct, frozen=True):
    """How long one request may take, in seconds."""

    connect: float
    total: float


class Payload(Protocol):
    """A message to send; it can be read again for another host."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...


class Spamd(Struct, frozen=True):
    """One spamd, to be asked."""

    address: TcpAddress | UnixAddress
    patience: Patience
    user: str = ""

    async def score(self, message: Payload) -> Score | Failure:
        reply = await self._ask(request(Command.SYMBOLS, size=message.size, user=self.user), message)
        if isinstance(reply, Failure):
            return reply
        try:
            return parse_score(reply)
        except ReplyError as error:
            return Failure(Fault.NONSENSE, str(error))

    async def tell(self, lesson: Lesson, message: Payload) -> Told | Failure:
        fields = tell_fields(lesson)
        reply = await self._ask(request(Command.TELL, size=message.size, user=self.user, fields=fields), message)
        return reply if isinstance(reply, Failure) else parse_told(reply)

    async def takes_lessons(self) -> Failure | None:
        """Why it will not be told anything; None where it will. It is told nothing, of no message. One that is not to
        be told says so and closes before it reads on: with a message under way, the answer could be lost."""
        reply = await self._ask(request(Command.TELL, size=0, user=self.user), None)
        return reply if isinstance(reply, Failure) else None

    async def ping(self) -> Failure | None:
        reply = await self._ask(request(Command.PING), None)
        if isinstance(reply, Failure) or reply.text == "PONG":
            return reply if isinstance(reply, Failure) else None
        return Failure(Fault.NONSENSE, "the answer to PING is not PONG")

    async def _ask(self, head: bytes, message: Payload | None) -> Reply | Failure:
        loop, patience = asyncio.get_running_loop(), self.patience
        began, exchange = loop.time(), _Exchange(loop)
        try:
            async with asyncio.timeout_at(began + min(patience.connect, patience.total)) as limit:
                await self._connect(loop, exchange)
                limit.reschedule(began + patience.total)
                return _checked(await exchange.hold(head, message))
        except TimeoutError:
            return self._late(exchange)
        except OSError as error:
            return Failure(exchange.fault_of(error), _words(error))
        finally:
            exchange.abort()

    async def _connect(self, loop: asyncio.AbstractEventLoop, exchange: "_Exchange") -> None:
        match self.address:
            case UnixAddress(path):
                await loop.create_unix_connection(lambda: exchange, path)
            case TcpAddress(host, port):
                await loop.create_connection(lambda: exchange, host, port)

    def _late(self, exchange: "_Exchange") -> Failure:
        if exchange.is_connected or self.patience.total <= self.patience.connect:
            return Failure(Fault.TIMEOUT, f"no reply within {self.patience.total:g} s")
        return Failure(Fault.UNREACHABLE, f"no connection within {self.patience.connect:g} s")


class _Exchange(asyncio.Protocol):
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
        reason = _words(exc) if isinstance(exc, OSError) else "the connection ended"
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


def _checked(reply: Reply | Failure) -> Reply | Failure:
    if isinstance(reply, Failure) or reply.code == 0:
        return reply
    return Failure(Fault.REFUSED, f"{reply.code} {reply.text}"[:200])


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
