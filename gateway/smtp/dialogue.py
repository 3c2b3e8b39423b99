"""Dialogue: turns the command lines of one client into calls of its visit, and the answers into replies.

RFC 5321 sections 3 and 4, with PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
ENHANCEDSTATUSCODES (RFC 2034) and STARTTLS (RFC 3207).
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace

from gateway.connection import Connection, Role, Tls
from gateway.envelope import Envelope
from gateway.reply import Reply, reply
from gateway.smtp import replies
from gateway.smtp.commands import MAX_LINE, is_helo_name, parse_mail, parse_rcpt, split_command
from gateway.smtp.data import DataReader
from gateway.smtp.front import Front
from gateway.smtp.ids import connection_id, envelope_id
from gateway.smtp.inbox import BadLine, EndOfInput, Inbox, Interrupted
from gateway.smtp.outbox import Outbox
from gateway.smtp.tally import Tally
from gateway.smtp.watchdog import NEVER, Watchdog
from gateway.system.spool import Spool
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
    ) -> None:
        """`shake_hands` lets the connection go on over TLS; it raises EndOfInput where that fails."""
        self._front = front
        self._settings = front.settings
        self._inbox = inbox
        self._outbox = outbox
        self._watchdog = watchdog
        self._shake_hands = shake_hands
        self._visit = front.visit()
        self._tally = Tally(front.settings)
        self._now = asyncio.get_running_loop().time
        self._opened = self._progress = self._now()
        self.id = connection_id(front.clock())
        self._connection: Connection
        self._envelope: Envelope | None = None  # of the transaction under way
        self._recipients = 0
        self._is_sender_refused = False  # the last MAIL was
        self._transactions = 0
        self.farewell: Reply | None = None
        self.is_past_final_dot = False  # the message is finished, whatever the client does

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and the client is silent."""
        return self._envelope is None and self._inbox.is_awaited

    async def run(self, connection: Connection) -> None:
        """Talk until there is a farewell. Raises EndOfInput, Interrupted."""
        self._connection = connection
        self._tally.role = connection.role
        await self._greet()
        while self.farewell is None:
            line = await self._next_line()
            if self.farewell is None:
                await self._obey(line)

    async def end(self) -> None:
        """Nothing is under way any more: of a RSET, and of a client that has gone."""
        await self._conclude(self._visit.reset())

    async def _conclude(self, telling: Awaitable[None]) -> None:
        """The transaction is over without a message. What goes wrong while the visit is told changes no reply."""
        self._forget()
        try:
            await telling
        except Exception:
            log.exception("%s: the visit could not be told", self.id)

    def _forget(self) -> None:
        self._envelope = None
        self._recipients = 0

    async def _greet(self) -> None:
        if await self._talks_early():
            self._connection = replace(self._connection, early_talker=True)
        refusal = await self._visit.connect(self._connection)
        if refusal is not None:
            self.farewell = refusal
        else:
            self._outbox.say(self._front.banner)

    async def _talks_early(self) -> bool:
        if self._settings.banner_delay and self._connection.role is Role.STRANGER:
            try:
                async with asyncio.timeout(self._settings.banner_delay):
                    await self._inbox.arrival()
            except TimeoutError:
                return False
        return not self._inbox.is_empty

    async def _next_line(self) -> bytes | BadLine:
        if self._front.sessions.is_draining and self._envelope is None:
            self.farewell = replies.SHUTTING_DOWN
            raise Interrupted
        limits = self._settings
        self._watchdog.until(
            min(
                self._now() + limits.command_timeout,
                self._progress + limits.idle_timeout,
                self._opened + limits.connection_timeout,
            )
        )
        if self._outbox.is_blocked:
            await self._outbox.room()
        line = await self._inbox.line(MAX_LINE)
        self._watchdog.until(NEVER)
        return line

    async def _obey(self, line: bytes | BadLine) -> None:
        command = line if isinstance(line, BadLine) else split_command(line)
        if isinstance(command, BadLine):
            return self._refuse(replies.LINE[command])
        verb, argument = command
        method = COMMANDS.get(verb)
        if method is None:
            return self._dismiss(replies.NOT_SMTP) if verb in WEB else self._refuse(replies.UNKNOWN)
        if verb not in UNCOUNTED and (farewell := self._tally.command()):
            return self._dismiss(farewell)
        try:
            await method(self, argument)
        except (EndOfInput, Interrupted):
            raise
        except Exception:
            log.exception("%s: %s failed", self.id, verb)
            await self._survive()
        return None

    async def _survive(self) -> None:
        """After an error of ours: a recipient that could not be asked for is lost, the transaction is not."""
        self._outbox.say(INTERNAL_ERROR)
        if self._envelope is None:
            await self.end()

    def _dismiss(self, farewell: Reply | None) -> None:
        """The dialogue is over if there is a farewell."""
        self.farewell = farewell or self.farewell

    def _refuse(self, refusal: Reply) -> None:
        """Answer a wrong command."""
        self._outbox.say(refusal)
        self._dismiss(self._tally.error())

    def _answer(self, answer: Reply) -> None:
        """Pass on what the visit says."""
        if answer.code == SERVICE_CLOSING:
            self._dismiss(answer)
        else:
            self._outbox.say(answer)

    # The greeting.

    async def _ehlo(self, argument: str) -> None:
        greeting = self._front.ehlo_over_tls if self._connection.tls else self._front.ehlo
        await self._be_greeted(replace(self._connection, helo=argument, esmtp=True), greeting)

    async def _helo(self, argument: str) -> None:
        await self._be_greeted(replace(self._connection, helo=argument, esmtp=False), self._front.helo)

    async def _be_greeted(self, connection: Connection, greeting: Reply) -> None:
        if not is_helo_name(connection.helo):
            return self._refuse(replies.HELO_SYNTAX)
        await self.end()
        self._connection = replace(connection, helo="")
        refusal = await self._visit.helo(connection)
        if refusal is not None:
            return self._answer(refusal)
        self._connection = connection
        return self._outbox.say(greeting)

    async def _starttls(self, argument: str) -> None:
        if argument:
            return self._refuse(replies.NO_ARGUMENT)
        if self._front.tls is None or self._connection.tls is not None:
            return self._refuse(replies.NO_TLS)
        if self._envelope is not None:
            return self._refuse(replies.UNDER_WAY)
        self._outbox.say(replies.READY_FOR_TLS)
        tls = await self._shake_hands(self._front.tls.context())
        self._connection = replace(self._connection, tls=tls, helo="", esmtp=False)  # RFC 3207 section 4.2
        return await self.end()

    # A transaction.

    async def _mail(self, argument: str) -> None:
        if not self._connection.helo or self._envelope is not None:
            return self._refuse(replies.UNDER_WAY if self._envelope else replies.NEED_HELO)
        if farewell := self._tally.transaction():
            return self._dismiss(farewell)
        self._transactions += 1
        self._is_sender_refused = True
        ident = envelope_id(self.id, self._transactions)
        envelope = parse_mail(argument, self._front.offered(self._connection), envelope_id=ident)
        if isinstance(envelope, Reply):
            return self._refuse(envelope)
        answer = await self._visit.mail(envelope)
        if answer.is_success:
            self._envelope = envelope
            self._is_sender_refused = False
            self._progress = self._now()
        return self._answer(answer)

    async def _rcpt(self, argument: str) -> None:
        if self._envelope is None:
            return self._out_of_turn()
        if self._recipients >= self._settings.max_recipients:
            return self._outbox.say(replies.TOO_MANY_RECIPIENTS)
        recipient = parse_rcpt(argument, self._front.offered(self._connection), self._envelope)
        if isinstance(recipient, Reply):
            return self._refuse(recipient)
        answer = await self._visit.rcpt(recipient)
        self._answer(answer)
        if answer.is_success:
            self._recipients += 1
            self._progress = self._now()
        elif answer.is_permanent:
            self._dismiss(self._tally.refused_recipient())
        return None

    async def _data(self, argument: str) -> None:
        if argument:
            return self._refuse(replies.NO_ARGUMENT)
        if self._envelope is None:
            return self._out_of_turn()
        if not self._recipients:
            return self._outbox.say(replies.NO_RECIPIENTS)
        with closing(self._front.spool()) as spool:
            return self._answer(await self._receive(spool))

    async def _receive(self, spool: Spool) -> Reply:
        reader = DataReader(spool.write, max_size=self._settings.max_size, max_line=self._settings.max_line)
        self._outbox.say(replies.START_MAIL)
        await self._collect(reader)
        if reader.trouble is not None:
            log.error("%s: the spool has no room: %s", self.id, reader.trouble)
        if reader.fault is not None:
            refusal = replies.MESSAGE[reader.fault]
            await self._conclude(self._visit.refused(refusal))
            return refusal
        return await self._hand_over(spool)

    async def _collect(self, reader: DataReader) -> None:
        deadline = self._now() + self._settings.data_timeout
        rest = None
        while rest is None:
            self._watchdog.until(min(self._now() + self._settings.block_timeout, deadline))
            rest = reader.feed(await self._inbox.some())
            if reader.is_hopeless:
                self._dismiss(replies.TOO_LARGE)
                await self._conclude(self._visit.refused(replies.TOO_LARGE))
                raise Interrupted
        self._watchdog.until(NEVER)
        self._inbox.give_back(rest)

    async def _hand_over(self, spool: Spool) -> Reply:
        self.is_past_final_dot = True
        self._front.sessions.messages += 1
        try:
            answer = await self._visit.message(spool)
        finally:
            self.is_past_final_dot = False
            self._front.sessions.messages -= 1
            self._forget()
        self._progress = self._now()
        if answer.is_success:
            self._tally.accepted()
        return answer

    def _out_of_turn(self) -> None:
        """RCPT or DATA without a transaction: behind a refused MAIL no fault of a client that pipelines (RFC 2920)."""
        refusal = replies.NEED_MAIL if self._connection.helo else replies.NEED_HELO
        return self._outbox.say(refusal) if self._is_sender_refused else self._refuse(refusal)

    async def _rset(self, argument: str) -> None:
        if argument:
            return self._refuse(replies.NO_ARGUMENT)
        await self.end()
        return self._outbox.say(replies.OK)

    # What changes nothing.

    async def _noop(self, argument: str) -> None:
        self._outbox.say(replies.OK)

    async def _quit(self, argument: str) -> None:
        if argument:
            return self._refuse(replies.NO_ARGUMENT)
        return self._dismiss(replies.BYE)

    async def _vrfy(self, argument: str) -> None:
        if argument:
            return self._outbox.say(replies.NOT_VERIFIED)
        return self._refuse(replies.NEED_ARGUMENT)

    async def _help(self, argument: str) -> None:
        known = [name for name, carry_out in COMMANDS.items() if carry_out is not Dialogue._not_here]
        self._outbox.say(reply("214 2.0.0", f"Commands: {' '.join(known)}"))

    async def _not_here(self, argument: str) -> None:
        self._refuse(replies.NOT_IMPLEMENTED)


COMMANDS: dict[str, Callable[[Dialogue, str], Awaitable[None]]] = {
    "EHLO": Dialogue._ehlo,
    "HELO": Dialogue._helo,
    "STARTTLS": Dialogue._starttls,
    "MAIL": Dialogue._mail,
    "RCPT": Dialogue._rcpt,
    "DATA": Dialogue._data,
    "RSET": Dialogue._rset,
    "NOOP": Dialogue._noop,
    "VRFY": Dialogue._vrfy,
    "HELP": Dialogue._help,
    "QUIT": Dialogue._quit,
    "EXPN": Dialogue._not_here,
    "ETRN": Dialogue._not_here,
    "AUTH": Dialogue._not_here,  # never: others bring mail for our domains here, and nobody sends through it
}
UNCOUNTED = frozenset({"RCPT", "QUIT"})  # RCPT has its own limits
WEB = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})  # a browser, made to talk to us by a page
SERVICE_CLOSING = 421  # RFC 5321 section 3.8: the connection is closed after it, whoever said it
