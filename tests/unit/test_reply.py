"""Replies: the octets that a client gets, and what is taken over of another server's reply."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reply import MAX_REPLY_LINE, MAX_REPLY_LINES, Reply, foreign, reply

_wire_re = re.compile(rb"(?:(\d{3})-[\x20-\x7e]*\r\n)*(\d{3}) [\x20-\x7e]*\r\n\Z")


def test_reply_of_our_own_has_code_and_enhanced_code() -> None:
    answer = reply("550 5.7.1", "Relaying denied")
    assert answer.to_bytes() == b"550 5.7.1 Relaying denied\r\n"
    assert str(answer) == "550 5.7.1 Relaying denied"
    assert answer.is_permanent


def test_every_line_has_the_codes() -> None:
    assert reply("250 2.0.0", "one\ntwo").to_bytes() == b"250-2.0.0 one\r\n250 2.0.0 two\r\n"


def test_reply_without_enhanced_code() -> None:
    assert reply("354", "Go ahead").to_bytes() == b"354 Go ahead\r\n"


def test_reply_without_lines_is_still_a_reply() -> None:
    assert Reply(code=250, detail="0.0", lines=()).to_bytes() == b"250 2.0.0 \r\n"


def test_codes_of_different_classes_are_a_mistake() -> None:
    with pytest.raises(ValueError):
        reply("550 4.7.1", "no")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("5.1.1 <x>: no such user",), "550 5.1.1 <x>: no such user"),
        (("5.1.1 one", "5.1.1 two"), "550 5.1.1 one two"),
        (("5.1.1",), "550 5.1.1"),
        (("no such user",), "550 5.0.0 no such user"),
        (("4.2.0 later",), "550 5.0.0 4.2.0 later"),
        (("5.1.1x",), "550 5.0.0 5.1.1x"),
        ((), "550 5.0.0"),
    ],
)
def test_enhanced_code_of_another_server_is_kept_if_its_class_fits(lines: tuple[str, ...], expected: str) -> None:
    assert str(foreign(550, lines)) == expected


def test_long_replies_of_another_server_are_cut() -> None:
    answer = foreign(550, ("x" * 2000,) * 100)
    lines = answer.to_bytes().split(b"\r\n")[:-1]
    assert len(lines) == MAX_REPLY_LINES
    assert all(len(line) + 2 <= MAX_REPLY_LINE for line in lines)


@given(st.integers(200, 599), st.lists(st.text(max_size=600), max_size=30).map(tuple))
def test_no_text_of_another_server_breaks_out_of_its_line(code: int, lines: tuple[str, ...]) -> None:
    octets = foreign(code, lines).to_bytes()
    assert _wire_re.match(octets)
    assert all(line.startswith(str(code).encode()) for line in octets.split(b"\r\n")[:-1])


@given(st.text(max_size=600))
def test_no_text_of_ours_breaks_out_of_its_line(text: str) -> None:
    assert _wire_re.match(reply("451 4.3.0", text).to_bytes())
