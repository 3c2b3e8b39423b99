"""What a test of delivery needs: a client, an envelope, a message, and routes that lose their patience quickly."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from msgspec.structs import replace

from gateway.connection import Connection, Role
from gateway.delivery.downstream import Identify, Manner, Patience, SmtpRoute, Verification
from gateway.delivery.endpoint import Endpoint
from gateway.delivery.outcome import Outcome
from gateway.delivery.routes import build_pool
from gateway.delivery.settings import RouteSettings
from gateway.envelope import Envelope, Recipient, parse_forward_path, parse_reverse_path
from gateway.message import Message, Stamped, parse_message
from gateway.reply import Reply
from gateway.system.board import Region
from gateway.system.burst import AT_ONCE, Burst
from gateway.system.threads import DiskThreads

BODY = b"Subject: greetings\r\n\r\nHello.\r\n"
HEADER = b"X-Stamp: ours\r\n"

CONNECTION = Connection(
    id="c1",
    ip=ip_address("192.0.2.7"),
    port=40123,
    role=Role.STRANGER,
    opened=0.0,
    helo="client.example.com",
    esmtp=True,
)


@dataclass(frozen=True)
class Octets:
    """A gateway.message.Content in memory, in pieces of any length."""

    octets: bytes
    piece: int = 65536

    @property
    def size(self) -> int:
        return len(self.octets)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for offset in range(start, len(self.octets), self.piece):
            yield self.octets[offset : offset + self.piece]


def stamped(octets: bytes = BODY, *, header: bytes = HEADER, piece: int = 65536) -> Stamped:
    """A message as it goes on: our header before the message's own."""
    message = parse_message(Octets(octets, piece), max_header=1_000_000)
    return Stamped(header=header + b"".join(f.raw for f in message.fields), message=message)


def recipient(path: str, *parameters: str) -> Recipient:
    return Recipient(address=parse_forward_path(f"<{path}>"), parameters=parameters)


def envelope(*recipients: str, sender: str = "alice@example.com", **fields: Any) -> Envelope:
    return Envelope(
        id="m1", sender=parse_reverse_path(f"<{sender}>"), recipients=tuple(map(recipient, recipients)), **fields
    )


@contextlib.contextmanager
def route(
    *endpoints: Endpoint,
    identify: Identify = Identify.AUTO,
    verification: Verification = Verification.LIVE,
    hold: float = 5.0,
    transfer: float = 5.0,
    final: float = 5.0,
    region: Region | None = None,
    burst: Burst = AT_ONCE,
    **settings: Any,
) -> Iterator[SmtpRoute]:
    """A route whose idle connections are closed at the end; those in regions of one board share their connections."""
    patient = {"command_timeout": 2.0, "connect_timeout": 2.0} | settings
    chosen = RouteSettings(hosts=tuple(map(str, endpoints)), **patient)
    pool = build_pool("mail", chosen, hostname="mx.example.org", region=region or Region.private(), burst=burst)
    patience = Patience(hold=hold, transfer=transfer, final=final)
    manner = Manner(protocol=endpoints[0].protocol, identify=identify, verification=verification, patience=patience)
    try:
        yield SmtpRoute("mail", pool, manner)
    finally:
        pool.close()


@dataclass(frozen=True)
class Course:
    """What a sender was told in one transaction: at each RCPT, and after the message."""

    rcpts: tuple[Reply, ...]
    outcome: Outcome | None

    @property
    def told(self) -> str:
        """The reply that decided."""
        assert self.outcome is not None
        return str(self.outcome.reply)


async def deliver(
    hop: SmtpRoute,
    recipients: Sequence[str] = ("bob@example.org",),
    *,
    message: Stamped | None = None,
    **fields: Any,
) -> Course:
    """One transaction from MAIL to the end, as the journey does it: the message goes to those that were accepted."""
    whole = envelope(*recipients, **fields)
    delivery = hop.open(CONNECTION, envelope(**fields), "client.example.com")
    try:
        replies = [await delivery.recipient(one) for one in whole.recipients]
        accepted = tuple(one for one, told in zip(whole.recipients, replies, strict=True) if told.is_success)
        if not accepted:
            return Course(tuple(replies), None)
        return Course(tuple(replies), await delivery.send(replace(whole, recipients=accepted), message or stamped()))
    finally:
        await delivery.close()


@dataclass(frozen=True)
class Hanging(Octets):
    """What a disk that hangs gives: nothing, until it is `released`."""

    released: threading.Event = field(default_factory=threading.Event)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        self.released.wait()
        yield from super().chunks(start)

    @property
    def stamped(self) -> Stamped:
        return Stamped(header=HEADER, message=Message((), self, header_size=0))


def disk_threads() -> DiskThreads:
    """Threads for the disk, to be used as a context."""
    return DiskThreads(threads=2, waiting=8)
