"""Downstream: hands a transaction to a mail server while its sender waits, and brings back the server's own answers.

RCPT is asked live. The server's transaction is held for a short time only, since mailbox servers have few slots: it
is then left, and after the verdict MAIL and RCPT are replayed in one pipeline. DATA goes out only after all their
answers.
"""

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from gateway.connection import Connection
from gateway.delivery import commands, outcome
from gateway.delivery.answer import Answer
from gateway.delivery.capabilities import Capabilities
from gateway.delivery.client import Client
from gateway.delivery.commands import Wording
from gateway.delivery.endpoint import Protocol
from gateway.delivery.lease import Lease
from gateway.delivery.need import needed
from gateway.delivery.outcome import Failure, Outcome, Step
from gateway.delivery.pool import Pool
from gateway.delivery.wire import Broken
from gateway.envelope import Envelope, Recipient
from gateway.message import Stamped
from gateway.reply import Reply, reply
from gateway.system.watchdog import NEVER

RECIPIENT_OK = reply("250 2.1.5", "Recipient ok")  # of a success the sender hears no more than this

_log = logging.getLogger(__name__)


class Identify(StrEnum):
    """How the server is told who the true client is."""

    AUTO = "auto"  # XFORWARD where it is offered, else XCLIENT where that is offered
    XFORWARD = "xforward"  # where it is offered
    NEVER = "never"


class Verification(StrEnum):
    """Whether RCPT is relayed while the client waits for its answer to it."""

    LIVE = "live"
    NONE = "none"  # every recipient is accepted; the server is asked after the verdict


class Patience(Struct, frozen=True):
    """How long what may take. Times are seconds."""

    hold: float  # the server's transaction, while the sender is not done with RCPT
    transfer: float  # from the sender's final dot to ours
    final: float  # for the answer to our final dot


class Manner(Struct, frozen=True):
    """How a route deals with its server."""

    protocol: Protocol
    identify: Identify
    verification: Verification
    patience: Patience


class SmtpRoute:
    """One or several hosts that take the mail of some domains (a gateway.delivery.base.NextHop)."""

    def __init__(
        self,
        name: str,
        pool: Pool,
        manner: Manner,
        *,
        network_of: Callable[[IPv4Address | IPv6Address], str] = str,
    ) -> None:
        """`network_of` names who takes turns with others where the pool is empty."""
        self.name = name
        self.pool = pool
        self.manner = manner
        self.hold = manner.patience.hold
        self.network_of = network_of
        self.shares_transactions = manner.protocol is Protocol.SMTP and manner.verification is Verification.LIVE

    @property
    def carries(self) -> frozenset[str]:
        return self.pool.learned.carries

    def open(self, connection: Connection, envelope: Envelope, client_name: str) -> "SmtpDelivery":
        return SmtpDelivery(self, commands.Client(connection, client_name, envelope.id), envelope)

    def turn_of(self, client: commands.Client) -> str:
        return self.network_of(client.connection.ip)

    def prepare(self, client: commands.Client, session: Client) -> Awaitable[None] | None:
        """XCLIENT, where it is the way to name the client."""
        offered = session.capabilities
        if self.manner.identify is Identify.AUTO and offered.xclient and not offered.xforward:
            return session.become(commands.xclient(client, offered))
        return None


class SmtpDelivery:
    """One transaction's way to the server (a gateway.delivery.base.Delivery)."""

    def __init__(self, route: SmtpRoute, client: commands.Client, envelope: Envelope) -> None:
        self._route = route
        self._manner = route.manner
        self._client = client
        self._envelope = envelope  # as it was at MAIL
        self._lease = Lease(route, client)
        self._accepted: tuple[Recipient, ...] = ()  # by the transaction that the session is in
        self._mail_refusal: Reply | None = None

    async def recipient(self, recipient: Recipient) -> Reply:
        if self._manner.verification is Verification.NONE:
            return RECIPIENT_OK
        if self._mail_refusal is not None:
            return self._mail_refusal
        try:
            return await self._lease.run(partial(self._ask, recipient))
        except Broken as error:
            return self._failed(error).reply
        finally:
            self._lease.release() if self._mail_refusal else self._lease.hold()

    def let_go(self) -> None:
        self._lease.release()

    async def send(self, envelope: Envelope, stamped: Stamped, *, spent: float = 0.0) -> Outcome:
        try:
            self._lease.unhold()
            within = self._manner.patience.transfer - spent
            refusal = await self._lease.run(partial(self._hand_over, envelope, stamped), within=within)
            return refusal or await self._conclude(envelope)
        except (Broken, TimeoutError) as error:
            return self._failed(error)
        finally:
            self._lease.release()

    async def close(self) -> None:
        self._lease.release()

    async def _ask(self, recipient: Recipient, session: Client) -> Reply:
        offered = session.capabilities
        if self._envelope.requiretls and "REQUIRETLS" not in offered:
            return outcome.NO_REQUIRETLS
        if "SMTPUTF8" not in offered and not (recipient.address.is_ascii and commands.is_ascii(self._envelope)):
            return outcome.NO_UTF8_ADDRESS
        opening: tuple[bytes, ...] = ()
        if not session.in_transaction:
            self._accepted = ()
            opening = self._opening(self._envelope, commands.declared(self._envelope), self._envelope.size, offered)
        *before, answer = await session.transact((*opening, commands.rcpt(recipient, offered)))
        if before and not before[-1].is_success:
            self._mail_refusal = outcome.to_sender(Step.MAIL, before[-1])
            return self._mail_refusal
        if answer.is_success:
            self._accepted = (*self._accepted, recipient)
            return RECIPIENT_OK
        return outcome.to_sender(Step.RCPT, answer)

    async def _hand_over(self, envelope: Envelope, stamped: Stamped, session: Client) -> Outcome | None:
        """Everything to our final dot. An outcome is a refusal on the way there."""
        need = await needed(envelope, stamped, session.capabilities)
        lacking = _lacking(need, envelope, session.capabilities)
        if lacking is not None:
            return Outcome(reply=lacking, next_hop=session.name)
        if self._is_held_for(envelope, need, session):
            return await _transmit(stamped, session)
        wording = max(need, commands.declared(envelope))
        return await self._replay(envelope, wording, stamped.size, session) or await _transmit(stamped, session)

    async def _replay(self, envelope: Envelope, wording: Wording, size: int, session: Client) -> Outcome | None:
        if session.in_transaction:
            session.reset()
        offered = session.capabilities
        recipients = [commands.rcpt(recipient, offered) for recipient in envelope.recipients]
        answers = await session.transact((*self._opening(envelope, wording, size, offered), *recipients))
        mail, *rcpts = answers[-1 - len(recipients) :]
        if not mail.is_success:
            return _answered(Step.MAIL, mail, session)
        refused = [answer for answer in rcpts if not answer.is_success]
        if refused and len(rcpts) > 1:
            return outcome.failed(Failure.SHRUNK, next_hop=session.name, detail=str(refused[0]))
        return _answered(Step.RCPT, refused[0], session) if refused else None

    async def _conclude(self, envelope: Envelope) -> Outcome:
        session = self._lease.session
        assert session is not None, "the message was handed over in a session"
        session.limit(NEVER)
        count = len(envelope.recipients) if self._manner.protocol is Protocol.LMTP else 1
        answers = await session.final_answers(count, within=self._manner.patience.final)
        return _answered(Step.DOT, outcome.combined(answers), session)

    def _opening(
        self, envelope: Envelope, wording: Wording, size: int | None, offered: Capabilities
    ) -> tuple[bytes, ...]:
        """XFORWARD and MAIL. A refused XFORWARD is no reason to refuse mail: only the server's log has less."""
        mail = commands.mail(envelope, wording, size, offered)
        if self._manner.identify is Identify.NEVER:
            return (mail,)
        return (*commands.xforward(self._client, offered), mail)

    def _is_held_for(self, envelope: Envelope, need: Wording, session: Client) -> bool:
        """The session is in the transaction that is now to be sent."""
        in_transaction = session.in_transaction and self._accepted == envelope.recipients
        return in_transaction and need <= commands.declared(self._envelope)

    def _failed(self, error: Broken | TimeoutError) -> Outcome:
        session = self._lease.session
        failure = error.failure if isinstance(error, Broken) else Failure.TIMEOUT
        if session is not None and session.committed and failure is not Failure.CLOSING:
            failure = Failure.UNKNOWN
        next_hop = session.name if session else self._route.name
        _log.warning("%s: message %s: %s: %s", next_hop, self._client.ident, failure, error)
        return outcome.failed(failure, next_hop=next_hop, detail=str(error))


async def _transmit(stamped: Stamped, session: Client) -> Outcome | None:
    """DATA and the message, to our final dot. An outcome is a refusal before it."""
    (answer,) = await session.transact((b"DATA\r\n",))
    if answer.code // 100 != 3:
        return _answered(Step.DATA, answer, session)
    early = await session.transmit(stamped.chunks())
    if early is None:
        return None
    if early.code < 400:
        raise Broken(Failure.UNEXPECTED, f"{early} came before the final dot")
    return _answered(Step.DOT, early, session)


def _answered(step: Step, answer: Answer, session: Client) -> Outcome:
    return outcome.answered(step, answer, next_hop=session.name)


def _lacking(need: Wording, envelope: Envelope, offered: Capabilities) -> Reply | None:
    """What the sender is told if the server cannot take such a message. Nothing is re-encoded: signatures would
    break."""
    if envelope.requiretls and "REQUIRETLS" not in offered:
        return outcome.NO_REQUIRETLS
    if need is Wording.UTF8 and "SMTPUTF8" not in offered:
        return outcome.NO_UTF8_HEADER if commands.is_ascii(envelope) else outcome.NO_UTF8_ADDRESS
    if need is Wording.EIGHT_BIT and "8BITMIME" not in offered:
        return outcome.NO_EIGHT_BIT
    return None
