"""Header fields that no text breaks out of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.folding import MAX_LINE, field, fold, plain

texts = st.text(max_size=400) | st.lists(
    st.sampled_from(["\r\n", "\n", "\r", " ", "\t", "a", "word", "x" * 80, "X-Y: z", "\x00", "é"]), max_size=40
).map("".join)


@given(texts)
def test_folding_is_undone_by_removing_line_ends(text: str) -> None:
    line = plain(text)
    assert fold(line).replace("\r\n", "") == line


@given(texts)
def test_lines_are_short_where_there_are_spaces(text: str) -> None:
    for line in fold(f"X: {plain(text)}").split("\r\n"):
        assert len(line) <= MAX_LINE or " " not in line[1:]


@pytest.mark.parametrize(("length", "lines"), [(38, 2), (39, 4), (77, 4), (78, 4), (79, 4), (200, 4)])
def test_lines_are_filled_as_far_as_they_may_be(length: int, lines: int) -> None:
    assert fold(" ".join(["x" * length] * 4)).count("\r\n") == lines - 1


@given(texts, st.lists(texts, max_size=3))
def test_any_text_makes_one_field(text: str, more: list[str]) -> None:
    octets = field("X-Test", text, *more)
    first, *others, last = octets.split(b"\r\n")
    assert first.startswith(b"X-Test:")
    assert all(line.startswith(b" ") and line.strip() for line in others)
    assert last == b""
    assert octets.isascii()
    assert not set(octets) - set(range(32, 127)) - set(b"\r\n")
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))


def test_further_texts_begin_new_lines() -> None:
    assert field("X", "a", "", "b c") == b"X: a\r\n b c\r\n"


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\nY", "é"])
def test_name_that_is_none_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError):
        field(name, "a")
