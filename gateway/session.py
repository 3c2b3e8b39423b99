"""Session: turns one SMTP client connection into calls of a visit (gateway/journey.py), and its answers into replies.

RFC 5321, with PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), ENHANCEDSTATUSCODES (RFC 2034)
and STARTTLS (RFC 3207). This is the one place that knows aiosmtpd: its life cycle of a connection and its smtp_* commands are
kept; its way of reading, its timer and its cancelling of a message when the client half-closes are replaced.
"""
# ruff: noqa: N802  the names of commands are aiosmtpd's

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast

import aiosmtpd.smtp
from aiosmtpd.smtp import SMTP, syntax

from gateway.connection import Connection, Role, Tls
from gateway.envelope import Envelope
from gateway.reply import Reply, reply
from gateway.smtp import replies
from gateway.smtp.commands import MAX_LINE, Offer, is_helo_name, parse_mail, parse_rcpt, split_command
from gateway.smtp.data import DataReader
from gateway.smtp.front import Front
from gateway.smtp.ids import connection_id, envelope_id
from gateway.smtp.inbox import BadLine, EndOfInput, Inbox, Interrupted
from gateway.smtp.outbox import Outbox
from gateway.smtp.watchdog import NEVER, Watchdog
from gateway.system.spool import Spool

LINGER = 10.0  # seconds for a client to read our last reply and to close
WEB = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})  # a browser made to talk to us by somebody's page

log = logging.getLogger(__name__)
aiosmtpd.smtp.log.setLevel(logging.WARNING)  # it would log every connection; we log one line a message, elsewhere


class SmtpSession(SMTP):
    """One client connection. Give `loop.create_server` a function that makes one of these for the worker's front."""

    def __init__(self, front: Front) -> None:
        # aiosmtpd's own constructor searches itself for methods anew for each connection, which costs more than a whole
        # session: what its connection_made needs is set here.
        self.loop = asyncio.get_running_loop()
        asyncio.StreamReaderProtocol.__init__(self, None, loop=self.loop)  # type: ignore[arg-type]
        self.transport = None
        self._original_transport = None
        self._handler_coroutine = None

        self._front = front
        self._settings = front.settings
        self._visit = front.visit()
        self._id = connection_id(front.clock())
        self._inbox = Inbox(self.loop)
        self._outbox = Outbox(self.loop)
        self._watchdog = Watchdog(self.loop, self._timeout_cb)
        self._opened = self._progress = self.loop.time()
        self._connection: Connection
        self._envelope: Envelope | None = None  # of the transaction under way
        self._recipients = 0
        self._transactions = self._commands = self._errors = self._refused = 0
        self._farewell: Reply | None = None  # the last reply, once the session is over
        self._must_finish = False  # losing the client does not end what is being done
        self._is_parted = False

    # The life of the connection, as asyncio and aiosmtpd tell it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(cast(asyncio.Transport, transport))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._is_parted:
            self._inbox.receive(data)

    def eof_received(self) -> bool:
        """A half-closed client still gets its replies, and the message it has sent is still handed on."""
        self._inbox.end()
        return not self._is_parted and self._outbox.transport is not None and self._outbox.transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        asyncio.StreamReaderProtocol.connection_lost(self, error)  # aiosmtpd's would cancel a message in any case
        self._outbox.transport = self.transport = None
        self._inbox.end()
        self._watchdog.stop()
        if self._is_parted:
            self._front.sessions.leave(self)
        elif not self._must_finish and self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()

    def retire(self) -> None:
        if self._envelope is None and self._inbox.is_awaited:
            self._dismiss(replies.SHUTTING_DOWN)
            self._inbox.interrupt()

    def cut(self) -> None:
        if self._is_parted:
            self._abort()
        elif not self._must_finish and self._handler_coroutine is not None:
            self._dismiss(replies.SHUTTING_DOWN)
            self._handler_coroutine.cancel()

    def _reset_timeout(self, duration: float | None = None) -> None:
        self._watchdog.until(self.loop.time() + (duration or self._settings.command_timeout))

    def _timeout_cb(self) -> None:
        if self._inbox.is_awaited:
            self._dismiss(replies.TIMED_OUT)
            self._inbox.interrupt()
        else:
            self._abort()

    def _attach(self, transport: asyncio.Transport) -> None:
        self._inbox.attach(transport)
        self._outbox.transport = transport

    def _abort(self) -> None:
        if self._outbox.transport is not None:
            self._outbox.transport.abort()

    # The conversation.

    async def _handle_client(self) -> None:
        try:
            await self._greet()
            while self._farewell is None:
                await self._obey(await self._next_line())
        except (EndOfInput, Interrupted):
            pass
        except Exception:
            log.exception("%s: the session failed", self._id)
            self._dismiss(replies.UNAVAILABLE)
        finally:
            self._must_finish = True
            await self._part()

    async def _greet(self) -> None:
        sessions = self._front.sessions
        assert self.session is not None
        if not self.session.peer:  # gone before it was accepted
            raise EndOfInput
        if sessions.is_draining or sessions.is_full:
            return self._dismiss(replies.SHUTTING_DOWN if sessions.is_draining else replies.FULL)
        sessions.enter(self)
        self._watchdog.until(NEVER)
        ip, port = _client_address(self.session.peer)
        role = self._front.roles(ip)
        early = await self._talks_early(role)
        self._connection = Connection(
            id=self._id, ip=ip, port=port, role=role, opened=self._front.clock(), early_talker=early
        )
        refusal = await self._visit.connect(self._connection)
        if refusal is not None:
            return self._dismiss(refusal)
        self._outbox.say(self._front.banner)
        return None

    async def _talks_early(self, role: Role) -> bool:
        if self._settings.banner_delay and role is Role.STRANGER:
            try:
                async with asyncio.timeout(self._settings.banner_delay):
                    await self._inbox.arrival()
            except TimeoutError:
                return False
        return not self._inbox.is_empty

    async def _next_line(self) -> bytes | BadLine:
        if self._front.sessions.is_draining and self._envelope is None:
            self._dismiss(replies.SHUTTING_DOWN)
            raise Interrupted
        limits = self._settings
        self._watchdog.until(
            min(
                self.loop.time() + limits.command_timeout,
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
        if isinstance(line, BadLine):
            return self._refuse(replies.LINE[line])
        command = split_command(line)
        if command is None:
            return self._refuse(replies.UNREADABLE)
        verb, argument = command
        method = COMMANDS.get(verb)
        if method is None:
            return self._dismiss(replies.NOT_SMTP) if verb in WEB else self._refuse(replies.UNKNOWN)
        if verb not in UNCOUNTED:
            self._commands += 1
            if self._commands > self._settings.max_commands:
                return self._dismiss(replies.TOO_MANY_COMMANDS)
        try:
            await method(self, argument)
        except (EndOfInput, Interrupted):
            raise
        except Exception:
            log.exception("%s: %s failed", self._id, verb)
            self._outbox.say(replies.INTERNAL_ERROR)
            if self._envelope is None:
                await self._reset()
        return None

    async def _part(self) -> None:
        """Whatever ended the conversation: tell the client, the visit, and the registry."""
        if self._farewell is not None:
            self._outbox.say(self._farewell)
        try:
            await self._reset()
        finally:
            self._outbox.flush()
            self._is_parted = True
            self._close()

    def _close(self) -> None:
        transport = self._outbox.transport
        if transport is None:
            return self._front.sessions.leave(self)
        self._watchdog.until(self.loop.time() + LINGER)
        if self._farewell is None or self._farewell in AT_ONCE or not transport.can_write_eof():
            return transport.close()
        # To close with unread input resets the connection, and the client may never see why it was sent away.
        self._inbox.discard()
        return transport.write_eof()

    def _dismiss(self, farewell: Reply) -> None:
        """The session is over, with this reply."""
        self._farewell = farewell

    def _refuse(self, refusal: Reply) -> None:
        """Answer a wrong command."""
        self._errors += 1
        self._outbox.say(refusal)
        if self._errors > self._settings.max_errors:
            self._dismiss(replies.TOO_MANY_ERRORS)

    def _answer(self, answer: Reply) -> None:
        """Pass on what the visit says."""
        if answer.code == 421:
            self._dismiss(answer)
        else:
            self._outbox.say(answer)

    async def _reset(self) -> None:
        """No transaction is under way."""
        self._envelope = None
        self._recipients = 0
        try:
            await self._visit.reset()
        except Exception:
            log.exception("%s: the reset failed", self._id)

    # The commands, by name.

    @syntax("EHLO host-name")
    async def smtp_EHLO(self, arg: str) -> None:
        greeting = self._front.ehlo_over_tls if self._connection.tls else self._front.ehlo
        await self._be_greeted(replace(self._connection, helo=arg, esmtp=True), greeting)

    @syntax("HELO host-name")
    async def smtp_HELO(self, arg: str) -> None:
        await self._be_greeted(replace(self._connection, helo=arg, esmtp=False), self._front.helo)

    async def _be_greeted(self, connection: Connection, greeting: Reply) -> None:
        if not is_helo_name(connection.helo):
            return self._refuse(replies.HELO_SYNTAX)
        await self._reset()
        self._connection = replace(connection, helo="")
        refusal = await self._visit.helo(connection)
        if refusal is not None:
            return self._answer(refusal)
        self._connection = connection
        return self._outbox.say(greeting)

    @syntax("MAIL FROM:<address> [parameters]")
    async def smtp_MAIL(self, arg: str) -> None:
        if not self._connection.helo or self._envelope is not None:
            return self._refuse(replies.NESTED_MAIL if self._envelope else replies.NEED_HELO)
        if self._transactions >= self._settings.max_messages:
            return self._dismiss(replies.TOO_MANY_MESSAGES)
        self._transactions += 1
        envelope = parse_mail(arg, self._offered, envelope_id=envelope_id(self._id, self._transactions))
        if isinstance(envelope, Reply):
            return self._refuse(envelope)
        answer = await self._visit.mail(envelope)
        if answer.is_success:
            self._envelope = envelope
            self._progress = self.loop.time()
        return self._answer(answer)

    @syntax("RCPT TO:<address> [parameters]")
    async def smtp_RCPT(self, arg: str) -> None:
        if self._envelope is None:
            return self._refuse(self._missing)
        if self._recipients >= self._settings.max_recipients:
            return self._outbox.say(replies.TOO_MANY_RECIPIENTS)
        recipient = parse_rcpt(arg, self._offered, self._envelope)
        if isinstance(recipient, Reply):
            return self._refuse(recipient)
        answer = await self._visit.rcpt(recipient)
        self._answer(answer)
        if answer.is_success:
            self._recipients += 1
            self._progress = self.loop.time()
        elif answer.is_permanent:
            self._refused += 1
            if self._refused > self._settings.max_refused_recipients:
                self._dismiss(replies.TOO_MANY_REFUSED)
        return None

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        if arg:
            return self._refuse(replies.NO_ARGUMENT)
        if self._envelope is None:
            return self._refuse(self._missing)
        if not self._recipients:
            return self._refuse(replies.NO_RECIPIENTS)
        try:
            spool = self._front.spool()
        except OSError:
            await self._reset()
            return self._outbox.say(replies.NO_ROOM)
        try:
            answer = await self._receive(spool)
        finally:
            spool.close()
        return self._answer(answer)

    async def _receive(self, spool: Spool) -> Reply:
        """Collect the message and hand it over."""
        reader = DataReader(spool.write, max_size=self._settings.max_size, max_line=self._settings.max_line)
        self._outbox.say(replies.START_MAIL)
        await self._collect(reader)
        if reader.fault is not None:
            await self._reset()
            return replies.MESSAGE[reader.fault]
        return await self._hand_over(spool)

    async def _collect(self, reader: DataReader) -> None:
        deadline = self.loop.time() + self._settings.data_timeout
        rest = None
        while rest is None:
            self._watchdog.until(min(self.loop.time() + self._settings.block_timeout, deadline))
            rest = reader.feed(await self._inbox.some())
            if reader.is_hopeless:
                self._dismiss(replies.TOO_LARGE)
                raise Interrupted
        self._watchdog.until(NEVER)
        self._inbox.give_back(rest)

    async def _hand_over(self, spool: Spool) -> Reply:
        """From here on the message is finished, whatever the client does."""
        self._must_finish = True
        self._front.sessions.messages += 1
        try:
            answer = await self._visit.message(spool)
        finally:
            self._must_finish = False
            self._front.sessions.messages -= 1
            self._envelope = None
            self._recipients = 0
        self._progress = self.loop.time()
        if answer.is_success:
            self._commands = self._errors = self._refused = 0
        return answer

    @syntax("RSET")
    async def smtp_RSET(self, arg: str) -> None:
        if arg:
            return self._refuse(replies.NO_ARGUMENT)
        await self._reset()
        return self._outbox.say(replies.RESET)

    @syntax("NOOP [anything]")
    async def smtp_NOOP(self, arg: str) -> None:
        self._outbox.say(replies.OK)

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str) -> None:
        if arg:
            return self._refuse(replies.NO_ARGUMENT)
        return self._dismiss(replies.BYE)

    @syntax("VRFY address")
    async def smtp_VRFY(self, arg: str) -> None:
        self._outbox.say(replies.WILL_TRY) if arg else self._refuse(replies.NEED_ARGUMENT)

    @syntax("EXPN list")
    async def smtp_EXPN(self, arg: str) -> None:
        self._refuse(replies.NOT_IMPLEMENTED)

    @syntax("AUTH mechanism")
    async def smtp_AUTH(self, arg: str) -> None:
        """Never here: this is where other servers bring mail for us, and nobody relays through it."""
        self._refuse(replies.NOT_IMPLEMENTED)

    @syntax("HELP [command]")
    async def smtp_HELP(self, arg: str) -> None:
        method = COMMANDS.get(arg.upper())
        text = getattr(method, "__smtp_syntax__", "") or f"Commands: {' '.join(sorted(COMMANDS))}"
        self._outbox.say(reply("214 2.0.0", text))

    @syntax("STARTTLS")
    async def smtp_STARTTLS(self, arg: str) -> None:
        if arg:
            return self._refuse(replies.NO_ARGUMENT)
        if self._front.tls is None or self._connection.tls is not None:
            return self._refuse(replies.NO_TLS)
        if self._envelope is not None:
            return self._refuse(replies.MAIL_UNDER_WAY)
        self._outbox.say(replies.READY_FOR_TLS)
        transport = await self._shake_hands(self._front.tls.context())
        self._attach(transport)
        self._connection = replace(self._connection, tls=_tls_facts(transport), helo="", esmtp=False)
        return await self._reset()
