"""A front with a real socket: sessions whose visits answer from a script and remember what they were told."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Set
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from gateway.connection import Connection, Role
from gateway.door import SmtpDoor
from gateway.envelope import Envelope, Recipient
from gateway.message import Content
from gateway.reply import Reply, reply
from gateway.session import SmtpSession
from gateway.smtp.caller import Proxies
from gateway.smtp.front import NOBODY, Front
from gateway.smtp.offer import Limits
from gateway.smtp.processing import Bounds
from gateway.smtp.registry import UNBOUNDED, Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system.acceptor import Acceptor
from gateway.system.board import Region
from gateway.system.burst import AT_ONCE, Burst
from gateway.system.listening import Opening, bind
from gateway.system.spool import Spool
from gateway.system.threads import DiskThreads
from gateway.system.tls import ServerTls
from tests.support.wire import Wire

SENDER_OK = reply("250 2.1.0", "Sender ok")
RECIPIENT_OK = reply("250 2.1.5", "Recipient ok")
ACCEPTED = reply("250 2.0.0", "Accepted")


class ScriptedVisit:
    """Says yes, or what the test has put into `answers` under the step's name: a reply, or a function of what it is
    told that gives one or raises. All visits of a front write into the same list."""

    def __init__(self, told: "Told") -> None:
        self._told = told

    async def connect(self, connection: Connection) -> Reply | None:
        return await self._told.step("connect", connection, None)

    async def helo(self, connection: Connection) -> Reply | None:
        return await self._told.step("helo", connection, None)

    async def mail(self, envelope: Envelope) -> Reply:
        return await self._told.step("mail", envelope, SENDER_OK) or SENDER_OK

    async def rcpt(self, recipient: Recipient) -> Reply:
        return await self._told.step("rcpt", recipient, RECIPIENT_OK) or RECIPIENT_OK

    async def message(self, spool: Spool, cleaned: Content | None = None) -> Reply:
        self._told.cleaned.append(b"".join(cleaned.chunks()) if cleaned else None)
        content = b"".join(spool.chunks())
        return await self._told.step("message", content, ACCEPTED) or ACCEPTED

    def let_go(self) -> None:
        self._told.steps.append(("let_go", None))

    async def refused(self, reply: Reply) -> None:
        await self._told.step("refused", reply, None)

    async def reset(self) -> None:
        await self._told.step("reset", None, None)


class Slow:
    """The answer "message" of a visit that takes its time, as long as the test wants."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, _: bytes) -> Reply:
        await self.go_on.wait()
        return ACCEPTED


class Told:
    """What visits were told, in order, and what they answer."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.steps: list[tuple[str, Any]] = []
        self.cleaned: list[bytes | None] = []  # what would go on in place of each message

    async def step(self, name: str, argument: Any, default: Reply | None) -> Reply | None:
        self.steps.append((name, argument))
        answer = self.answers.get(name, default)
        if callable(answer):
            answer = answer(argument)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer

    def all(self, name: str) -> list[Any]:
        return [argument for step, argument in self.steps if step == name]

    @property
    def messages(self) -> list[bytes]:
        return self.all("message")

    @property
    def connections(self) -> list[Connection]:
        return self.all("connect")


class Gateway:
    """A listening front on a port of the kernel's choice."""

    def __init__(self, port: int, front: Front, sessions: Sessions, told: Told) -> None:
        self.port = port
        self.front = front
        self.sessions = sessions
        self.told = told

    async def wire(self) -> Wire:
        return await Wire.connect(self.port)

    async def greeted(self) -> Wire:
        """A client that has said EHLO."""
        wire = await self.wire()
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.command("EHLO client.example")).startswith("250")
        return wire

    async def with_recipient(self) -> Wire:
        """A client that may say DATA."""
        wire = await self.greeted()
        assert (await wire.command("MAIL FROM:<a@example.org>")).startswith("250 ")
        assert (await wire.command("RCPT TO:<b@example.net>")).startswith("250 ")
        return wire

    async def in_data(self) -> Wire:
        """A client that may send its message."""
        wire = await self.with_recipient()
        assert (await wire.command("DATA")).startswith("354 ")
        return wire


def living_sessions() -> list[SmtpSession]:
    """Those that take memory, in whatever gateway."""
    return [thing for thing in gc.get_objects() if isinstance(thing, SmtpSession)]


def no_session_is_left() -> bool:
    gc.collect()
    return not living_sessions()


def _in_memory() -> Spool:
    return Spool(threshold=1 << 26, directory=Path("/nonexistent"))


@asynccontextmanager
async def listening(
    answers: dict[str, Any] | None = None,
    *,
    tls: ServerTls | None = None,
    spool: Callable[[], Spool] = _in_memory,
    roles: Callable[[IPv4Address | IPv6Address], Role] = lambda _: Role.STRANGER,
    carried: Set[str] = frozenset(),
    domains: int | None = None,
    region: Region | None = None,
    messages: Bounds = UNBOUNDED,
    proxies: Proxies = NOBODY,
    opening: Opening = Opening.BANNER,
    burst: Burst = AT_ONCE,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """A gateway with these settings; its visits answer as told. `carried` are the extensions of its next hops.
    `messages` bounds those that are whole; gateways with regions of one board are workers of one host."""
    told = Told(answers or {})
    limits = SessionSettings(**settings)
    sessions = Sessions(limits, region or Region.private(), messages=messages)
    disk = DiskThreads(threads=1, waiting=4)
    front = Front(
        partial(ScriptedVisit, told),
        limits,
        hostname="mx.example.net",
        tls=tls,
        roles=roles,
        spool=spool,
        disk=disk,
        sessions=sessions,
        limits=Limits(
            max_size=limits.max_size,
            recipients=limits.max_recipients,
            domains=domains,
            transactions=limits.max_messages,
        ),
        carried=lambda: carried,
        proxies=proxies,
        burst=burst,
    )
    sock = bind("127.0.0.1:0")
    acceptor = Acceptor(sock, SmtpDoor(front, tls if opening is Opening.TLS else None))
    try:
        yield Gateway(sock.getsockname()[1], front, sessions, told)
    finally:
        acceptor.close()
        await sessions.drain(0.0)
        disk.shutdown(wait=False)
