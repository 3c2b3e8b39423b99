"""Heading: the header section of a message or a part to what it says of the structure. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from gateway.message import Field
from gateway.mime.outline import Entity, Soundness
from gateway.mime.parameters import MAX_FIELD, file_names, first_word, is_media_type, text_of, values

MAX_BOUNDARY = 200  # characters; RFC 2046 section 5.1.1 allows 70

DEFAULT_TYPE = "text/plain"
ENCLOSED_TYPES = frozenset({"message/rfc822", "message/global"})
_CONTENT_FIELDS = ("content-type", "content-disposition", "content-transfer-encoding")
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


class Heading(Struct, frozen=True):
    """A part, and how what follows is divided: by a boundary, or as a message of its own, or not at all."""

    entity: Entity
    soundness: Soundness
    boundary: bytes = b""
    is_message: bool = False


def read_heading(fields: Sequence[Field], default: str = DEFAULT_TYPE) -> Heading:
    """Read the fields of a part whose type is `default` where none is stated."""
    found = {name: [field.value for field in fields if field.name == name] for name in _CONTENT_FIELDS}
    types, dispositions, encodings = ([text_of(value) for value in found[name]] for name in _CONTENT_FIELDS)
    stated = first_word(types[0]) if types else default
    media_type = stated if is_media_type(stated) else DEFAULT_TYPE
    names = [name for text in dispositions for name in file_names(text, "filename")]
    names += [name for text in types for name in file_names(text, "name")]
    entity = Entity(media_type, first_word(dispositions[0]) if dispositions else "", tuple(dict.fromkeys(names)))
    boundaries = [one for text in types for one in values(text, "boundary") if one]
    is_composite = media_type.startswith("multipart/")
    is_plain = all(first_word(text) in _PLAIN_ENCODINGS for text in encodings)
    is_odd = (
        any(len(values) > 1 for values in found.values())
        or media_type != stated
        or (is_composite and (len(boundaries) != 1 or len(boundaries[0]) > MAX_BOUNDARY or not is_plain))
        or (media_type in ENCLOSED_TYPES and not is_plain)
    )
    is_cut = any(len(value) > MAX_FIELD for values in found.values() for value in values)
    return Heading(
        entity=entity,
        soundness=Soundness.LIMITED if is_cut else Soundness.MALFORMED if is_odd else Soundness.COMPLETE,
        boundary=boundaries[0][:MAX_BOUNDARY].rstrip().encode() if is_composite and boundaries else b"",
        is_message=media_type in ENCLOSED_TYPES and is_plain,
    )
