"""Dialogue: turns the command lines of one client into calls of its visit, and the answers into replies.

RFC 5321 sections 3 and 4, with PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
ENHANCEDSTATUSCODES (RFC 2034), STARTTLS (RFC 3207) and what offer.py offers besides. Transactions are in mailing.py.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from gateway.connection import Connection, Role, Tls
from gateway.reply import Reply, reply
from gateway.smtp import replies
from gateway.smtp.caller import Standing
from gateway.smtp.commands import MAX_LINE, is_helo_name, split_command
from gateway.smtp.front import Front
from gateway.smtp.ids import connection_id
from gateway.smtp.inbox import BadLine, EndOfInput, Inbox, Interrupted
from gateway.smtp.mailing import Mailing
from gateway.smtp.offer import Greeting, Offer
from gateway.smtp.outbox import Outbox
from gateway.smtp.tally import Tally
from gateway.smtp.voice import Voice
from gateway.smtp.xclient import KEYWORD, parse_xclient
from gateway.system.watchdog import Watchdog
from gateway.visit import INTERNAL_ERROR

log = logging.getLogger(__name__)


class Dialogue:
    """The talk with one client. It is over once there is a farewell; whoever ends it sets one."""

    def __init__(
        self,
        front: Front,
        inbox: Inbox,
        outbox: Outbox,
        watchdog: Watchdog,
        shake_hands: Callable[[ssl.SSLContext], Awaitable[Tls]],
        standing: Standing = Standing.CLIENT,
    ) -> None:
        """`shake_hands` lets the connection go on over TLS; it raises EndOfInput where that fails."""
        self._front = front
        self._settings = front.settings
        self._inbox = inbox
        self._outbox = outbox
        self._watchdog = watchdog
        self._shake_hands = shake_hands
        self._standing = standing
        self._visit = front.visit()
        self._tally = Tally(front.settings)
        self._latest = watchdog.now() + front.settings.connection_timeout  # until which a command is awaited
        self.id = connection_id(front.clock())
        self._voice = Voice(outbox, self._tally)
        self._mailing = Mailing(front, self._visit, inbox, watchdog, self._voice, self._tally, self.id)
        self._client: Connection  # as it was before its greeting
        self._connection: Connection
        # Of a client that is spoken for: it stands, whatever the greeting says.
        self._stated: dict[str, Any] | None = None
        self._next: Connection | None = None  # another client, which is spoken for from now on
        self._offer: Offer | None = None  # once the client has greeted

    @property
    def farewell(self) -> Reply | None:
        return self._voice.farewell

    @farewell.setter
    def farewell(self, farewell: Reply) -> None:
        self._voice.farewell = farewell

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and the client is silent."""
        return self._inbox.is_awaited and not self._mailing.is_under_way

    @property
    def has_whole_message(self) -> bool:
        """The client has sent a message, and waits for its answer."""
        return self._mailing.has_whole_message

    @property
    def is_past_final_dot(self) -> bool:
        """A message is finished, whatever the client does."""
        return self._mailing.is_past_final_dot

    async def meet(self, connection: Connection) -> None:
        """Say the first words, and hear that the client begins. Raises EndOfInput, Interrupted."""
        inbox = self._inbox
        self._begin(connection)
        if self._settings.banner_delay and connection.role is Role.STRANGER:
            await self._delay_banner()
        if not inbox.is_untouched:
            self._connection = replace(connection, early_talker=True)
        self._voice.farewell = await self._visit.connect(self._connection)
        if self._voice.farewell is not None:
            return
        is_silent = inbox.is_untouched  # meanwhile: one who is near acknowledges the banner before we look
        self._outbox.greet(self._front.banner)
        self._await_client()
        await inbox.arrival()
        if not is_silent or self._outbox.is_unheard:
            self._connection = replace(connection, early_talker=True)

    async def meet_through(self, connection: Connection) -> None:
        """The same with a proxy that speaks for this client, of whom its haste and its greeting say nothing."""
        self._begin(connection)
        if connection.helo:
            self._stated = {"helo": connection.helo, "esmtp": connection.esmtp}
        self._voice.farewell = await self._visit.connect(connection)
        if self._voice.farewell is None:
            self._outbox.say(self._front.banner)

    async def talk(self) -> Connection | None:
        """Until there is a farewell, or until the client speaks for another: then that one's connection is given, for a
        dialogue of its own. Raises EndOfInput, Interrupted."""
        voice, inbox, outbox, sessions = self._voice, self._inbox, self._outbox, self._front.sessions
        while voice.farewell is None and self._next is None:
            line = None if outbox.blocked else inbox.line_here(MAX_LINE)
            if line is None:
                self._await_client()
                if outbox.blocked:
                    await outbox.room()
                line = await inbox.line(MAX_LINE)
            else:  # nobody is waited for, and no deadline is needed
                outbox.hold()
            if sessions.is_draining:
                self._come_to_rest()
            if voice.farewell is None and (command := self._understood(line)) is not None:
                verb, argument = command
                try:
                    await COMMANDS[verb](self, argument)
                except (EndOfInput, Interrupted):
                    raise
                except Exception:
                    if self._mailing.is_amid_octets:  # what follows cannot be told from commands
                        raise
                    log.exception("%s: %s failed", self.id, verb)
                    await self._survive()
            if voice.has_refused:
                voice.has_refused = False
                await self._stick()
        return self._next

    async def end(self) -> None:
        """Nothing is under way any more: of a client that has gone. With it goes the hold on its connection, which
        holds us: such a cycle would wait for the garbage collector."""
        self._shake_hands = _no_hands
        await self._mailing.end()

    # Before the first command.

    def _begin(self, connection: Connection) -> None:
        self._client = self._connection = connection
        self._tally.role = connection.role
        self._mailing.client = self._settings.network_of(connection.ip)

    async def _delay_banner(self) -> None:
        """Whoever cannot wait speaks meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.banner_delay):
                await self._inbox.arrival()

    # From one command to the next.

    def _come_to_rest(self) -> None:
        """Where the worker is to end no transaction begins."""
        if not self._mailing.is_under_way:
            self.farewell = replies.SHUTTING_DOWN
            raise Interrupted

    def _await_client(self) -> None:
        """What comes now must come in time."""
        if self._front.sessions.is_draining:
            self._come_to_rest()
        limits, mailing, watchdog = self._settings, self._mailing, self._watchdog
        due = mailing.deadline
        if due is None:
            due = min(watchdog.now() + limits.command_timeout, mailing.progress + limits.idle_timeout)
        watchdog.until(min(due, self._latest))

    def _understood(self, line: bytes | BadLine) -> tuple[str, str] | None:
        """The command that is to be carried out, with its argument; None where no more than an answer is due."""
        command = split_command(line) if isinstance(line, bytes) else line
        if not isinstance(command, tuple):
            self._voice.refuse(replies.LINE[command])
            return None
        verb, _ = command
        if verb not in COMMANDS:
            self._voice.dismiss(replies.NOT_SMTP) if verb in WEB else self._voice.refuse(replies.UNKNOWN)
        elif verb not in UNCOUNTED and (farewell := self._tally.command()):
            self._voice.dismiss(farewell)
        else:
            return command
        return None

    async def _survive(self) -> None:
        """After an error of ours: a recipient that could not be asked for is lost, the transaction is not."""
        self._voice.say(INTERNAL_ERROR)
        self._outbox.flush()
        if not self._mailing.is_under_way:
            await self._mailing.end()

    async def _stick(self) -> None:
        """Let a stranger wait after a refusal, as long as there is room for all others."""
        if not self._settings.tarpit:
            return
        if self._connection.role is Role.STRANGER and not self._front.sessions.is_crowded:
            self._visit.let_go()
            self._outbox.flush()
            await asyncio.sleep(self._settings.tarpit)

    # The greeting.

    def _ehlo(self, argument: str) -> Awaitable[None]:
        connection = replace(self._connection, helo=argument, esmtp=True)
        more = (KEYWORD,) if self._standing is Standing.PROXY else ()
        return self._be_greeted(connection, self._front.ehlo(connection, *more))

    def _helo(self, argument: str) -> Awaitable[None]:
        return self._be_greeted(replace(self._connection, helo=argument, esmtp=False), self._front.helo)

    async def _be_greeted(self, connection: Connection, greeting: Greeting) -> None:
        if not is_helo_name(connection.helo):
            return self._voice.refuse(replies.HELO_SYNTAX)
        if self._stated:
            connection = replace(connection, **self._stated)
        if self._offer is not None:  # else nothing can have begun
            await self._mailing.end()
            self._offer = None
        refusal = await self._visit.helo(connection)
        if refusal is not None:
            return self._voice.say(refusal)
        self._connection, self._offer = connection, greeting.offer
        return self._voice.say(greeting.reply)

    async def _starttls(self, argument: str) -> None:
        if argument:
            return self._voice.refuse(replies.NO_ARGUMENT)
        if self._front.tls is None or self._connection.tls is not None:
            return self._voice.refuse(replies.NO_TLS)
        if self._mailing.is_under_way:
            return self._voice.refuse(replies.UNDER_WAY)
        self._voice.say(replies.READY_FOR_TLS)
        tls = await self._shake_hands(self._front.tls.context())
        self._connection = replace(self._connection, tls=tls, helo="", esmtp=False)  # RFC 3207 section 4.2
        self._offer = None
        return await self._mailing.end()

    async def _xclient(self, argument: str) -> None:
        if self._standing is not Standing.PROXY:
            return self._voice.refuse(replies.NOT_TRUSTED)
        if self._mailing.is_under_way:
            return self._voice.refuse(replies.UNDER_WAY)
        stated = parse_xclient(argument, replace(self._client, tls=self._connection.tls))
        if isinstance(stated, Reply):  # what follows would be taken for the proxy's own
            return self._voice.dismiss(stated)
        self._next = replace(stated, role=self._front.roles(stated.ip))
        return None

    # A transaction.

    def _mail(self, argument: str) -> Awaitable[None]:
        return self._mailing.mail(argument, self._offer)

    def _rcpt(self, argument: str) -> Awaitable[None]:
        return self._mailing.rcpt(argument, self._offer)

    def _data(self, argument: str) -> Awaitable[None]:
        return self._mailing.data(argument, self._offer)

    def _bdat(self, argument: str) -> Awaitable[None]:
        return self._mailing.bdat(argument, self._offer)

    async def _rset(self, argument: str) -> None:
        if argument:
            return self._voice.refuse(replies.NO_ARGUMENT)
        await self._mailing.end()
        return self._voice.say(replies.OK)

    # What changes nothing.

    async def _noop(self, argument: str) -> None:
        self._voice.say(replies.OK)

    async def _quit(self, argument: str) -> None:
        if argument:
            return self._voice.refuse(replies.NO_ARGUMENT)
        return self._voice.dismiss(replies.BYE)

    async def _vrfy(self, argument: str) -> None:
        if argument:
            return self._voice.say(replies.NOT_VERIFIED)
        return self._voice.refuse(replies.NEED_ARGUMENT)

    async def _help(self, argument: str) -> None:
        known = [name for name, carry_out in COMMANDS.items() if carry_out not in UNTOLD]
        self._voice.say(reply("214 2.0.0", f"Commands: {' '.join(known)}"))

    async def _not_here(self, argument: str) -> None:
        self._voice.refuse(replies.NOT_IMPLEMENTED)


async def _no_hands(_: ssl.SSLContext) -> Tls:
    raise EndOfInput


COMMANDS: dict[str, Callable[[Dialogue, str], Awaitable[None]]] = {
    "EHLO": Dialogue._ehlo,
    "HELO": Dialogue._helo,
    "STARTTLS": Dialogue._starttls,
    "XCLIENT": Dialogue._xclient,
    "MAIL": Dialogue._mail,
    "RCPT": Dialogue._rcpt,
    "DATA": Dialogue._data,
    "BDAT": Dialogue._bdat,
    "RSET": Dialogue._rset,
    "NOOP": Dialogue._noop,
    "VRFY": Dialogue._vrfy,
    "HELP": Dialogue._help,
    "QUIT": Dialogue._quit,
    "EXPN": Dialogue._not_here,
    "ETRN": Dialogue._not_here,
    "AUTH": Dialogue._not_here,  # never: others bring mail for our domains here, and nobody sends through it
}
UNTOLD = (Dialogue._not_here, Dialogue._xclient)
UNCOUNTED = frozenset({"RCPT", "BDAT", "QUIT"})  # RCPT and BDAT have their own limits
WEB = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})  # a browser, made to talk to us by a page
