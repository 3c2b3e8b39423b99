"""Frame: turns a record into the octets in which a worker gives it to the journal's process, and back; and several of
them into a packet. Pure.

It is JSON in one line, written once and fast. What an attacker made large is cut, and a fact that was cut is named: it
says something else now, and does not count as recorded.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Literal

from msgspec import Meta, MsgspecError, Struct
from msgspec.structs import asdict

from gateway.facts import Stage, all_plain
from gateway.journal.notation import reader, to_json
from gateway.record import NO_BASIS, Record

FORMAT = 1  # of frames: after an upgrade, workers of before may still drain
MAX_FRAME = 32_768  # octets, of a packet too; an ordinary frame has 3,000
MAX_MISSING = 1 << 48  # entries; a database's numbers end at 1 << 63, also where they are added up
CUTS = ((1000, 50), (200, 10))  # characters kept of a text, items kept of a list


class Values(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the journal has of a record: these of its fields, in this order."""

    event: str
    id: str
    connection: str
    began: float
    stage: str
    client_ip: str
    client_name: str
    helo: str
    sender: str
    recipients: tuple[str, ...]
    author: str
    subject: str
    message_id: str
    size: int
    action: str
    dmarc_override: str
    total: float | None
    rules: tuple[str, ...]
    shadow: tuple[str, ...]
    candidate_action: str
    candidate_rules: tuple[str, ...]
    unscanned_by: str
    rules_digest: str
    panic: bool
    reply: str
    next_hop: str
    answer: str
    queue_id: str
    milliseconds: dict[str, float]


NAMES = Values.__struct_fields__
_values_of: Callable[[Record], tuple[Any, ...]] = attrgetter(*NAMES)


class Frame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What stands in a frame, in this order."""

    form: Literal[1]  # FORMAT
    glossary: str
    missing: Annotated[int, Meta(ge=0, le=MAX_MISSING)]
    settled: Stage
    values: Values
    facts: dict[str, Any]
    cut: tuple[str, ...]
    dmarc: dict[str, Any] | None


_read = reader(Frame)


class FrameError(ValueError):
    """A frame that is not as this version writes it."""


class Noted(Struct, frozen=True, kw_only=True):
    """A record as the journal's process has it."""

    values: Mapping[str, Any]  # of NAMES
    facts: Mapping[str, Any]  # as JSON has them
    cut: tuple[str, ...]  # the facts that are not whole
    settled: Stage
    dmarc: Mapping[str, Any] | None
    glossary: str  # its digest
    missing: int  # entries that the same worker had to drop before this one


def encode(record: Record, glossary: str, missing: int = 0) -> bytes:
    """`glossary` is the digest of the one that the facts are of. `missing` entries were dropped before this one."""
    basis = record.basis or NO_BASIS
    head = (FORMAT, glossary, missing, int(basis.settled))
    frame = to_json((*head, _values_of(record), basis.facts, (), basis.dmarc))
    return frame if len(frame) <= MAX_FRAME else _encode_cut(record, head)


def decode(octets: bytes) -> Noted:
    """Raises FrameError."""
    try:
        frame = _read(octets)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise FrameError(str(error)) from error
    return Noted(
        values=asdict(frame.values),
        facts=frame.facts,
        cut=frame.cut,
        settled=frame.settled,
        dmarc=frame.dmarc,
        glossary=frame.glossary,
        missing=frame.missing,
    )


def packed(frames: Iterable[bytes]) -> tuple[bytes, int]:
    """As many of the first ones as a packet takes, one at least; and how many those are."""
    taken: list[bytes] = []
    octets = -1  # nothing stands behind the last one
    for frame in frames:
        octets += len(frame) + 1
        if taken and octets > MAX_FRAME:
            break
        taken.append(frame)
    return b"\n".join(taken), len(taken)


def unpacked(packet: bytes) -> list[bytes]:
    return packet.split(b"\n")


def _encode_cut(record: Record, head: tuple[Any, ...]) -> bytes:
    basis = record.basis or NO_BASIS
    values, facts = _values_of(record), all_plain(basis.facts)
    dmarc = basis.dmarc  # it is bounded where it is made, and of no use once it is cut
    for characters, items in CUTS:
        kept = {name: _cut(value, characters, items) for name, value in facts.items()}
        cut = [name for name, value in facts.items() if kept[name] != value]
        shown = [_cut(value, characters, items) for value in values]
        frame = to_json((*head, shown, kept, cut, dmarc))
        if len(frame) <= MAX_FRAME:
            return frame
        dmarc = None
    return to_json((*head, shown, {}, list(facts), None))


def _cut(value: Any, characters: int, items: int) -> Any:
    if isinstance(value, str):
        return value[:characters]
    if isinstance(value, Mapping):
        return {name: _cut(entry, characters, items) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(entry, characters, items) for entry in value[:items]]
    return value
