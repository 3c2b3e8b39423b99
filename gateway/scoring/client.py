"""Client: carries one request to one spamd and brings its reply back, over TCP or a Unix socket.

spamd closes a connection after its reply, so each request has its own. Whatever goes wrong is a Failure.
"""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from errno import EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import Protocol

from msgspec import Struct

from gateway.scoring.hosts import TcpAddress, UnixAddress
from gateway.scoring.lesson import Lesson, Told, parse_told, tell_fields
from gateway.scoring.spamc import Command, CutOff, Reply, ReplyError, ReplyParser, Score, parse_score, request

READ = 16384  # octets a read; a whole reply is far smaller


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
        try:
            async with asyncio.timeout(self.patience.total):
                connection = await self._open()
                if isinstance(connection, Failure):
                    return connection
                return _checked(await _exchange(*connection, head, message))
        except TimeoutError:
            return Failure(Fault.TIMEOUT, f"no reply within {self.patience.total:g} s")
        except CutOff as error:
            return Failure(Fault.BROKEN, str(error))
        except ReplyError as error:
            return Failure(Fault.NONSENSE, str(error))
        except OSError as error:
            return Failure(Fault.BROKEN, _words(error))

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | Failure:
        try:
            async with asyncio.timeout(self.patience.connect):
                return await self._connect()
        except TimeoutError:
            return Failure(Fault.UNREACHABLE, f"no connection within {self.patience.connect:g} s")
        except OSError as error:
            fault = Fault.SHORTAGE if error.errno in _OWN_SHORTAGES else Fault.UNREACHABLE
            return Failure(fault, _words(error))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        match self.address:
            case UnixAddress(path):
                return await asyncio.open_unix_connection(path)
            case TcpAddress(host, port):
                return await asyncio.open_connection(host, port)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, message: Payload | None
) -> Reply:
    """Send a request, and close our half: spamd reads lines, and a last line without an end would keep it waiting."""
    try:
        writer.write(head)
        for chunk in message.chunks() if message else ():
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
        return await _read_reply(reader)
    finally:
        writer.transport.abort()


async def _read_reply(reader: asyncio.StreamReader) -> Reply:
    parser = ReplyParser()
    while data := await reader.read(READ):
        if reply := parser.feed(data):
            return reply
    return parser.end()


def _checked(reply: Reply) -> Reply | Failure:
    return reply if reply.code == 0 else Failure(Fault.REFUSED, f"{reply.code} {reply.text}"[:200])


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
