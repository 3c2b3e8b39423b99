"""Client: carries one request to one spamd and brings its reply back, over TCP or a Unix socket.

Whatever goes wrong is a Failure.
"""

import asyncio

from msgspec import Struct

from gateway.scoring.exchange import Exchange, Payload, words
from gateway.scoring.failure import Failure, Fault
from gateway.scoring.hosts import TcpAddress, UnixAddress
from gateway.scoring.lesson import Lesson, Told, parse_told, tell_fields
from gateway.scoring.spamc import Command, Reply, ReplyError, Score, parse_score, request


class Patience(Struct, frozen=True):
    """How long one request may take, in seconds."""

    connect: float
    total: float


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
        began, exchange = loop.time(), Exchange(loop)
        try:
            async with asyncio.timeout_at(began + min(patience.connect, patience.total)) as limit:
                await self._connect(loop, exchange)
                limit.reschedule(began + patience.total)
                return _checked(await exchange.hold(head, message))
        except TimeoutError:
            return self._late(exchange)
        except OSError as error:
            return Failure(exchange.fault_of(error), words(error))
        finally:
            exchange.abort()

    async def _connect(self, loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
        match self.address:
            case UnixAddress(path):
                await loop.create_unix_connection(lambda: exchange, path)
            case TcpAddress(host, port):
                await loop.create_connection(lambda: exchange, host, port)

    def _late(self, exchange: Exchange) -> Failure:
        if exchange.is_connected or self.patience.total <= self.patience.connect:
            return Failure(Fault.TIMEOUT, f"no reply within {self.patience.total:g} s")
        return Failure(Fault.UNREACHABLE, f"no connection within {self.patience.connect:g} s")


def _checked(reply: Reply | Failure) -> Reply | Failure:
    if isinstance(reply, Failure) or reply.code == 0:
        return reply
    return Failure(Fault.REFUSED, f"{reply.code} {reply.text}"[:200])
