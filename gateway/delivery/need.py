"""Need: turns a message into what its next hop must be able to take."""

import asyncio

from gateway.delivery.capabilities import Capabilities
from gateway.delivery.commands import Wording, declared, is_ascii
from gateway.envelope import Envelope
from gateway.message import Stamped

BREATH = 1 << 20  # octets looked at, in under 1 ms, before other sessions of this worker get their turn


async def needed(envelope: Envelope, stamped: Stamped, offered: Capabilities) -> Wording:
    """Many clients declare 8BITMIME for every message: a next hop that offers it takes their word, and for another the
    octets decide, up to the first that does."""
    if not is_ascii(envelope) or (envelope.smtputf8 and not stamped.header.isascii()):
        return Wording.UTF8
    if "8BITMIME" in offered and declared(envelope) >= Wording.EIGHT_BIT:
        return Wording.EIGHT_BIT
    looked_at = 0
    for chunk in stamped.chunks():
        if not chunk.isascii():
            return Wording.EIGHT_BIT
        looked_at += len(chunk)
        if looked_at >= BREATH:
            looked_at = 0
            await asyncio.sleep(0)
    return Wording.SEVEN_BIT
