"""Line ends become CRLF, and nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lines import as_sent, to_crlf


@pytest.mark.parametrize(
    ("text", "on_the_wire"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\rb\r", b"a\r\nb\r\n"),
        (b"a\n\r\n\rb", b"a\r\n\r\n\r\nb"),
        (b"no end", b"no end"),
    ],
)
def test_every_line_end_becomes_crlf(text: bytes, on_the_wire: bytes) -> None:
    assert to_crlf(text) == on_the_wire


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"\na\n", b"\r\na\r\n"),
        (b"a\nb\rc\n", b"a\r\nb\rc\r\n"),
        (b"a\nb\r\nc\n", b"a\r\nb\r\nc\r\n"),
        (b"a\r\nb\nc\rd\r\n", b"a\r\nb\nc\rd\r\n"),
        (b"a\rb", b"a\rb"),
        (b"no end", b"no end"),
    ],
)
def test_the_first_line_says_how_a_file_is_sent(text: bytes, sent: bytes) -> None:
    assert as_sent(text) == sent


@given(st.binary())
def test_only_line_ends_change(text: bytes) -> None:
    once = to_crlf(text)
    assert to_crlf(once) == once
    assert once.replace(b"\r\n", b"").translate(None, b"\r\n") == text.translate(None, b"\r\n")
    assert b"\n" not in once.replace(b"\r\n", b"")
    assert b"\r" not in once.replace(b"\r\n", b"")
