import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dots import stuffed
from tests.support.effort import growth, lines_run

LINES = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"\r", b"word", b".\r"]), max_size=12)
CONTENT = st.one_of(
    LINES.map(b"\r\n".join), LINES.map(b"\n".join), LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines))
)


def unstuffed(octets: bytes) -> bytes:
    """What a receiver makes of it: the message up to the first final dot (RFC 5321 section 4.5.2)."""
    end = re.search(rb"(\A|\r\n)\.\r\n", octets)
    assert end is not None
    assert end.end() == len(octets), "nothing may follow the final dot"
    return re.sub(rb"(\A|\n)\.", rb"\1", octets[: end.end() - 3])


def pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[start : start + size] for start in range(0, len(octets), size)]


@given(CONTENT, st.integers(1, 5))
def test_a_receiver_finds_the_same_octets_wherever_chunks_end(content: bytes, size: int) -> None:
    sent = b"".join(stuffed(pieces(content, size)))
    whole = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    assert unstuffed(sent) == whole


@given(st.binary(max_size=200), st.integers(1, 7))
def test_where_chunks_end_changes_nothing(content: bytes, size: int) -> None:
    assert b"".join(stuffed(pieces(content, size))) == b"".join(stuffed([content]))


@given(CONTENT, st.integers(1, 5))
def test_no_line_feed_is_made_without_its_carriage_return(content: bytes, size: int) -> None:
    sent = b"".join(stuffed(pieces(content, size)))
    bare = re.compile(rb"(?<!\r)\n")
    assert len(bare.findall(sent)) == len(bare.findall(content))


@given(CONTENT)
def test_no_way_to_end_a_line_shows_a_dot_that_is_not_ours(content: bytes) -> None:
    sent = b"".join(stuffed([content]))
    assert not re.search(rb"(\A|\n)\.\r?\n", sent[: -len(b".\r\n")])


def test_an_empty_message_is_a_final_dot() -> None:
    assert list(stuffed([])) == [b".\r\n"]


def test_a_small_message_is_one_piece() -> None:
    assert list(stuffed([b"A: b\r\n", b"\r\n", b"text\r\n"])) == [b"A: b\r\n\r\ntext\r\n.\r\n"]


def test_a_large_message_is_not_held_as_a_whole() -> None:
    assert max(map(len, stuffed([b"x" * 65534 + b"\r\n"] * 20))) < 3 * 65536


def test_nothing_but_dots_takes_linear_time() -> None:
    assert sum(map(len, stuffed([b"\r\n." * 20_000] * 100))) > 8_000_000
    assert growth(lambda pieces: lines_run(lambda: list(stuffed([b"\r\n." * 2_000] * pieces))), 10) < 4
