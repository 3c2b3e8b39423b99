"""Transaction: one mail transaction under way (RFC 5321 section 3.3), from MAIL to the message or its end."""

from msgspec.structs import replace

from gateway.checks.ahead import Ahead
from gateway.connection import Connection
from gateway.delivery.base import Delivery, NextHop
from gateway.envelope import Envelope, Recipient
from gateway.realm import is_role_account


class Transaction:
    """Who is the sender, which recipients were accepted, and the next hop that is being asked."""

    def __init__(self, envelope: Envelope, *, began: float, sender_checks: Ahead) -> None:
        self.envelope = envelope
        self.began = began  # Unix time
        self.sender_checks = sender_checks
        self._hop: NextHop | None = None
        self._profile = ""
        self.delivery: Delivery | None = None

    def suits(self, hop: NextHop, recipient: Recipient, profile: str) -> bool:
        """Whether one answer to the message can hold for this recipient as for those that were accepted before: they
        have the same next hop, which gives one answer for all, they are judged by the rules of the same profile, and
        none of them alone is never refused."""
        if self._hop is None or not self.envelope.recipients:
            return True
        first = self.envelope.recipients[0].address
        return (
            hop is self._hop
            and hop.shares_transactions
            and profile == self._profile
            and is_role_account(first) is is_role_account(recipient.address)
        )

    async def towards(self, hop: NextHop, connection: Connection, client_name: str, profile: str) -> Delivery:
        """The delivery to `hop`; one to another, for which no recipient was accepted, is given up."""
        self._profile = profile
        if self.delivery and hop is not self._hop:
            await self.close_delivery()
        if self.delivery is None:
            self._hop, self.delivery = hop, hop.open(connection, self.envelope, client_name)
        return self.delivery

    def with_recipient(self, recipient: Recipient) -> Envelope:
        return replace(self.envelope, recipients=(*self.envelope.recipients, recipient))

    async def close(self) -> None:
        self.sender_checks.cancel()
        await self.close_delivery()

    async def close_delivery(self) -> None:
        delivery, self.delivery = self.delivery, None
        if delivery:
            await delivery.close()
