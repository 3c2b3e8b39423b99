"""Stamp: takes from a message what claims to be ours, and puts ours before it (RFC 8601 section 5).

No other octet changes.
"""

import re
from collections.abc import Callable, Sequence, Set

from gateway.authres.claim import (
    ARC_AUTHENTICATION_RESULTS,
    AUTHENTICATION_RESULTS,
    OUR_PREFIXES,
    RECEIVED_SPF,
    apparent_name,
    claims_our_receipt,
    claims_us,
)
from gateway.message import Field, Message, Stamped

_ours_re = re.compile("|".join(OUR_PREFIXES))


def stamp(message: Message, *, authserv_id: str, ours: Sequence[bytes]) -> Stamped:
    """The message with our fields first, in their order, and without forged ones: Authentication-Results and
    Received-SPF that claim `authserv_id`, X-Spam-* and X-Mailward-*, however their names are written.

    A header that begins with white space would continue the last field of ours, so such a line goes too.
    """

    def is_forged(field: Field) -> bool:
        name = field.name or apparent_name(field)
        return name.startswith(OUR_PREFIXES) or (name in _CLAIMS and _CLAIMS[name](field, authserv_id))

    return _with_top(b"".join(ours), message, _CLAIMING, is_forged)


def for_scanners(stamped: Stamped) -> Stamped:
    """What spamd sees: as `stamp` made it, but without any Authentication-Results, ARC-Authentication-Results or
    Received-SPF except ours. SpamAssassin's plugins believe each one that names a trusted authserv-id, or that stands
    above the Received field of a stranger, and all of it can be forged."""
    if _SUSPECT.isdisjoint(stamped.message.by_name):  # as in most mail: nothing is left to be taken out
        return stamped
    return _with_top(stamped.header[: stamped.ours], stamped.message, _SUSPECT, _may_mislead)


def _may_mislead(field: Field) -> bool:
    name = field.name or apparent_name(field)
    return name in _MISLEADING or name.startswith(OUR_PREFIXES)


def _with_top(top: bytes, message: Message, suspect: Set[str], is_unwanted: Callable[[Field], bool]) -> Stamped:
    """Where none of the names is one of `suspect`, or like one of ours, no field is looked at: so in most mail."""
    kept: Sequence[Field] = message.fields
    if not suspect.isdisjoint(message.by_name) or _ours_re.search("\n".join(message.by_name)):
        kept = [field for field in kept if not is_unwanted(field)]
        if kept and kept[0].raw[:1] in (b" ", b"\t"):
            del kept[0]
    return Stamped(header=b"".join([top, *[field.raw for field in kept]]), message=message, ours=len(top))


_CLAIMS = {AUTHENTICATION_RESULTS: claims_us, RECEIVED_SPF: claims_our_receipt}
_CLAIMING = frozenset({*_CLAIMS, ""})  # without a name are lines that some reader may take for one of these
_MISLEADING = frozenset({AUTHENTICATION_RESULTS, ARC_AUTHENTICATION_RESULTS, RECEIVED_SPF})
_SUSPECT = _MISLEADING | {""}
