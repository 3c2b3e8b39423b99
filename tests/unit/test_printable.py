"""What strangers wrote, fit to be shown."""

import pytest

from gateway.printable import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("a\x1b[31m\r\nb\x7f", "a?[31m??b?"),
        ("b\u00fccher \u202e", "b?cher ?"),
        (b"v=DMARC1; p=\xff\x00", "v=DMARC1; p=??"),
        ("", ""),
    ],
)
def test_only_printable_ascii_is_left(text: str | bytes, shown: str) -> None:
    assert printable(text, 100) == shown


@pytest.mark.parametrize("text", ["\u00fc" * 50, b"\xfc" * 50])
def test_what_is_too_long_is_cut(text: str | bytes) -> None:
    assert printable(text, 9) == "?" * 9


def test_lines_stay_apart() -> None:
    assert printable_lines("one\ntw\r\u00f6\n") == "one\ntw??\n"
