"""Bodies: turns the chunks of a body into the hashes of its canonical forms, in one pass (RFC 6376 section 3.4).

What a chunk ends with may mean something else once the next one is seen: white space, a CR, empty lines. Of these no
more is kept than two octets and a second state of the hash, whatever the body is made of, and nothing is put off: what
a chunk costs does not depend on those before it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

_TAB_TO_SPACE = bytes.maketrans(b"\t", b" ")
_LINE_END = b"\r\n"


class Canon(StrEnum):
    """A canonicalisation algorithm, for a header or a body."""

    SIMPLE = "simple"  # section 3.4.1 and 3.4.3
    RELAXED = "relaxed"  # section 3.4.2 and 3.4.4


class BodyPlan(Struct, frozen=True):
    """What a signature wants hashed: the canonical body, all of it or its first `length` octets (its l= tag)."""

    canon: Canon
    length: int | None = None


class BodyHash(Struct, frozen=True):
    """The SHA-256 of a plan, and how long the whole canonical body is. Where `digest` is empty the body is shorter
    than the plan wants it."""

    digest: bytes
    body_length: int


class BodyHasher:
    """Hashes a body for any number of plans: one canonical form and one hash for each algorithm, at all lengths."""

    def __init__(self, plans: Iterable[BodyPlan]) -> None:
        self._plans = set(plans)
        lengths: dict[Canon, set[int]] = {plan.canon: set() for plan in self._plans}
        for plan in self._plans:
            if plan.length is not None:
                lengths[plan.canon].add(plan.length)
        self._bodies = {canon: _FORMS[canon](_Digests(noted)) for canon, noted in lengths.items()}

    def update(self, chunk: bytes) -> None:
        for body in self._bodies.values():
            body.update(chunk)

    def finish(self) -> Mapping[BodyPlan, BodyHash]:
        for body in self._bodies.values():
            body.finish()
        return {plan: self._bodies[plan.canon].digests.of(plan.length) for plan in self._plans}


def hash_whole(body: bytes, plan: BodyPlan) -> BodyHash:
    """What a BodyHasher finds where the body is there in one piece, as most are: for half the work."""
    is_relaxed = plan.canon is Canon.RELAXED
    canonical = _ended(reduced(body).removesuffix(b" ") if is_relaxed else body)
    if is_relaxed and canonical == _LINE_END:
        canonical = b""
    length = len(canonical)
    if plan.length is not None and plan.length > length:
        return BodyHash(b"", length)
    return BodyHash(hashlib.sha256(canonical[: plan.length]).digest(), length)


class _Digests:
    """The hash of octets as they come, noted at each of `lengths` and at the end."""

    __slots__ = ("_hash", "_noted", "_open", "length")

    def __init__(self, lengths: Iterable[int]) -> None:
        self._hash = hashlib.sha256()
        self._open = sorted(set(lengths), reverse=True)  # the nearest is last
        self._noted: dict[int, bytes] = {}
        self.length = 0
        if self._open:
            self.update(b"")  # l=0 is reached before anything comes

    def update(self, octets: bytes) -> None:
        while self._open and self._open[-1] <= self.length + len(octets):
            length = self._open.pop()
            head, octets = octets[: length - self.length], octets[length - self.length :]
            self._hash.update(head)
            self._noted[length] = self._hash.digest()
            self.length = length
        self._hash.update(octets)
        self.length += len(octets)

    def copy(self) -> "_Digests":
        """As it is now, whatever comes after."""
        copied = _Digests(())
        copied._hash, copied.length = self._hash.copy(), self.length
        copied._open, copied._noted = self._open.copy(), self._noted.copy()
        return copied

    def of(self, length: int | None) -> BodyHash:
        digest = self._hash.digest() if length is None else self._noted.get(length, b"")
        return BodyHash(digest=digest, body_length=self.length)


class _Simple:
    """Empty lines at the end are left out; the last line gets its end if it has none; no body is one empty line."""

    __slots__ = ("_before_line_ends", "_tail", "digests")

    def __init__(self, digests: _Digests) -> None:
        self.digests = digests
        self._tail = b""  # the end of the last chunk, if the next one decides what it is
        self._before_line_ends: _Digests | None = None  # without the line ends that nothing has followed yet

    def update(self, chunk: bytes) -> None:
        chunk = self._tail + chunk
        self._tail = b"\r" if chunk.endswith(b"\r") else b""
        self._lines(chunk.removesuffix(b"\r"))

    def finish(self) -> None:
        if self._tail:
            self._lines(self._tail)
        self._leave_out_line_ends()
        self.digests.update(_LINE_END)

    def _lines(self, octets: bytes) -> None:
        text, line_ends = _without_line_ends(octets)
        if text:
            self._before_line_ends = None
            self.digests.update(text)
        if line_ends:
            self._before_line_ends = self._before_line_ends or self.digests.copy()
            self.digests.update(_LINE_END * line_ends)

    def _leave_out_line_ends(self) -> None:
        self.digests = self._before_line_ends or self.digests


class _Relaxed(_Simple):
    """As simple, and a run of white space is one space, and none at the end of a line; no body stays empty."""

    __slots__ = ()

    def update(self, chunk: bytes) -> None:
        text = reduced(self._tail + chunk)
        kept = text.removesuffix(b"\r").removesuffix(b" ")
        self._tail = text[len(kept) :]
        self._lines(kept)

    def finish(self) -> None:
        if self._tail:
            self._lines(self._tail.removesuffix(b" "))
        self._leave_out_line_ends()
        if self.digests.length:
            self.digests.update(_LINE_END)


_FORMS = {Canon.SIMPLE: _Simple, Canon.RELAXED: _Relaxed}


def reduced(octets: bytes) -> bytes:
    """Each run of white space as one space, and none before a line end. A pass halves all runs, so their number is the
    logarithm of a chunk's size, and still cheaper than a regular expression, which pays for each run."""
    if b"\t" in octets:
        octets = octets.translate(_TAB_TO_SPACE)
    if b" " not in octets:  # as in base64
        return octets
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets.replace(b" \r\n", _LINE_END)


def _ended(octets: bytes) -> bytes:
    """With one line end at the end: as it is, if it has one, as most bodies."""
    if octets.endswith(_LINE_END) and octets[-3:-2].strip(_LINE_END):
        return octets
    return _without_line_ends(octets)[0] + _LINE_END


def _without_line_ends(octets: bytes) -> tuple[bytes, int]:
    """Take the line ends off the end, and count them. A bare CR or LF is not a line end but text."""
    count = _line_ends(octets[len(octets.rstrip(_LINE_END)) :])
    return octets[: len(octets) - 2 * count], count


def _line_ends(end: bytes) -> int:
    """How many line ends stand at the end of what has only CR and LF."""
    if not end.endswith(b"\n"):
        return 0
    return (len(end) - 1 - max(end.rfind(b"\n\n"), end.rfind(b"\r\r"))) // 2
