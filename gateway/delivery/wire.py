"""Wire: one connection to a next hop as octets out and answers in. It knows nothing of commands."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

from gateway.delivery.answer import AnswerError, AnswerReader
from gateway.delivery.endpoint import Endpoint
from gateway.delivery.outcome import Failure
from gateway.system.burst import Burst
from gateway.system.watchdog import NEVER, Watchdog


class Broken(Exception):
    """The connection is of no more use, or there is none. `failure` says why for the sender, the text for the log."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure


class Wire(asyncio.Protocol):
    """The asyncio side. asyncio and uvloop set TCP_NODELAY, so that no write waits for an acknowledgement."""

    def __init__(self, loop: asyncio.AbstractEventLoop, burst: Burst) -> None:
        self._loop = loop
        self.now = loop.time
        self._burst = burst
        self._transport: asyncio.Transport | None = None
        self._reader = AnswerReader()
        self._watchdog = Watchdog(loop, self._expire)
        self._waiter: asyncio.Future[None] | None = None
        self._awaited = 0  # answers that it waits for
        self._patience = 0.0  # seconds, for these
        self._writable: asyncio.Future[None] | None = None
        self._limit = NEVER
        self._over: Callable[[], None] | None = None
        self.unread = self._reader.answers  # what nobody has taken yet
        self.broken: Broken | None = None

    @property
    def is_open(self) -> bool:
        """What is written now may be read."""
        return self.broken is None and self._transport is not None and not self._transport.is_closing()

    def limit(self, ends: float, over: Callable[[], None] | None = None) -> None:
        """When several steps together are over, in the loop's time: then the connection is broken. With `over`, that
        is called instead, and also where the connection breaks before."""
        self._limit, self._over = ends, over
        if ends < NEVER:
            self._watchdog.until(ends)

    def write(self, data: bytes) -> None:
        self._burst.write(self._standing(), data)

    async def drained(self) -> None:
        """Wait until the other side has taken most of what was written, a turn of the loop at least: an answer or the
        end of the connection may be here, and nobody else would look."""
        self._burst.leave()
        await (asyncio.sleep(0) if self._writable is None else self._writable)
        self._standing()

    def come(self, count: int, *, within: float) -> Awaitable[None]:
        """Wait until `count` answers are unread. Raises Broken when the connection ends before them, and when they are
        not here in so many seconds."""
        waiter = self._waiter = self._loop.create_future()
        self._awaited, self._patience = count, within
        deadline = self.now() + within
        self._watchdog.until(deadline if deadline < self._limit else self._limit)
        if self.unread or self.broken is not None:  # as is seldom known before it is waited for
            self._tell()
        return waiter

    async def start_tls(self, context: ssl.SSLContext, name: str | None, *, within: float) -> None:
        """Turn the connection into a TLS one. What came in the clear behind the answer to STARTTLS is an attack."""
        transport = self._standing()
        if self.unread or self._reader.is_midway:
            raise Broken(Failure.GARBLED, "more than one answer to STARTTLS")
        self._burst.leave()
        try:
            self._transport = await self._loop.start_tls(
                transport, self, context, server_hostname=name, ssl_handshake_timeout=within
            )
        except (ssl.SSLError, OSError) as error:
            raise Broken(Failure.NO_TLS, f"the TLS handshake failed: {error}") from error
        if self._transport is None:
            raise Broken(Failure.LOST, "the connection ended in the TLS handshake")

    def close(self) -> None:
        """End the connection when all that was written is out."""
        self._burst.leave()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except AnswerError as error:
            self._break(Broken(Failure.GARBLED, str(error)))
            self.abort()
        self._tell()

    def eof_received(self) -> None:
        self._break(Broken(Failure.LOST, "the other side ended the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(Broken(Failure.LOST, str(exc) if exc else "the connection ended"))

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _standing(self) -> asyncio.Transport:
        """Raises Broken where what is written now goes nowhere."""
        if self.broken is not None:
            raise Broken(self.broken.failure, str(self.broken))
        if self._transport is None or self._transport.is_closing():
            raise Broken(Failure.LOST, "the connection has ended")
        return self._transport

    def _expire(self) -> None:
        if self.now() >= self._limit:
            if self._over:
                self._over()
            else:
                self._break(Broken(Failure.TIMEOUT, "the time for the whole is over"))
        elif self._waiter is not None and not self._waiter.done():
            self._break(Broken(Failure.TIMEOUT, f"no answer in {self._patience:g} s"))
        else:  # it was the deadline of an answer that came
            self._watchdog.until(self._limit)

    def _break(self, broken: Broken) -> None:
        self.broken = self.broken or broken
        self._watchdog.stop()
        self._tell()
        self.resume_writing()
        over, self._over = self._over, None
        if over is not None:
            over()

    def _tell(self) -> None:
        """Wake who waits for answers once these are here, or will never be."""
        broken, are_here = self.broken, len(self.unread) >= self._awaited
        if broken is None and not are_here:
            return
        waiter, self._waiter = self._waiter, None  # it holds what it raises, and that all who waited
        if waiter is None or waiter.done():
            return
        if broken is None or are_here:
            waiter.set_result(None)
        else:
            waiter.set_exception(Broken(broken.failure, str(broken)))


async def connect(endpoint: Endpoint, burst: Burst, *, within: float) -> Wire:
    """Connect. Raises Broken when nobody takes the connection in so many seconds."""
    loop = asyncio.get_running_loop()
    wire = Wire(loop, burst)
    try:
        async with asyncio.timeout(within):
            if endpoint.path:
                await loop.create_unix_connection(lambda: wire, endpoint.path)
            else:
                await loop.create_connection(lambda: wire, endpoint.host, endpoint.port)
    except TimeoutError as error:
        raise Broken(Failure.UNREACHABLE, f"no connection in {within:g} s") from error
    except OSError as error:
        raise Broken(Failure.UNREACHABLE, str(error)) from error
    return wire
