"""Session: turns a client's TCP connection, as asyncio and aiosmtpd tell of it, into a dialogue, and closes it well.

The one place that knows aiosmtpd. Its SMTP class is the protocol of the event loop and starts `_handle_client`; the
talk itself is ours (gateway/smtp/dialogue.py): aiosmtpd reads mail line by line, ends lines at a bare LF, restarts its
only timer with every NOOP, and cancels a message in hand when the client half-closes.
"""

import asyncio
import logging
import socket
import ssl
from enum import Enum
from types import SimpleNamespace
from typing import cast

import aiosmtpd.smtp
from aiosmtpd.smtp import SMTP
from msgspec.structs import replace

from gateway.connection import Connection, Tls
from gateway.reply import Reply
from gateway.smtp import replies
from gateway.smtp.caller import Caller
from gateway.smtp.dialogue import Dialogue
from gateway.smtp.front import Front
from gateway.smtp.inbox import EndOfInput, Inbox, Interrupted
from gateway.smtp.outbox import Outbox
from gateway.system.tcp import send_with_the_end
from gateway.system.tls import ServerTls
from gateway.system.watchdog import Watchdog

LINGER = 10.0  # seconds for a client to read our last reply and to close
AT_ONCE = (replies.BYE, replies.SHUTTING_DOWN, *replies.CROWDED)  # after which the client is not waited for

log = logging.getLogger(__name__)
aiosmtpd.smtp.log.setLevel(logging.WARNING)  # it would log every connection; ours is one line a message


class Phase(Enum):
    """How far a session has come."""

    COMING = "its task does not run yet: one that is cancelled now would never end the session"
    TALKING = "there is a dialogue"
    PARTING = "the dialogue is over, and the visit is being told"
    OVER = "only the connection is to be closed"


class Streamless(asyncio.StreamReaderProtocol):
    """What aiosmtpd's class is based on, without the streams: nobody reads or writes by them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """No stream is made."""


class SmtpSession(SMTP, Streamless):
    """One client connection; `begin` takes it over."""

    def __init__(self, front: Front, caller: Caller, tls: ServerTls | None = None) -> None:
        """`tls` is for a connection that begins with a handshake."""
        # aiosmtpd's own constructor searches its class for methods, for each connection anew, which costs more than all
        # the rest of a session: what its connection_made needs is set here.
        self.loop = asyncio.get_running_loop()
        self.transport = None
        self._original_transport = None
        self._handler_coroutine = None

        self._front = front
        self._caller = caller
        self._tls = tls
        self._beginning: asyncio.Task[None] | None = None
        self._plain: socket.socket | None = None  # the connection, while there is no TLS on it
        self._outbox = Outbox(self.loop, front.burst)
        self._inbox = Inbox(self.loop, before_waiting=self._outbox.flush)
        self.data_received = self._inbox.receive  # type: ignore[method-assign]  # with no step between
        self._watchdog = Watchdog(self.loop, self._timeout_cb, front.watch)
        self._dialogue = self._new_dialogue()
        self._phase = Phase.COMING

    async def begin(self, client: socket.socket) -> None:
        """Take over the connection, once the handshake is done where it begins with one."""
        context = self._tls.context() if self._tls else None
        limit = self._front.settings.handshake_timeout if context else None
        self._beginning = asyncio.current_task(self.loop)
        self._plain = client if context is None else None
        try:
            await self.loop.connect_accepted_socket(lambda: self, client, ssl=context, ssl_handshake_timeout=limit)
        except OSError as error:
            log.info("%s: the connection did not begin: %s", self._caller.ip, error)
            client.close()
        finally:
            self._beginning = None
            if self._handler_coroutine is None and self._phase is not Phase.OVER:
                self._watchdog.stop()
                self._front.sessions.leave(self)

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(cast(asyncio.Transport, transport))
        super().connection_made(transport)

    def eof_received(self) -> bool:
        """A half-closed client still gets its replies, and the message that it has sent is still handed on. Where it
        has sent nothing more, what is being asked for it leads nowhere."""
        self._inbox.end()
        if self._inbox.is_empty and not self._dialogue.has_whole_message:
            self._cancel()
        transport = self._outbox.transport
        if self._phase is not Phase.OVER and transport is not None and transport.can_write_eof():
            return True
        self._outbox.flush_now()  # the loop closes the connection at once
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """aiosmtpd's would cancel a message in any case."""
        self._outbox.transport = self.transport = None
        self._inbox.end()
        self._inbox.discard()
        self._watchdog.stop()
        if self._phase is Phase.OVER:
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
        if self._phase is Phase.OVER:
            self._outbox.flush_now()
            self._abort()
        elif self._beginning is not None:
            self._beginning.cancel()
        elif self._cancel():
            self._dialogue.farewell = replies.SHUTTING_DOWN

    def _cancel(self) -> bool:
        """End what is being done, unless it must be finished."""
        task = self._handler_coroutine
        if task is None or self._phase is not Phase.TALKING or self._dialogue.is_past_final_dot:
            return False
        return task.cancel()

    # aiosmtpd notes the peer's address in its own session and makes its own envelope: nobody looks at either.
    _create_session = SimpleNamespace  # type: ignore[assignment]

    def _set_rset_state(self) -> None: ...

    def _reset_timeout(self, duration: float | None = None) -> None:
        """aiosmtpd's only timer is not set: the dialogue has deadlines of its own."""

    def _timeout_cb(self) -> None:
        """Too late where we wait for the client. Else a deadline is that of a wait which is over, and means nothing."""
        if self._inbox.is_awaited:
            self._dialogue.farewell = replies.TIMED_OUT
            self._inbox.interrupt()
        elif self._outbox.is_awaited or self._phase is Phase.OVER:  # the client does not read, or does not close
            self._abort()

    # The life of a session.

    async def _handle_client(self) -> None:
        self._phase = Phase.TALKING
        try:
            await self._dialogue.meet(self._connection())
            while (another := await self._dialogue.talk()) is not None:
                await self._serve_another(another)
        except (EndOfInput, Interrupted):
            pass
        except Exception:
            log.exception("%s: the session failed", self._dialogue.id)
            self._dialogue.farewell = replies.UNAVAILABLE
        finally:
            self._phase = Phase.PARTING
            await self._part()

    def _connection(self) -> Connection:
        """Raises EndOfInput where the client is gone already."""
        caller, transport = self._caller, self._outbox.transport
        if transport is None or (self._inbox.has_ended and self._inbox.is_empty):
            raise EndOfInput
        return Connection(
            id=self._dialogue.id,
            ip=caller.ip,
            port=caller.port,
            role=caller.role,
            opened=self._front.clock(),
            tls=_tls_facts(transport) if self._tls else None,
            via=caller.via,
        )

    async def _serve_another(self, client: Connection) -> None:
        """The peer speaks for this client from now on: everything begins anew, with a banner."""
        await self._dialogue.end()
        self._dialogue = self._new_dialogue()
        refusal = self._front.sessions.serve_another(self, client.ip, client.role)
        if refusal is not None:
            self._dialogue.farewell = refusal
        else:
            await self._dialogue.meet_through(replace(client, id=self._dialogue.id, opened=self._front.clock()))

    def _new_dialogue(self) -> Dialogue:
        return Dialogue(
            self._front, self._inbox, self._outbox, self._watchdog, self._shake_hands, self._caller.standing
        )

    async def _part(self) -> None:
        """Tell the client, the visit, and in the end the registry."""
        farewell = self._dialogue.farewell
        try:
            if farewell is not None:
                if farewell not in AT_ONCE:
                    self._note("ended by us", str(farewell))
                if farewell is replies.BYE and self._plain and self._outbox.is_empty and self._inbox.is_untouched:
                    send_with_the_end(self._plain)
                self._outbox.say(farewell)
            self._outbox.flush()
            await self._dialogue.end()
        finally:
            self._phase = Phase.OVER
            self._handler_coroutine = None  # one that was cancelled holds its frames, and with them us
            self._close(farewell)

    def _close(self, farewell: Reply | None) -> None:
        transport = self._outbox.transport
        if transport is None:
            self._watchdog.stop()  # after a handshake that failed nobody tells us that the connection is lost
            self._front.sessions.leave(self)
            return
        self._watchdog.until(self.loop.time() + LINGER)
        if farewell is None or farewell in AT_ONCE or self._inbox.has_ended or not transport.can_write_eof():
            self.loop.call_soon(self._hang_up)  # behind what leaves at the end of this turn, ours and that of others
        else:  # closing with unread input would reset the connection, and the client might never read our last words
            self._outbox.flush_now()
            self._inbox.discard()
            transport.write_eof()
        self._inbox.end()

    def _note(self, what: str, why: str) -> None:
        log.info("%s (%s): %s: %s", self._dialogue.id, self._caller.ip, what, why)

    def _hang_up(self) -> None:
        """Once, whoever does it: after the second time asyncio's TLS cannot be aborted any more."""
        transport = self._outbox.transport
        if transport is not None and not transport.is_closing():
            transport.close()

    def _abort(self) -> None:
        if self._outbox.transport is not None:
            self._outbox.transport.abort()

    def _attach(self, transport: asyncio.Transport) -> None:
        self._inbox.attach(transport)
        self._outbox.transport = transport

    async def _shake_hands(self, context: ssl.SSLContext) -> Tls:
        """Go on over TLS. Whatever the client has sent in the clear is forgotten (RFC 3207 section 6)."""
        self._outbox.flush_now()
        self._inbox.discard()
        plain, self._outbox.transport = self._outbox.transport, None
        self._plain = None
        if plain is None:
            raise EndOfInput
        try:
            transport = await self.loop.start_tls(
                plain, self, context, server_side=True, ssl_handshake_timeout=self._front.settings.handshake_timeout
            )
        except OSError as error:  # the loop has closed the connection, and tells nobody
            self._note("the TLS handshake failed", str(error) or "the client went")
            raise EndOfInput from error
        except asyncio.CancelledError:
            if self._inbox.has_ended:  # uvloop tells of a deadline by connection_lost alone
                self._note("the TLS handshake failed", "it took too long")
            raise
        if transport is None or transport.is_closing():
            raise EndOfInput
        self._attach(transport)
        return _tls_facts(transport)


def _tls_facts(transport: asyncio.Transport) -> Tls:
    connection: ssl.SSLObject = transport.get_extra_info("ssl_object")
    cipher = connection.cipher() or ("", "", 0)
    return Tls(version=connection.version() or "", cipher=cipher[0], bits=cipher[2])
