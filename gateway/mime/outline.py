"""Outline: what the structure of a message says of its parts. Values."""

from enum import StrEnum

from msgspec import Struct


class Soundness(StrEnum):
    """Whether all parts were seen that a reader may see."""

    COMPLETE = "complete"
    MALFORMED = "malformed"  # against RFC 2045 or 2046, so readers may see other parts than we do
    LIMITED = "limited"  # there is more than is looked at: parts, depth, a header section, a name


class Entity(Struct, frozen=True):
    """One part: its media type and, if it has some, the names that it may be stored under; all in lower case."""

    media_type: str
    disposition: str = ""
    names: tuple[str, ...] = ()

    @property
    def is_attachment(self) -> bool:
        """Whether readers show it apart from the text."""
        if self.media_type.startswith("multipart/"):
            return False
        return bool(self.names) or self.disposition == "attachment" or not self.media_type.startswith("text/")


class Outline(Struct, frozen=True):
    """The parts of a message in their order, those within enclosed messages too."""

    entities: tuple[Entity, ...]
    soundness: Soundness
