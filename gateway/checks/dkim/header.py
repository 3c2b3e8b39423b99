"""The signed header: turns fields and the names in h= into the octets that are signed (RFC 6376 section 3.7)."""

from collections.abc import Iterable, Mapping, Sequence

from gateway.checks.dkim.canonical import Canon
from gateway.checks.dkim.tags import unsigned
from gateway.message import Field

_LINE_END = b"\r\n"


class Header:
    """The fields of one message, to be signed or verified any number of times: each is canonicalised once."""

    def __init__(self, by_name: Mapping[str, Sequence[Field]]) -> None:
        self._named = by_name
        self._relaxed: dict[int, bytes] = {}

    def count(self, name: str) -> int:
        return len(self._named.get(name, ()))

    def uncovered(self, names: Sequence[str], among: Iterable[str]) -> tuple[str, ...]:
        """Which fields of `among` the header has more often than `names` has them."""
        named = self._named
        return tuple([name for name in among if name in named and names.count(name) < len(named[name])])

    def signed(self, names: Sequence[str], canon: Canon, signature: Field) -> bytes:
        """What a signature covers: the fields that `names` select, in that order, then the signature's own field
        without its b= and its final line end."""
        parts = [self.canonical(field, canon) for field in self._select(names, signature) if field]
        parts.append(unsigned_field(signature, canon))
        return b"".join(parts)

    def canonical(self, field: Field, canon: Canon) -> bytes:
        if canon is Canon.SIMPLE:
            return field.raw
        known = self._relaxed.get(id(field))
        if known is None:
            known = self._relaxed[id(field)] = relaxed(field)
        return known

    def covered(self, names: Sequence[str], signature: Field) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of the names that a signature covers those that stand for a field, and those that sign that there is none."""
        selected = list(zip(names, self._select(names, signature), strict=True))
        return tuple(name for name, field in selected if field), tuple(name for name, field in selected if not field)

    def _select(self, names: Sequence[str], signature: Field) -> list[Field | None]:
        """What each name stands for, from the bottom up: each time that a name appears it takes the next field of that
        name; where none is left it takes nothing, which signs that there is none (section 5.4.2). The signature was not
        there when it was made."""
        selected: list[Field | None] = []
        left: dict[str, int] = {}
        for name in names:
            fields = self._named.get(name)
            if not fields or not name:  # lines without a name cannot be signed
                selected.append(None)
                continue
            position = left.get(name, len(fields)) - 1
            if position >= 0 and fields[position] is signature:
                position -= 1
            left[name] = position
            selected.append(fields[position] if position >= 0 else None)
        return selected


def relaxed(field: Field) -> bytes:
    """A field in relaxed form: its name in lower case, its value unfolded, white space reduced (section 3.4.2)."""
    value = field.raw.partition(b":")[2].replace(_LINE_END, b"").replace(b"\t", b" ")
    while b"  " in value:
        value = value.replace(b"  ", b" ")
    return field.name.encode("ascii") + b":" + value.strip(b" ") + _LINE_END


def unsigned_field(signature: Field, canon: Canon) -> bytes:
    """The field of a signature as it was when it was signed: without the value of b= and without its line end."""
    name, colon, tag_list = signature.raw.partition(b":")
    bare = Field(name=signature.name, raw=name + colon + unsigned(tag_list))
    octets = bare.raw if canon is Canon.SIMPLE else relaxed(bare)
    return octets.removesuffix(_LINE_END)
