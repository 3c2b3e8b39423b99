"""DATA: octets in pieces of any size become the message, or a fault (RFC 5321 sections 4.1.1.4, 4.5.2, 2.3.8)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.smtp.data import END, DataReader
from gateway.smtp.intake import Fault, Intake

OCTETS = st.lists(st.sampled_from([b"\r\n", b"\r\n.", b".", b"\r", b"\n", b"\0", b"a", b"bc"]), max_size=40).map(
    b"".join
)
CLEAN = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"text"]), max_size=40).map(b"".join)


def read(octets: bytes, sizes: list[int], *, max_size: int = 10**6, max_line: int = 10**6) -> tuple:
    """What a reader makes of octets that come in pieces of these sizes, over and over."""
    written = bytearray()
    intake = Intake(written.extend, max_size=max_size, max_line=max_line)
    reader = DataReader(intake)
    position, turn, rest = 0, 0, None
    while rest is None and position < len(octets):
        piece = octets[position : position + sizes[turn % len(sizes)]]
        position, turn = position + len(piece), turn + 1
        rest = reader.feed(piece)
    following = None if rest is None else bytes(rest) + octets[position:]
    return bytes(written), intake.fault, following, intake.size


def simple_read(octets: bytes) -> tuple[bytes | None, bool, bytes | None]:
    """The same, as simply as can be: the message, whether it has bare octets, and what follows."""
    content, end, following = (b"\r\n" + octets).partition(END)
    if not end:
        return None, False, None
    content += b"\r\n"
    without = content.replace(b"\r\n", b"")
    message = b"".join(line.removeprefix(b".") + b"\r\n" for line in content.split(b"\r\n")[1:-1])
    return message, any(octet in without for octet in (b"\r", b"\n", b"\0")), following


@given(OCTETS, st.lists(st.integers(1, 9), min_size=1, max_size=5))
@example(b".\r\n", [1])
@example(b"\r\n.\r\nQUIT\r\n", [1])
@example(b"a\r\r\n.\r\n.\r\n", [1])
def test_reader_agrees_with_a_simple_one(octets: bytes, sizes: list[int]) -> None:
    octets += END + b"NOOP\r\n"
    message, is_bare, following = simple_read(octets)
    written, fault, rest, size = read(octets, sizes)
    assert rest == following
    assert (fault in (Fault.BARE_LINE_END, Fault.NUL)) == is_bare
    if not is_bare:
        assert (written, size) == (message, len(message))


@given(CLEAN, st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_what_a_client_stuffs_is_unstuffed(text: bytes, sizes: list[int]) -> None:
    message = text + b"\r\n"
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in message.split(b"\r\n"))
    written, fault, rest, size = read(stuffed + b".\r\n", sizes)
    assert (written, fault, rest, size) == (message, None, b"", len(message))


@given(OCTETS, st.integers(1, 9))
def test_nothing_ends_without_the_genuine_end(octets: bytes, size: int) -> None:
    octets = octets.replace(b".", b"")
    assert read(octets, [size])[2] is None


@pytest.mark.parametrize("octets", [b".\r\n", b"\r\n.\r\n", b"x\r\n.\r\n"])
def test_short_messages(octets: bytes) -> None:
    written, fault, rest, _ = read(octets, [1])
    assert (written, fault, rest) == (octets[:-3], None, b"")


def test_what_follows_the_end_is_given_back() -> None:
    assert read(b"x\r\n.\r\nMAIL FROM:<>\r\n", [100])[2] == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_size_counts_octets_of_the_message_without_stuffed_dots(size: int) -> None:
    message = b"..234567\r\n" * 10
    assert read(message + b".\r\n", [size], max_size=90)[1] is None
    assert read(message + b".\r\n", [size], max_size=89)[1] is Fault.TOO_LARGE


def test_a_sender_who_goes_on_past_the_limit_is_hopeless() -> None:
    intake = Intake(bytearray().extend, max_size=1000, max_line=10**6)
    reader = DataReader(intake)
    reader.feed(b"x" * 1990)
    assert not intake.is_hopeless
    reader.feed(b"x" * 100)
    assert intake.is_hopeless


@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
@pytest.mark.parametrize("before", [b"", b"y\r\n" * 50, b"y" * 98 + b"\r\n"])
def test_line_limit_is_exact(before: bytes, size: int) -> None:
    longest, longer = b"x" * 98 + b"\r\n", b"x" * 99 + b"\r\n"
    assert read(before + longest + b".\r\n", [size], max_line=100)[1] is None
    assert read(before + longer + before + b".\r\n", [size], max_line=100)[1] is Fault.LONG_LINE


@given(st.lists(st.integers(0, 30), max_size=30), st.lists(st.integers(1, 80), min_size=1, max_size=5))
def test_line_limit_agrees_with_counting_each_line(lengths: list[int], sizes: list[int]) -> None:
    lines = [b"x" * length + b"\r\n" for length in lengths]
    fault = read(b"".join(lines) + b".\r\n", sizes, max_line=20)[1]
    assert (fault is Fault.LONG_LINE) == any(len(line) > 20 for line in lines)


def test_nothing_is_written_after_a_fault() -> None:
    written, fault, rest, _ = read(b"good\r\nba\nd\r\nmore\r\n.\r\n", [4])
    assert fault is Fault.BARE_LINE_END
    assert rest == b""
    assert b"more" not in written
