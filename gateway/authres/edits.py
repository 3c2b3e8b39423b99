"""Edits: what rules add to, take from and change in the header of a message that goes on, after all checks.

Fields are added on top, under names and with values that nothing can break out of. What is removed, or is put before
the subject, breaks signatures that cover it; the rules that ask for that say so.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from gateway.authres.claim import apparent_name
from gateway.authres.folding import field
from gateway.message import Field, Stamped, split_fields
from gateway.policy.verdict import NO_EDITS, Edits

SUBJECT = "subject"
MAX_FIRST_LINE = 78  # octets, RFC 5322 section 2.1.1; above it the subject goes on in a line of its own


def edit(stamped: Stamped, edits: Edits) -> Stamped:
    """The message with the edits. Fields of ours stay as they are."""
    if edits == NO_EDITS:  # as mostly
        return stamped
    added = b"".join([field(name, value) for name, value in edits.added])
    if not (edits.removed or edits.prefix):
        return stamped.topped_with(added)
    ours, theirs = stamped.header[: stamped.ours], split_fields(stamped.header[stamped.ours :])
    kept = b"".join(_kept(theirs, edits))
    return replace(stamped, header=added + ours + kept, ours=len(added) + len(ours))


def _kept(fields: tuple[Field, ...], edits: Edits) -> Iterator[bytes]:
    names = [apparent_name(one) for one in fields]
    for name, one in zip(names, fields, strict=True):
        if name not in edits.removed:
            yield _prefixed(one, edits.prefix) if edits.prefix and name == SUBJECT else one.raw
    if edits.prefix and SUBJECT not in names:
        yield field("Subject", edits.prefix)


def _prefixed(subject: Field, prefix: str) -> bytes:
    """The field with the prefix before its value, unless that begins so."""
    value = subject.value
    if value.split()[: len(prefix.split())] == prefix.encode().split():
        return subject.raw
    line = b"Subject: " + prefix.encode()
    if not value.strip():
        return line + b"\r\n"
    rest = value if value[:1] in (b" ", b"\t", b"\r") else b" " + value
    is_long = not rest.startswith(b"\r") and len(line) + len(rest.partition(b"\r")[0]) > MAX_FIRST_LINE
    return line + (b"\r\n" if is_long else b"") + rest + b"\r\n"
