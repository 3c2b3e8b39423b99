"""A file becomes a letter, whatever its size and its line ends."""

import io
import tracemalloc
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.feedback import digest
from gateway.learning.letter import Letter, LetterError, Reading, read_letter
from gateway.lines import to_crlf

READING = Reading(hostname="mx.example.org", authserv_id="mx.example.org", max_header=20_000, max_size=50_000)
TEXT = b"From: ann@sender.example\r\nSubject: A letter\r\n\r\nText\r\n"


class Dripping(io.RawIOBase):
    """A file that gives few octets at a time, and counts."""

    def __init__(self, octets: bytes, step: int) -> None:
        self._octets = octets
        self._step = step

    def read(self, size: int = -1) -> bytes:
        taken, self._octets = self._octets[: self._step], self._octets[self._step :]
        return taken


def read(octets: bytes) -> Letter:
    return read_letter(io.BytesIO(octets), READING)


def told(letter: Letter) -> bytes:
    return b"".join(letter.payload.chunks())


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_line_ends_of_files_become_those_of_mail(line_end: bytes) -> None:
    letter = read(TEXT.replace(b"\r\n", line_end))
    assert (told(letter), letter.digest) == (TEXT, digest([TEXT]))


@given(st.binary(max_size=200).filter(lambda octets: not octets.startswith(b"From ")), st.integers(1, 7))
def test_text_is_the_same_however_it_is_read(body: bytes, step: int) -> None:
    octets = b"Subject: x\n\n" + body
    file: BinaryIO = Dripping(octets, step)  # type: ignore[assignment]
    assert told(read_letter(file, READING)) == to_crlf(octets)


def test_line_before_a_message_in_mailbox_files_is_no_part_of_it() -> None:
    assert told(read(b"From ann@sender.example Mon Nov 24 16:00:00 2025\n" + TEXT)) == TEXT


def test_of_a_large_message_the_beginning_is_told_and_all_of_it_has_the_digest() -> None:
    large = TEXT + b"padding\r\n" * 200_000
    letter = read(large)
    assert letter.payload.truncated
    assert large.startswith(told(letter))
    assert 49_000 < letter.payload.size <= 50_000
    assert letter.digest == digest([large])
    assert letter.digest != read(large + b"x").digest


class Endless(io.RawIOBase):
    """A file of many octets that nobody holds."""

    def __init__(self, pieces: int) -> None:
        self._pieces = iter([TEXT, *(b"padding\n" * 8192,) * pieces])

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


def test_memory_does_not_grow_with_the_file() -> None:
    tracemalloc.start()
    try:
        letter = read_letter(Endless(500), READING)  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert letter.payload.truncated
    assert peak < 2 * 2**20  # of 32 MiB


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "it is empty"),
        (b"\n\nno header", "it has no header: is it a message?"),
        (b"\x7fELF\x00\x01", "it has no header: is it a message?"),
        (b"Subject: " + b"x" * 30_000, "the header section is larger than 20000 octets"),
        (b"From ann\n", "it is empty"),
    ],
)
def test_what_is_no_message_is_told_so(octets: bytes, reason: str) -> None:
    with pytest.raises(LetterError) as raised:
        read(octets)
    assert str(raised.value) == reason
