"""Delivered: turns a message as it lies in a mailbox into what spamd was given to score, and the id that the log has it
under. Pure.

Between the two stand fields of ours that came after the scoring (X-Spam-*, X-Mailward-*, an ARC set), and those of the
mail server behind us. All of them are above our Received field; what is there is left out, but for Return-Path and our
results. A message that has never been here loses what spamd is never given.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from gateway.authres.claim import (
    apparent_name,
    claims_our_receipt,
    claims_us,
)
from gateway.authres.received import receipt_ident
from gateway.authres.stamp import for_scanners, stamp
from gateway.message import Field, Message, Stamped


class Delivered(Struct, frozen=True, kw_only=True):
    ident: str  # as in the log; "" where the message has not come through this host
    return_path: bytes  # the field with its CRLF, or nothing
    copy: Stamped  # as scanners see it

    def original(self) -> Iterator[bytes]:
        """What the sender has sent, without what claimed to be ours: the same in every copy of a message."""
        yield self.copy.header[self.copy.ours :]
        yield from self.copy.message.rest()


def as_scored(message: Message, *, hostname: str, authserv_id: str) -> Delivered:
    end, ident = _our_receipt(message, hostname)
    above, below = message.fields[:end], message.fields[end:]
    ours = [field.raw for field in above if _is_ours(field, hostname, authserv_id)]
    stamped = stamp(replace(message, fields=below), authserv_id=authserv_id, ours=ours)
    paths = [field.raw for field in above if field.name == "return-path"]
    return Delivered(ident=ident, return_path=b"".join(paths[:1]), copy=for_scanners(stamped))


def _our_receipt(message: Message, hostname: str) -> tuple[int, str]:
    """How many fields there are to the end of our topmost Received field, and its id; none where there is no such one.
    Those below it are of an earlier visit, or forged."""
    for number, field in enumerate(message.fields, 1):
        if ident := receipt_ident(field, hostname):
            return number, ident
    return 0, ""


def _is_ours(field: Field, hostname: str, authserv_id: str) -> bool:
    match apparent_name(field):
        case "authentication-results":
            return claims_us(field, authserv_id)
        case "received-spf":
            return claims_our_receipt(field, authserv_id)
        case _:
            return receipt_ident(field, hostname) is not None
