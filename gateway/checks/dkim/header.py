"""The signed header: turns fields and the names in h= into the octets that are signed (RFC 6376 section 3.7)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct, field

from gateway.checks.dkim.canonical import Canon, reduced
from gateway.checks.dkim.tags import unsigned
from gateway.message import Field

MAX_TOGETHER = 8192  # octets of fields that are made relaxed for each signature anew, since that is cheap
MAX_NAMES = 64  # in h=, of these fields; honest signatures have 5 to 30
MAX_KEPT = 250  # lists of them that one worker keeps, of 2 KB each as a rule and 60 KB at most: signers come again

_LINE_END = b"\r\n"
_COLON = b":\n\n"  # the colon behind a field's name, told from others: no field has an empty line in it

_Listed = tuple[str, int, bytes]  # a name in h=, how often it was there before, and how its field begins: "from:\n\n"


class Header(Struct, eq=False):
    """The fields of one message, to be signed or verified any number of times: where they are long, each is
    canonicalised once."""

    _named: Mapping[str, Sequence[Field]]
    _relaxed: dict[int, bytes] = field(default_factory=dict)
    _is_short: bool = True  # as far as is known: no signature has been found that the fields are too long for

    def count(self, name: str) -> int:
        return len(self._named.get(name, ()))

    def uncovered(self, names: Sequence[str], among: Iterable[str]) -> tuple[str, ...]:
        """Which fields of `among` the header has more often than `names` has them."""
        named = self._named
        return tuple([name for name in among if name in named and names.count(name) < len(named[name])])

    def signed(self, names: Sequence[str], canon: Canon, signature: Field) -> bytes:
        """What a signature covers: the fields that `names` select, in that order, then the signature's own field
        without its b= and its final line end."""
        if self._is_short and canon is Canon.RELAXED and len(names) <= MAX_NAMES:
            if octets := _relaxed_together(self._before(signature, names), _listed(tuple(names)), signature):
                return octets
            self._is_short = False  # to find that out again for each signature and key would cost much
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
        name; where none is left it takes nothing, which signs that there is none (section 5.4.2)."""
        named = self._before(signature, names)
        selected: list[Field | None] = []
        for name, times in _counted(names):
            fields = named.get(name) if name else None  # lines without a name cannot be signed
            selected.append(fields[~times] if fields and times < len(fields) else None)
        return selected

    def _before(self, signature: Field, names: Sequence[str]) -> Mapping[str, Sequence[Field]]:
        """The signature was not there when it was made, which matters where its own name is signed."""
        if signature.name not in names:
            return self._named
        others = [field for field in self._named.get(signature.name, ()) if field is not signature]
        return {**self._named, signature.name: others}


@lru_cache(MAX_KEPT)
def _listed(names: tuple[str, ...]) -> Sequence[_Listed]:
    return tuple([(name, times, name.encode("ascii", "replace") + _COLON) for name, times in _counted(names) if name])


def _counted(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each name, and how often it was there before."""
    counts: dict[str, int] = {}
    for name in names:
        times = counts.get(name, 0)
        counts[name] = times + 1
        yield name, times


def _relaxed_together(named: Mapping[str, Sequence[Field]], listed: Iterable[_Listed], signature: Field) -> bytes:
    """What `relaxed` makes of the fields that are selected, in a few passes over all of them: a CRLF within a field is
    a fold, so that the others end fields. Nothing where that is too much to be done anew, or where a field has no CRLF
    at its end."""
    begun: list[bytes] = []
    for name, times, beginning in listed:
        fields = named.get(name)
        if fields and times < len(fields):
            begun.append(beginning + fields[~times].raw.partition(b":")[2])
    octets = b"".join(begun)
    if len(octets) > MAX_TOGETHER:
        return b""
    tag_list = unsigned(signature.raw.partition(b":")[2]).removesuffix(_LINE_END)
    octets += signature.name.encode("ascii") + _COLON + tag_list
    octets = reduced(octets.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" "))
    octets = octets.replace(_COLON + b" ", b":").replace(_COLON, b":").removesuffix(b" ")
    return octets if octets.count(_LINE_END) == len(begun) else b""


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
