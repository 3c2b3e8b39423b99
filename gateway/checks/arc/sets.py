"""ARC sets: turns the ARC fields of a message into its chain of sets, or says what is wrong with its form (RFC 8617
section 4, and steps 1 to 3 of section 5.2). Pure."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct

from gateway.checks.dkim.signature import Seal, Signature, message_signature, read_field, required, seal, times
from gateway.checks.dkim.status import SignatureError
from gateway.checks.dkim.tags import TagError, Tags
from gateway.message import Field, Message

RESULTS = "arc-authentication-results"
SIGNATURE = "arc-message-signature"
SEAL = "arc-seal"

# Without c= a DKIM-Signature is simple/simple; sealers that leave it out mean the form that seals have.
DEFAULT_CANON = b"relaxed/relaxed"

_instance_re = re.compile(rb"(?:[1-9]|[1-4][0-9]|50)\Z")  # RFC 8617 section 4.2.1
_results_instance_re = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;")

_Part = tuple[int, Field, Tags]  # a field of a set: its instance, and its tags if it has any


class ArcSet(Struct, frozen=True):
    """What one intermediary added: what it had found, its signature of the message, and its seal of the chain."""

    results: Field  # ARC-Authentication-Results
    signature: Signature  # ARC-Message-Signature
    seal_field: Field  # ARC-Seal
    seal: Seal
    chain: bytes  # cv=: none, pass or fail: what the sealer found the chain before it to be

    @property
    def fields(self) -> tuple[Field, Field, Field]:
        """In the order in which a seal covers them (RFC 8617 section 5.1.1)."""
        return self.results, self.signature.field, self.seal_field


def parse_sets(message: Message, *, limit: int) -> tuple[ArcSet, ...]:
    """The sets of a message, from the first to the newest; none where it has no ARC fields. Raises SignatureError where
    their form makes the chain fail."""
    kinds = [message.named(name) for name in (RESULTS, SIGNATURE, SEAL)]
    if not any(kinds):
        return ()
    if max(map(len, kinds)) > limit:
        raise SignatureError(f"it has more than {limit} sets")
    try:
        results, signatures, seals = (_in_order([_part(field) for field in fields]) for fields in kinds)
        if not len(results) == len(signatures) == len(seals):
            raise SignatureError("a set is not complete")
        return tuple(map(_set, results, signatures, seals))
    except TagError as error:
        raise SignatureError(str(error)) from None


def newest_of_broken(message: Message, *, limit: int) -> int:
    """The highest instance that a field of a malformed or broken chain claims. 0 where none can be read, where a seal
    says that the chain has ended (cv=fail), and where there are more than `limit` fields of one name."""
    kinds = [message.named(name) for name in (RESULTS, SIGNATURE, SEAL)]
    if max(map(len, kinds)) > limit:
        return 0
    parts = [part for fields in kinds for part in _readable(fields)]
    if any(field.name == SEAL and tags.get("cv") == b"fail" for _, field, tags in parts):
        return 0
    return max((instance for instance, _, _ in parts), default=0)


def _readable(fields: Sequence[Field]) -> Iterator[_Part]:
    for field in fields:
        with suppress(SignatureError, TagError):
            yield _part(field)


def _in_order(parts: Sequence[_Part]) -> list[_Part]:
    """The fields of one name, from instance 1 on, with no instance missing or repeated."""
    ordered = sorted(parts, key=lambda part: part[0])
    if [instance for instance, _, _ in ordered] != list(range(1, len(ordered) + 1)):
        raise SignatureError("an instance (i=) is missing or appears twice")
    return ordered


def _part(field: Field) -> _Part:
    if field.name == RESULTS:
        match = _results_instance_re.match(field.value)
        return _instance(match[1] if match else b""), field, {}
    tags = read_field(field)
    return _instance(required(tags, "i")), field, tags


def _instance(value: bytes) -> int:
    if not _instance_re.match(value):
        raise SignatureError("an instance (i=) is no number from 1 to 50")
    return int(value)


def _set(results: _Part, signature: _Part, sealed: _Part) -> ArcSet:
    instance, seal_field, tags = sealed
    if "h" in tags:
        raise SignatureError("a seal has h=")
    times(tags)
    return ArcSet(
        results=results[1],
        signature=_signature(signature[1], signature[2]),
        seal_field=seal_field,
        seal=seal(tags),
        chain=_chain(required(tags, "cv"), instance),
    )


def _signature(field: Field, tags: Tags) -> Signature:
    signature = message_signature(field, tags, default_canon=DEFAULT_CANON)
    if SEAL in signature.headers:
        raise SignatureError("a message signature signs a seal")
    return signature


def _chain(value: bytes, instance: int) -> bytes:
    """cv=, which is none in the first set and never again (RFC 8617 section 5.1.1)."""
    if value == b"fail" or value == (b"none" if instance == 1 else b"pass"):
        return value
    raise SignatureError("a seal's cv= is not what it can be at its place")
