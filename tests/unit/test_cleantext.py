"""What is not as RFC 5321 has it becomes clean lines, in pieces of any size, in memory that does not grow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cleantext import CleanText, clean_text, cleaned
from gateway.message import CHUNK
from tests.support.deliveries import Octets

_bare_re = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")

TEXT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"a", b"bcdefghij", b"."]), max_size=60).map(b"".join)


def in_pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[start : start + size] for start in range(0, len(octets), size)]


@pytest.mark.parametrize(
    ("octets", "clean"),
    [
        (b"", b""),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\nb\rc\r\nd", b"a\r\nb\r\nc\r\nd"),
        (b"a\r\r\nb\n\r\nc\n\n", b"a\r\n\r\nb\r\n\r\nc\r\n\r\n"),
        (b"a\0b\r", b"a b\r\n"),
        (b"\n.\nQUIT\n", b"\r\n.\r\nQUIT\r\n"),
        (b"0123456789", b"01234567\r\n89"),
        (b"01234567\r\n0123456789\n", b"01234567\r\n01234567\r\n89\r\n"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_clean(octets: bytes, clean: bytes, size: int) -> None:
    assert b"".join(cleaned(in_pieces(octets, size), max_line=10)) == clean


@given(TEXT, st.integers(1, 9))
def test_lines_are_clean_and_short_and_nothing_else_changes(octets: bytes, size: int) -> None:
    clean = b"".join(cleaned(in_pieces(octets, size), max_line=10))
    assert not _bare_re.search(clean)
    assert all(len(line) <= 8 for line in clean.split(b"\r\n"))
    assert re.sub(rb"[\r\n]", b"", clean) == re.sub(rb"[\r\n]", b"", octets).replace(b"\0", b" ")


@given(TEXT, st.integers(1, 9))
def test_how_it_is_cut_does_not_matter(octets: bytes, size: int) -> None:
    assert b"".join(cleaned(in_pieces(octets, size), max_line=10)) == b"".join(cleaned([octets], max_line=10))


@given(TEXT)
def test_what_is_clean_stays_as_it_is(octets: bytes) -> None:
    clean = b"".join(cleaned([octets], max_line=10))
    assert b"".join(cleaned([clean], max_line=10)) == clean


async def test_content_can_be_read_from_anywhere_and_knows_its_size() -> None:
    raw = b"Subject: x\r\n\r\n" + b"one\ntwo\0\r" * 50_000
    content = await clean_text(Octets(raw), max_line=1000)
    whole = b"".join(content.chunks())
    assert content.size == len(whole) == 14 + 50_000 * 11
    assert all(len(piece) <= CHUNK for piece in content.chunks())
    for start in (0, 1, 14, CHUNK - 1, CHUNK, CHUNK + 1, len(whole) - 1, len(whole), len(whole) + 9):
        assert b"".join(content.chunks(start)) == whole[start:]


async def test_a_message_without_line_ends_is_broken_in_linear_time() -> None:
    content = CleanText(Octets(b"x" * 10_000_000), max_line=65536, size=0)
    assert b"".join(content.chunks()).count(b"\r\n") == 10_000_000 // 65534
