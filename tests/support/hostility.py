"""Hostile values for fuzzing: what honest software writes, changed as an attacker would change it, and a DNS that lies.

The examples are few and always the same. MAILWARD_FUZZ=long draws many more, other ones each time.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gateway.system.dns import IMPOSSIBLE, Answer, Status, is_name
from tests.support.breakouts import BREAKOUTS

IS_LONG = os.environ.get("MAILWARD_FUZZ") == "long"
MORE = 250  # times as many examples in a long run
MAX_MUTANT = 1 << 16  # octets; what grows without bound is for tests of linear time

PIECES: tuple[bytes, ...] = (
    *(bytes([octet]) for octet in b'\0\t\n\r\x1b\x7f\x80\xff";:=,.@<>()[]\\%{}/?*+-_ ~!'),
    b"\r\n",
    b"\r\n ",
    b"\r\n\r\n",
    b"\r\nX-Spam-Flag: NO\r\n",
    b"  \t \r\n\t",
    "ß".encode(),
    "Å\N{COMBINING RING ABOVE}".encode(),
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH JOINER}".encode(),
    "\N{LINE SEPARATOR}\x85".encode(),
    "\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH SEMICOLON}\N{FULLWIDTH COMMERCIAL AT}".encode(),
    b"\xed\xa0\x80",  # a surrogate in UTF-8
    b"\xc0\xae\xf8\x88\x80\x80\x80",  # overlong forms
    b"9" * 20,
    b"9" * 5000,  # more digits than int() takes
    b"0" * 300,
    b"-1",
    "٣".encode(),  # a digit, but none of ASCII
    b"a" * 70 + b"." + b"b." * 130,
    b"xn--",
    b"xn--99999999",
    b"(" * 10_000,
    b"(" * 10_000 + b")" * 10_000,
    b"(\\",
    b'"' + b"\\" * 999,
    b'"a\\"b"',
    b"<<<>>>",
    b"@a,@b:",
    b"=?utf-8?q?=3B_spf=3Dpass?=",
    b"=?utf-7?b?2AA=?= =?unknown?x??= =?punycode?q?-9?=",
    b"%{l9999999999r.-+,/_=}%{p}%%%_%-%{c}%{",
    b"v=spf1 v=DMARC1; v=DKIM1; p=; i=1;",
    *(text.encode("utf-8", "surrogatepass") for text in BREAKOUTS),
)

_edge_re = re.compile(rb"(?<![A-Za-z0-9])(?=[A-Za-z0-9])")
_word_re = re.compile(rb"[A-Za-z0-9]*")

pieces = st.sampled_from(PIECES) | st.binary(max_size=8)


def fuzzed(examples: int = 100) -> settings:
    """How a fuzz test runs: @fuzzed() beside @given(...)."""
    return settings(
        max_examples=examples * MORE if IS_LONG else examples,
        derandomize=not IS_LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def mutants(draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    """One of the `valid` values, or it after some changes, of which most are made to whole words."""
    octets: bytes = draw(st.sampled_from(valid))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=5)):
        edges = st.sampled_from([match.start() for match in _edge_re.finditer(octets)] or [0])
        start = draw(edges | st.integers(0, len(octets)))
        end = draw(st.just(_word_re.match(octets, start).end()) | st.integers(start, len(octets)))  # type: ignore[union-attr]
        put = change(octets[start:end], draw, valid)
        octets = (octets[:start] + put + octets[end:])[:MAX_MUTANT]
    return octets


def substitutes(valid: Sequence[bytes]) -> Iterator[bytes]:
    """Each word of each value, one after the other, replaced by each hostile piece: what chance would take long to
    find."""
    for octets in valid:
        for edge in _edge_re.finditer(octets):
            end = _word_re.match(octets, edge.start()).end()  # type: ignore[union-attr]
            for piece in PIECES:
                yield octets[: edge.start()] + piece + octets[end:]


def texts(valid: Sequence[str]) -> st.SearchStrategy[str]:
    """As `mutants`, of texts; stray octets become lone surrogates, as in what a session decodes."""
    return mutants([text.encode() for text in valid]).map(lambda octets: octets.decode("utf-8", "surrogateescape"))


def _deleted(part: bytes, draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    return b""


def _repeated(part: bytes, draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    return part * min(int(draw(st.sampled_from([2, 3, 60, 2000]))), MAX_MUTANT // (len(part) or 1))


def _inserted(part: bytes, draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    return bytes(draw(pieces)) + part


def _replaced(part: bytes, draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    return bytes(draw(pieces))


def _crossed(part: bytes, draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from(valid))
    start, end = sorted(draw(st.integers(0, len(other))) for _ in range(2))
    return bytes(other[start:end])


def _swapped_case(part: bytes, draw: Callable[[Any], Any], valid: Sequence[bytes]) -> bytes:
    return part.swapcase()


CHANGES = (_deleted, _repeated, _inserted, _replaced, _crossed, _swapped_case)


class LyingResolver:
    """A Resolver that has one of `answers` for each question. Which one hangs on the question alone, so that a domain
    lies in the same way each time it is asked."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def query(self, name: str, rrtype: str) -> Answer:
        self.asked.append((name, rrtype))
        if not is_name(name.lower().removesuffix(".")):
            return IMPOSSIBLE
        said = self.answers[crc32(f"{name.lower()} {rrtype}".encode()) % len(self.answers)]
        return Answer(said.status, tuple(_of_type(rrtype, record) for record in said.records), said.ttl)

    def cached(self, name: str, rrtype: str) -> Answer | None:
        return None


def lying_resolvers(records: Sequence[bytes]) -> st.SearchStrategy[LyingResolver]:
    """DNS as an attacker answers it whose honest `records` were TXT ones: mutants of them, of every type and number,
    and failures."""
    answers = st.one_of(
        st.builds(Answer, st.just(Status.OK), st.lists(mutants(records), min_size=1, max_size=3).map(tuple)),
        st.builds(Answer, st.just(Status.OK), mutants(records).map(lambda record: (record,) * 30)),
        st.sampled_from([Answer(status) for status in Status if status is not Status.OK]),
    )
    return st.lists(answers, min_size=1, max_size=4).map(LyingResolver)


def _of_type(rrtype: str, record: bytes) -> Any:
    """What a library makes of a record: an address is always one, a host's name may hold any printable character."""
    if rrtype == "TXT":
        return record
    if rrtype in ("A", "AAAA"):
        return f"192.0.2.{record[0] if record else 0}" if rrtype == "A" else f"2001:db8::{len(record) % 9999}"
    host = record[:255].decode("ascii", "backslashreplace").lower()
    return (len(record) % 65536, host) if rrtype == "MX" else host
