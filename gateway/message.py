"""Message: turns collected bytes into header fields and a body (RFC 5322 section 2), and back into the same bytes.

Nothing here changes a byte: the fields' raw bytes, joined, are the header section as it came.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import force_setattr

CHUNK = 65536  # octets in which content is read; large enough that the per-chunk cost vanishes, small enough for memory

# Each costs the checks some ten microseconds in which no other session is served. Honest mail has fewer than 300.
MAX_FIELDS = 2000

# White space before the colon is obsolete (RFC 5322 section 4.5), a fold there is not even that; but readers take both.
_name = rb"([!-9;-~]++)(?::|(?:\r?\n?[ \t])++:)"

# A field, and its name if it has one. A line that starts with white space continues the field before it. Possessive, so
# that nothing is kept to go back to.
_field_re = re.compile(rb"((?:%b|).*+(?:\n[ \t].*+)*+\n?+)" % _name)


class Content(Protocol):
    """The octets of a message, wherever they lie."""

    @property
    def size(self) -> int: ...

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The octets from `start` on, in pieces of at most CHUNK."""
        ...


class Octets(Struct, frozen=True):
    """Content in memory."""

    octets: bytes

    @property
    def size(self) -> int:
        return len(self.octets)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for offset in range(start, len(self.octets), CHUNK):
            yield self.octets[offset : offset + CHUNK]


class Field(Struct, frozen=True, gc=False):  # text alone leads back to nothing: the collector need not know it
    """One header field. `name` is in lower case, and empty for a line that is no field; `raw` has the CRLF."""

    name: str
    raw: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, as it came, with its folding and without the final CRLF."""
        return self.raw.partition(b":")[2].removesuffix(b"\n").removesuffix(b"\r")

    @property
    def text(self) -> str:
        """The value unfolded and decoded to be shown or compared, never to be sent on."""
        return b" ".join(self.raw.partition(b":")[2].split()).decode("utf-8", "replace")


class Message(Struct, frozen=True):
    """A collected message. The empty line that ends the header is at `header_size`, if there is one."""

    fields: tuple[Field, ...]
    content: Content
    header_size: int  # octets
    by_name: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        force_setattr(self, "by_name", by_name(self.fields))

    @property
    def size(self) -> int:
        return self.content.size

    def named(self, name: str) -> tuple[Field, ...]:
        """The fields of that name (lower case), in the order of the message."""
        return self.by_name.get(name, ())

    def rest(self) -> Iterator[bytes]:
        """All that follows the header section, with the empty line."""
        return self.content.chunks(self.header_size)

    def body(self) -> Iterator[bytes]:
        """The body, without the empty line before it."""
        return self.content.chunks(self.header_size + 2)


class Stamped(Struct, frozen=True):
    """A message as it goes on: a header section of ours and theirs, then everything else byte for byte."""

    header: bytes  # each field with its CRLF, without the empty line
    message: Message
    ours: int = 0  # octets at the beginning of the header that are our own fields

    @property
    def size(self) -> int:
        return len(self.header) + self.message.size - self.message.header_size

    def topped_with(self, fields: bytes) -> "Stamped":
        """The same with more fields of ours before everything else."""
        if not fields:
            return self
        return Stamped(header=fields + self.header, message=self.message, ours=len(fields) + self.ours)

    def chunks(self) -> Iterator[bytes]:
        return chain((self.header,), self.message.rest())


class HeaderTooLarge(ValueError):
    """The header section is larger, or has more fields, than the limits allow."""


def parse_message(content: Content, *, max_header: int, max_fields: int = MAX_FIELDS) -> Message:
    """Find the header fields of `content`, whose lines end with CRLF. Raises HeaderTooLarge above `max_header` octets
    or `max_fields`: security limits, since each field is held in memory and looked at by every check."""
    head = _header_section(content, max_header)
    if len(head) > max_fields <= head.count(b"\n") and _number_of_fields(head) > max_fields:
        raise HeaderTooLarge(f"the header section has more than {max_fields} fields")
    return Message(fields=split_fields(head), content=content, header_size=len(head))


def split_fields(header: bytes) -> tuple[Field, ...]:
    """Split a header section (no empty line in it) into its fields; their raw bytes joined are `header` again."""
    return tuple([Field(name.decode().lower(), raw) for raw, name in _field_re.findall(header) if raw])


def by_name(fields: Iterable[Field]) -> Mapping[str, tuple[Field, ...]]:
    """The fields of each name, in their order; under "" the lines that are none."""
    named: dict[str, tuple[Field, ...]] = {}
    several: dict[str, list[Field]] = {}
    for one in fields:
        name = one.name
        if name in named:  # as of Received alone in most mail
            several.setdefault(name, [*named[name]]).append(one)
        else:
            named[name] = (one,)
    for name, those in several.items():
        named[name] = tuple(those)
    return named


def _number_of_fields(header: bytes) -> int:
    """How many `split_fields` would find, at a hundredth of its cost."""
    ended = header.count(b"\n") - header.count(b"\n ") - header.count(b"\n\t")
    return ended + (not header.endswith(b"\n") and header != b"")


def _header_section(content: Content, max_header: int) -> bytes:
    head, searched = b"", 0
    for chunk in content.chunks():
        head += chunk
        if head.startswith(b"\r\n"):
            return b""
        end = head.find(b"\r\n\r\n", searched)
        if end >= 0:
            head = head[: end + 2]
            break
        if len(head) > max_header:
            break
        searched = max(len(head) - 3, 0)
    if len(head) > max_header:
        raise HeaderTooLarge(f"the header section is larger than {max_header} octets")
    return head
