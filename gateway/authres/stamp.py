"""Stamp: takes from a message what claims to be ours, and puts ours before it (RFC 8601 section 5).

No other octet changes.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.authres.claim import (
    ARC_AUTHENTICATION_RESULTS,
    AUTHENTICATION_RESULTS,
    OUR_PREFIXES,
    apparent_name,
    claims_us,
)
from gateway.message import Field, Message, Stamped, split_fields


def stamp(message: Message, *, authserv_id: str, ours: Sequence[bytes]) -> Stamped:
    """The message with our fields first, in their order, and without forged ones: Authentication-Results that claim
    `authserv_id`, X-Spam-* and X-Mailward-*, however their names are written.

    A header that begins with white space would continue the last field of ours, so such a line goes too.
    """
    kept = [field.raw for field in message.fields if not _is_forged(field, authserv_id)]
    if kept and kept[0][:1] in (b" ", b"\t"):
        del kept[0]
    top = b"".join(ours)
    return Stamped(header=top + b"".join(kept), message=message, ours=len(top))


def for_scanners(stamped: Stamped) -> Stamped:
    """What spamd sees: without any Authentication-Results or ARC-Authentication-Results but ours. SpamAssassin's
    AuthRes plugin believes each of them that names a trusted authserv-id, and what an ARC set says is not known to be
    true."""
    theirs = split_fields(stamped.header[stamped.ours :])
    kept = b"".join(field.raw for field in theirs if apparent_name(field) not in _RESULTS)
    return replace(stamped, header=stamped.header[: stamped.ours] + kept)


_RESULTS = frozenset({AUTHENTICATION_RESULTS, ARC_AUTHENTICATION_RESULTS})


def _is_forged(field: Field, authserv_id: str) -> bool:
    name = apparent_name(field)
    if name == AUTHENTICATION_RESULTS:
        return claims_us(field, authserv_id)
    return name.startswith(OUR_PREFIXES)
