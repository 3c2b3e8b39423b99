"""What a next hop is: the place that a message is handed to while its sender waits."""

from typing import Protocol

from gateway.connection import Connection
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope, Recipient
from gateway.message import Stamped
from gateway.reply import Reply


class Delivery(Protocol):
    """One transaction's way to its next hop, opened at MAIL. It is closed in every case."""

    async def recipient(self, recipient: Recipient) -> Reply:
        """Ask the next hop for one recipient: its own refusal, or a 250."""
        ...

    def let_go(self) -> None:
        """The sender will take its time: give back what others may need. The transaction goes on all the same."""
        ...

    async def send(self, envelope: Envelope, stamped: Stamped, *, spent: float = 0.0) -> Outcome:
        """Hand the message over for envelope.recipients, all or none. The outcome's reply is 250 only once the next hop
        has the message. `spent` are the seconds since the sender's final dot: they count against the time for this."""
        ...

    async def close(self) -> None:
        """Give back what is held. Safe to call twice, and after send."""
        ...


class NextHop(Protocol):
    """A place to deliver to. Two recipients with the same next hop (the same object) may share a transaction."""

    name: str
    shares_transactions: bool
    """False where recipients could fare differently after DATA (LMTP, no live verification): one at a time."""

    @property
    def carries(self) -> frozenset[str]:
        """The extensions, by their keyword for EHLO, that it is known to have at this time."""
        ...

    def open(self, connection: Connection, envelope: Envelope, client_name: str) -> Delivery:
        """Begin a transaction; no I/O yet. `client_name` is the client's confirmed reverse name, or ""."""
        ...
