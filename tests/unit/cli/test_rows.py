"""Rows in columns, the last of which is folded below itself."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from gateway.cli.rows import print_rows


def printed(width: int, *rows: tuple[str, ...]) -> list[str]:
    output = io.StringIO()
    print_rows(Console(file=output, width=width), [tuple(map(Text, row)) for row in rows])
    return output.getvalue().splitlines()


def test_columns_are_as_wide_as_their_widest_text() -> None:
    assert printed(80, ("a", "bcd", "e"), ("fg", "", "h i")) == ["a   bcd  e", "fg       h i"]


def test_a_long_text_goes_on_below_its_own_beginning() -> None:
    assert printed(30, ("spf", "the way to it is long, and goes on")) == [
        "spf  the way to it is long,",
        "     and goes on",
    ]


def test_a_word_that_is_too_long_is_broken() -> None:
    lines = printed(40, ("label", "x" * 100))
    assert max(map(len, lines)) <= 40
    assert "".join(line.strip() for line in lines).removeprefix("label").strip() == "x" * 100


def test_no_line_ends_with_spaces() -> None:
    assert printed(80, ("a", ""), ("", "")) == ["a", ""]


@pytest.mark.parametrize("width", [1, 5, 20])
def test_a_narrow_terminal_loses_nothing(width: int) -> None:
    assert "".join("".join(printed(width, ("label", "some words and more"))).split()) == "labelsomewordsandmore"
