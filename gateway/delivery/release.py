"""Release: hands a quarantined message to the next hops of its recipients, and says what became of it for each."""

from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from gateway.delivery.base import NextHop
from gateway.delivery.label import Label
from gateway.delivery.quarantine import Kept, Quarantine, as_released
from gateway.envelope import Recipient
from gateway.message import Stamped
from gateway.reply import Reply, reply

NO_ROUTE = reply("450 4.4.4", "There is no route to this domain")  # RFC 3463: unable to route

HopFor = Callable[[str], NextHop | None]


class Released(Struct, frozen=True):
    """What became of a message for one recipient."""

    recipient: Recipient
    reply: Reply


async def release(quarantine: Quarantine, kept: Kept, hop_for: HopFor) -> list[Released]:
    """Deliver a message. Whoever did not get it stays in its envelope, and it stays in the quarantine for them.
    Raises OSError where the quarantine cannot be changed afterwards; then a second release delivers again."""
    stamped = as_released(kept)
    results = [
        result
        for hop, recipients in _together(kept.label.envelope.recipients, hop_for)
        for result in await _deliver(hop, kept.label, recipients, stamped)
    ]
    quarantine.keep_for(kept, tuple(result.recipient for result in results if not result.reply.is_success))
    return results


def _together(
    recipients: tuple[Recipient, ...], hop_for: HopFor
) -> Iterator[tuple[NextHop | None, tuple[Recipient, ...]]]:
    """The recipients that can share a transaction, with their next hop."""
    shared: dict[int, tuple[NextHop | None, list[Recipient]]] = {}
    for recipient in recipients:
        hop = hop_for(recipient.address.domain)
        if hop is not None and not hop.shares_transactions:
            yield hop, (recipient,)
        else:
            shared.setdefault(id(hop), (hop, []))[1].append(recipient)
    yield from ((hop, tuple(group)) for hop, group in shared.values())


async def _deliver(
    hop: NextHop | None, label: Label, recipients: tuple[Recipient, ...], stamped: Stamped
) -> list[Released]:
    if hop is None:
        return [Released(recipient, NO_ROUTE) for recipient in recipients]
    delivery = hop.open(label.connection, replace(label.envelope, recipients=()), "")
    try:
        told = {recipient: await delivery.recipient(recipient) for recipient in recipients}
        accepted = tuple(recipient for recipient, answer in told.items() if answer.is_success)
        if accepted:
            outcome = await delivery.send(replace(label.envelope, recipients=accepted), stamped)
            told |= dict.fromkeys(accepted, outcome.reply)
    finally:
        await delivery.close()
    return [Released(recipient, answer) for recipient, answer in told.items()]
