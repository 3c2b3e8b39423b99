"""Client: one SMTP or LMTP session with a next hop (RFC 5321, RFC 2033), pipelined (RFC 2920), one write a step.

It speaks; what the answers mean for a sender is the business of outcome and downstream.
"""

import ssl
import time
from collections.abc import Awaitable, Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from gateway.delivery.answer import Answer
from gateway.delivery.capabilities import NOTHING, Capabilities
from gateway.delivery.dots import stuffed
from gateway.delivery.endpoint import Endpoint, Protocol
from gateway.delivery.outcome import Failure, Step, failure_of
from gateway.delivery.wire import Broken, Wire, connect
from gateway.system.burst import AT_ONCE, Burst

# Postfix counts refusals and RSETs until the next message is taken: it answers slowly after 10 refusals and hangs up
# after 20, and takes every RSET past 100 for a refusal (smtpd_soft_error_limit, smtpd_hard_error_limit,
# smtpd_junk_command_limit).
MAX_REFUSALS = 8
MAX_RESETS = 80


class TlsMode(StrEnum):
    NEVER = "never"
    OPPORTUNISTIC = "opportunistic"  # encrypted where STARTTLS is offered, with any certificate
    REQUIRED = "required"  # encrypted or not at all, with any certificate
    VERIFIED = "verified"  # encrypted, and the certificate names the host and is vouched for


class Terms(Struct, frozen=True):
    """How a session is held. Times are seconds."""

    hostname: str  # ours, for EHLO
    tls: TlsMode
    context: ssl.SSLContext
    connect: float  # until the connection stands
    command: float  # until the answer to a command
    burst: Burst = AT_ONCE  # what is said goes through it


class Client:
    """A session that is ready for transactions, or in one. Once it is not `usable` it can only be closed."""

    def __init__(self, wire: Wire, endpoint: Endpoint, terms: Terms) -> None:
        self._wire = wire
        self._terms = terms
        self._owed = 0  # answers to RSET, which nobody waited for
        self._midway = False  # something was sent whose answer was not taken, or a message was begun
        self._refusals = 0
        self._resets = 0
        self.limit = wire.limit
        self.now = wire.now  # what limits are reckoned from; to ask for the running loop takes a system call
        self.endpoint = endpoint
        self.name = str(endpoint)  # as the log has it
        self.capabilities = NOTHING
        self.born = time.monotonic()
        self.messages = 0
        self.is_fresh = True  # no transaction so far: if this one is dead, the server is
        self.is_personal = False  # XCLIENT holds for the rest of a session, so it can serve one client only
        self.in_transaction = False
        self.committed = False  # the final dot of the present message is out

    @property
    def usable(self) -> bool:
        """Another transaction can be begun, as far as is known here."""
        wire = self._wire
        return wire.is_open and not self._midway and len(wire.unread) <= self._owed

    @property
    def tired(self) -> bool:
        """The server is about to lose its patience with this session."""
        return self._refusals >= MAX_REFUSALS or self._resets >= MAX_RESETS

    async def exchange(self, commands: Sequence[bytes]) -> list[Answer]:
        """Send commands and take the answer to each: in one write if PIPELINING is offered. 421 is raised as Broken."""
        if self._owed:
            await self._settle()
        self._midway = True
        if len(commands) == 1 or "PIPELINING" in self.capabilities:
            await self._ask(b"".join(commands), len(commands))
            answers = self._taken(len(commands))
        else:
            answers = [await self._ask_alone(command) for command in commands]
        self._midway = False
        if self.in_transaction:
            self.is_fresh = False
        return answers

    def transact(self, commands: Sequence[bytes]) -> Awaitable[list[Answer]]:
        """Exchange commands of a transaction."""
        self.in_transaction = True
        return self.exchange(commands)

    async def ask(self, step: Step, command: bytes) -> Answer:
        """Send one command about the session itself. Raises Broken unless it succeeds."""
        (answer,) = await self.exchange((command,))
        self._expect_success(step, answer)
        return answer

    async def transmit(self, chunks: Iterable[bytes]) -> Answer | None:
        """Send the message after a 354, to the final dot. An answer that comes before that dot is returned: a refusal,
        and the end of the session, since the message was not sent whole."""
        self._midway = True
        piece = b""
        for following in stuffed(chunks):
            if piece:
                await self._push(piece)
            if self._wire.unread:
                return self._taken(1)[0]
            piece = following
        self._wire.write(piece)
        self.committed = True
        return None

    async def final_answers(self, count: int, *, within: float) -> list[Answer]:
        """Take what is said after the final dot: one answer, or with LMTP one for each recipient."""
        await self._wire.come(count, within=within)
        answers = self._taken(count)
        self.committed = self._midway = self.in_transaction = False
        self.messages += 1
        failures = [answer for answer in answers if not answer.is_success]
        if not failures:
            self._refusals = self._resets = 0
        return answers

    def reset(self) -> None:
        """Leave the transaction. The answer to RSET is looked at before the next command, so nobody waits for it."""
        self._wire.write(b"RSET\r\n")
        self._owed += 1
        self._resets += 1
        self.in_transaction = False

    def close(self) -> None:
        """End the session, politely where it is at a command."""
        if self.usable:
            self._wire.write(b"QUIT\r\n")
            self._wire.close()
        else:
            self._wire.abort()

    async def _settle(self) -> None:
        """Take the answers that are owed, before those to what is asked next."""
        await self._wire.come(self._owed, within=self._terms.command)
        answers, self._owed = self._taken(self._owed), 0
        if not all(answer.is_success for answer in answers):
            raise Broken(Failure.LOST, f"RSET was answered {answers[-1]}")

    def _ask(self, octets: bytes, count: int) -> Awaitable[None]:
        """Send commands and wait for so many answers. Raises Broken where an answer is here already: it is none to what
        is asked next, and all that follow would be taken for answers to something else."""
        if self._wire.unread:
            (answer,) = self._taken(1)
            raise Broken(Failure.UNEXPECTED, f"{answer} came unasked")
        self._wire.write(octets)
        return self._wire.come(count, within=self._terms.command)

    async def _ask_alone(self, command: bytes) -> Answer:
        await self._ask(command, 1)
        return self._taken(1)[0]

    async def _push(self, piece: bytes) -> None:
        """Write octets of a message. Raises Broken, but not where an answer came before the connection ended."""
        try:
            self._wire.write(piece)
            await self._wire.drained()
        except Broken:
            if not self._wire.unread:
                raise

    def _taken(self, count: int) -> list[Answer]:
        """The next `count` answers, which are here."""
        unread = self._wire.unread
        answers = unread[:count]
        del unread[:count]
        for answer in answers:
            if answer.code >= 400:
                if answer.code == 421:
                    raise Broken(Failure.CLOSING, str(answer))
                self._refusals += 1
        return answers

    def _expect_success(self, step: Step, answer: Answer) -> None:
        if not answer.is_success:
            raise Broken(failure_of(step, answer.code) or Failure.UNEXPECTED, f"{step} was answered {answer}")

    # Beginning a session.

    async def greet(self) -> None:
        """Take the banner, say EHLO, and begin TLS where it is due."""
        await self._wire.come(1, within=self._terms.command)
        (banner,) = self._taken(1)
        self._expect_success(Step.BANNER, banner)
        await self.hello()
        await self._secure()

    async def hello(self) -> None:
        """Say EHLO or LHLO: at the beginning, and again after STARTTLS (RFC 3207 section 4.2) and XCLIENT."""
        verb = "LHLO" if self.endpoint.protocol is Protocol.LMTP else "EHLO"
        self.capabilities = NOTHING
        answer = await self.ask(Step.EHLO, f"{verb} {self._terms.hostname}\r\n".encode())
        self.capabilities = Capabilities.of(answer)
        if self._terms.tls is not TlsMode.VERIFIED:
            # It needs a host that is known to be the right one (RFC 8689 section 4.2).
            self.capabilities = self.capabilities.without("REQUIRETLS")

    async def become(self, commands: Sequence[bytes]) -> None:
        """Speak for one client from now on (XCLIENT)."""
        self.is_personal = True
        for command in commands:
            await self.ask(Step.XCLIENT, command)
        await self.hello()

    async def _secure(self) -> None:
        mode = self._terms.tls
        if mode is not TlsMode.NEVER and "STARTTLS" in self.capabilities:
            await self.ask(Step.STARTTLS, b"STARTTLS\r\n")
            await self._wire.start_tls(self._terms.context, self.endpoint.host or None, within=self._terms.command)
            await self.hello()
        elif mode in (TlsMode.REQUIRED, TlsMode.VERIFIED):
            raise Broken(Failure.NO_TLS, "STARTTLS is not offered, and the route requires it")


async def open_client(endpoint: Endpoint, terms: Terms) -> Client:
    """Begin a session. Raises Broken."""
    wire = await connect(endpoint, terms.burst, within=terms.connect)
    client = Client(wire, endpoint, terms)
    try:
        await client.greet()
    except BaseException:
        wire.abort()
        raise
    return client


def tls_context(mode: TlsMode, authorities: str = "") -> ssl.SSLContext:
    """The client side of TLS 1.2 or later. `authorities` is a PEM file; empty means those of the system."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities:
        context.load_verify_locations(authorities)
    elif mode is TlsMode.VERIFIED:
        context.load_default_certs()  # a hundred and more, so only where they are asked
    if mode is not TlsMode.VERIFIED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
