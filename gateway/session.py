"""Session: turns a client's TCP connection, as asyncio and aiosmtpd tell of it, into a dialogue, and closes it well.

The one place that knows aiosmtpd. Its SMTP class is the protocol of the event loop and starts `_handle_client`; the
talk itself is ours (gateway/smtp/dialogue.py): aiosmtpd reads mail line by line, ends lines at a bare LF, restarts its
only timer with every NOOP, and cancels a message in hand when the client half-closes.
"""

import asyncio
import logging
import ssl
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast

import aiosmtpd.smtp
from aiosmtpd.smtp import SMTP

from gateway.connection import Connection, Role, Tls
from gateway.smtp import replies
from gateway.smtp.dialogue import Dialogue
from gateway.smtp.front import Front
from gateway.smtp.inbox import EndOfInput, Inbox, Interrupted
from gateway.smtp.outbox import Outbox
from gateway.smtp.watchdog import NEVER, Watchdog

LINGER = 10.0  # seconds for a client to read our last reply and to close
AT_ONCE = (replies.BYE, replies.FULL, replies.SHUTTING_DOWN)  # farewells after which the client is not waited for

log = logging.getLogger(__name__)
aiosmtpd.smtp.log.setLevel(logging.WARNING)  # it would log every connection; ours is one line a message


class SmtpSession(SMTP):
    """One client connection: `loop.create_server(partial(SmtpSession, front), sock=...)`."""

    def __init__(self, front: Front) -> None:
        # aiosmtpd's own constructor searches its class for methods, for each connection anew, which costs more than all
        # the rest of a session: what its connection_made needs is set here.
        self.loop = asyncio.get_running_loop()
        asyncio.StreamReaderProtocol.__init__(self, None, loop=self.loop)  # type: ignore[arg-type]
        self.transport = None
        self._original_transport = None
        self._handler_coroutine = None

        self._front = front
        self._outbox = Outbox(self.loop)
        self._inbox = Inbox(self.loop, before_waiting=self._outbox.flush)
        self._watchdog = Watchdog(self.loop, self._timeout_cb)
        self._dialogue = Dialogue(front, self._inbox, self._outbox, self._watchdog, self._shake_hands)
        self._is_ending = False  # the dialogue is over, and the visit is being told
        self._is_over = False

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(cast(asyncio.Transport, transport))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._is_over:
            self._inbox.receive(data)

    def eof_received(self) -> bool:
        """A half-closed client still gets its replies, and the message that it has sent is still handed on. Where it
        has sent nothing more, what is being asked for it leads nowhere."""
        self._inbox.end()
        if self._inbox.is_empty and not self._is_over:
            self._cancel()
        transport = self._outbox.transport
        return not self._is_over and transport is not None and transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        asyncio.StreamReaderProtocol.connection_lost(self, error)  # aiosmtpd's would cancel a message in any case
        self._outbox.transport = self.transport = None
        self._inbox.end()
        self._inbox.discard()
        self._watchdog.stop()
        if self._is_over:
            self._front.sessions.leave(self)
        else:
            self._cancel()

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()

    # What the worker asks, and the clock.

    def retire(self) -> None:
        if self._dialogue.is_idle:
            self._dialogue.farewell = replies.SHUTTING_DOWN
            self._inbox.interrupt()

    def cut(self) -> None:
        if self._is_over:
            self._abort()
        elif self._cancel():
            self._dialogue.farewell = replies.SHUTTING_DOWN

    def _cancel(self) -> bool:
        """End what is being done, unless it must be finished."""
        if self._dialogue.is_past_final_dot or self._is_ending or self._handler_coroutine is None:
            return False
        return self._handler_coroutine.cancel()

    def _reset_timeout(self, duration: float | None = None) -> None:
        self._watchdog.until(self.loop.time() + (duration or self._front.settings.command_timeout))

    def _timeout_cb(self) -> None:
        if self._inbox.is_awaited:
            self._dialogue.farewell = replies.TIMED_OUT
            self._inbox.interrupt()
        else:  # the client does not read, or does not close
            self._abort()

    # The life of a session.

    async def _handle_client(self) -> None:
        try:
            await self._welcome()
        except (EndOfInput, Interrupted):
            pass
        except Exception:
            log.exception("%s: the session failed", self._dialogue.id)
            self._dialogue.farewell = replies.UNAVAILABLE
        finally:
            self._is_ending = True
            await self._part()

    async def _welcome(self) -> None:
        sessions = self._front.sessions
        peer = cast(tuple[str, int] | None, self.session and self.session.peer)
        if not peer:  # gone before it was accepted
            raise EndOfInput
        ip, opened = _client_address(peer[0]), self._front.clock()
        role = self._front.roles(ip)
        if sessions.is_draining or (sessions.is_full and role is Role.STRANGER):
            self._dialogue.farewell = replies.SHUTTING_DOWN if sessions.is_draining else replies.FULL
            return
        sessions.enter(self)
        self._watchdog.until(NEVER)
        await self._dialogue.run(Connection(id=self._dialogue.id, ip=ip, port=peer[1], role=role, opened=opened))

    async def _part(self) -> None:
        """Tell the client, the visit, and in the end the registry."""
        try:
            if self._dialogue.farewell is not None:
                self._outbox.say(self._dialogue.farewell)
                self._outbox.flush()
            await self._dialogue.end()
        finally:
            self._is_over = True
            self._close()

    def _close(self) -> None:
        transport = self._outbox.transport
        if transport is None:
            self._front.sessions.leave(self)
            return
        self._outbox.flush()
        self._watchdog.until(self.loop.time() + LINGER)
        if self._inbox.has_ended or self._dialogue.farewell in (None, *AT_ONCE) or not transport.can_write_eof():
            transport.close()
        else:  # closing with unread input would reset the connection, and the client might never read our last words
            self._inbox.discard()
            transport.write_eof()

    def _abort(self) -> None:
        if self._outbox.transport is not None:
            self._outbox.transport.abort()

    def _attach(self, transport: asyncio.Transport) -> None:
        self._inbox.attach(transport)
        self._outbox.transport = transport

    async def _shake_hands(self, context: ssl.SSLContext) -> Tls:
        """Go on over TLS. Whatever the client has sent in the clear is forgotten (RFC 3207 section 6)."""
        self._outbox.flush()
        self._inbox.discard()
        plain, self._outbox.transport = self._outbox.transport, None
        if plain is None:
            raise EndOfInput
        try:
            transport = await self.loop.start_tls(
                plain, self, context, server_side=True, ssl_handshake_timeout=self._front.settings.handshake_timeout
            )
        except OSError as error:  # the loop has closed the connection, and tells nobody
            log.info("%s: the TLS handshake failed: %s", self._dialogue.id, error)
            raise EndOfInput from error
        if transport is None or transport.is_closing():
            raise EndOfInput
        self._attach(transport)
        return _tls_facts(transport)


def _client_address(host: str) -> IPv4Address | IPv6Address:
    """The address of a peer; an IPv4 client of an IPv6 socket is known by its IPv4 address."""
    address = ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address


def _tls_facts(transport: asyncio.Transport) -> Tls:
    connection: ssl.SSLObject = transport.get_extra_info("ssl_object")
    cipher = connection.cipher() or ("", "", 0)
    return Tls(version=connection.version() or "", cipher=cipher[0], bits=cipher[2])
