"""The check "attachments": what the structure of a message says it brings, by names and media types.

It reads the whole body, so it is asked only where a rule reads one of its facts.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from msgspec import Struct

from gateway.authres.field import MethodResult
from gateway.checks.base import Check, Subject
from gateway.facts import Fact, FactType, FactValue, Spelling, Stage, all_plain
from gateway.mime.outline import Outline, Soundness
from gateway.mime.structure import Structure


class AttachmentsResult(Struct, frozen=True):
    """What was found."""

    outline: Outline

    def facts(self) -> dict[str, FactValue]:
        attached = [entity for entity in self.outline.entities if entity.is_attachment]
        names = tuple(dict.fromkeys(name for entity in attached for name in entity.names))
        return {
            "attachments.result": self.outline.soundness.value,
            "attachments.count": len(attached),
            "attachments.names": names,
            "attachments.suffixes": tuple(dict.fromkeys(name.rpartition(".")[2] for name in names if "." in name)),
            "attachments.types": tuple(dict.fromkeys(entity.media_type for entity in attached)),
        }

    def authres(self) -> tuple[MethodResult, ...]:
        return ()

    def report(self) -> dict[str, Any]:
        return {name.removeprefix("attachments."): value for name, value in all_plain(self.facts()).items()}


FACTS = (
    Fact(
        "attachments.result",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "Whether all parts of the message were seen; malformed: mail readers may see other parts than we do; limited: "
        "there are more, or they are nested deeper, than is looked at; skipped: there is no message yet",
        "skipped",
        (*(soundness.value for soundness in Soundness), "unavailable", "skipped"),
        on_demand=True,
    ),
    Fact(
        "attachments.count",
        FactType.NUMBER,
        Stage.AUTHENTICATED,
        "The number of attachments: parts that have a name, are called attachment, or are no text; those of enclosed "
        "messages too",
        0,
        on_demand=True,
    ),
    Fact(
        "attachments.names",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "The names of attachments, decoded and in lower case, without path and invisible characters",
        (),
        on_demand=True,
        spelling=Spelling.LOWER,
    ),
    Fact(
        "attachments.suffixes",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "What follows the last dot of these names: exe",
        (),
        on_demand=True,
        spelling=Spelling.SUFFIX,
    ),
    Fact(
        "attachments.types",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "The media types of attachments, in lower case: application/pdf",
        (),
        on_demand=True,
        spelling=Spelling.LOWER,
    ),
)


class AttachmentsCheck:
    """Reads the structure of messages."""

    name = "attachments"
    facts = FACTS

    async def __call__(self, subject: Subject) -> AttachmentsResult:
        if subject.message is None:
            raise ValueError("attachments are looked for in messages only")
        structure = Structure(subject.message.fields)
        for chunk in subject.message.body():
            if structure.is_done:
                break
            structure.feed(chunk)
            await asyncio.sleep(0)  # other sessions of this worker get their turn
        return AttachmentsResult(structure.outline())


def attachments_check(read: Collection[str]) -> tuple[Check, ...]:
    """The check, if one of its facts is among those that rules read."""
    return () if {fact.name for fact in FACTS}.isdisjoint(read) else (AttachmentsCheck(),)
