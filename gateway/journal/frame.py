"""Frame: turns a record into the octets in which a worker gives it to the journal's process, and back. Pure.

It is JSON, written once and fast. What an attacker made large is cut, and a fact that was cut is named: it says
something else now, and does not count as recorded.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from msgspec import Struct

from gateway.facts import Stage, all_plain
from gateway.journal.notation import from_json, to_json
from gateway.record import NO_BASIS, Record

FORMAT = 1  # of frames: after an upgrade, workers of before may still drain
MAX_FRAME = 32_768  # octets; an ordinary one has 3,000
MAX_MISSING = 1 << 48  # entries; a database's numbers end at 1 << 63, also where they are added up
CUTS = ((1000, 50), (200, 10))  # characters kept of a text, items kept of a list

NAMES = (
    "event",
    "id",
    "connection",
    "began",
    "stage",
    "client_ip",
    "client_name",
    "helo",
    "sender",
    "recipients",
    "author",
    "subject",
    "message_id",
    "size",
    "action",
    "dmarc_override",
    "total",
    "rules",
    "shadow",
    "candidate_action",
    "candidate_rules",
    "unscanned_by",
    "rules_digest",
    "panic",
    "reply",
    "next_hop",
    "answer",
    "queue_id",
    "milliseconds",
)
LISTS = ("recipients", "rules", "shadow", "candidate_rules")
_values_of: Callable[[Record], tuple[Any, ...]] = attrgetter(*NAMES)


class FrameError(ValueError):
    """A frame that is not as this version writes it."""


class Noted(Struct, frozen=True, kw_only=True):
    """A record as the journal's process has it."""

    values: Mapping[str, Any]  # of NAMES; LISTS are tuples
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


def decode(frame: bytes) -> Noted:
    """Raises FrameError."""
    try:
        version, glossary, missing, settled, values, facts, cut, dmarc = from_json(frame)
        if version != FORMAT:
            raise FrameError(f"it has the form {version}, and {FORMAT} is known here")
        if not 0 <= missing <= MAX_MISSING:
            raise FrameError(f"it says that {missing} are missing")
        named = dict(zip(NAMES, values, strict=True))
        for name in LISTS:
            named[name] = tuple(named[name])
        return Noted(
            values=named,
            facts=dict(facts),
            cut=tuple(map(str, cut)),
            settled=Stage(settled),
            dmarc=dmarc,
            glossary=str(glossary),
            missing=int(missing),
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise FrameError(str(error)) from error


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
