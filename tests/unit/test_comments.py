"""Comments in the text of a structured field."""

from itertools import product

import pytest

from gateway.comments import end_of_comment, without_comments


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a (b) c", "a  c"),
        ("a(b(c)d)e", "ae"),
        ("(a)(b) (c)", " "),
        (r"a\(b(c\)d)e", r"a\(be"),
        ("a (b", "a "),
        ("a) b", "a) b"),
        ("(\\", ""),
        ("a\\", "a\\"),
        ("", ""),
    ],
)
def test_what_stands_outside_of_comments_is_kept(text: str, kept: str) -> None:
    assert without_comments(text) == kept


@pytest.mark.parametrize(
    ("text", "end"), [("(a) b", 3), ("(a(b)c)", 7), ("(()))", 4), (r"(\))", 4), ("(a", -1), ("((a)", -1), ("(\\", -1)]
)
def test_comment_ends_where_its_parenthesis_closes(text: str, end: int) -> None:
    assert end_of_comment(text, 0) == end


def test_every_short_text_is_read_as_octet_by_octet() -> None:
    for text in map("".join, (letters for length in range(8) for letters in product("()\\a", repeat=length))):
        assert without_comments(text) == kept_one_by_one(text), text
        assert end_of_comment(f"({text}", 0) == end_one_by_one(f"({text}"), text


def kept_one_by_one(text: str) -> str:
    kept, depth, position = "", 0, 0
    while position < len(text):
        step = 2 if text[position] == "\\" else 1
        depth += text[position] == "("
        kept += "" if depth else text[position : position + step]
        depth -= text[position] == ")" and depth > 0
        position += step
    return kept


def end_one_by_one(text: str) -> int:
    depth = position = 0
    while position < len(text):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        position += 2 if text[position] == "\\" else 1
        if depth == 0:
            return position
    return -1
