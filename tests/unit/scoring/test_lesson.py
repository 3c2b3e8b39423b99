"""TELL: what spamd is told, and what is believed of its answer."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scoring.lesson import Lesson, Told, parse_told, tell_fields
from gateway.scoring.spamc import Command, Reply, ReplyError, ReplyParser, request


def reply_to_tell(octets: bytes) -> Reply:
    parser = ReplyParser()
    return parser.feed(octets) or parser.end()


@pytest.mark.parametrize(
    ("lesson", "fields"),
    [
        (Lesson.SPAM, b"Message-class: spam\r\nSet: local\r\n"),
        (Lesson.HAM, b"Message-class: ham\r\nSet: local\r\n"),
        (Lesson.FORGET, b"Remove: local\r\n"),
    ],
)
def test_request_says_what_the_message_is(lesson: Lesson, fields: bytes) -> None:
    head = request(Command.TELL, size=12, user="filter", fields=tell_fields(lesson))
    assert head == b"TELL SPAMC/1.5\r\nContent-length: 12\r\nUser: filter\r\n" + fields + b"\r\n"


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\n\r\n\r\n", Told.CHANGED),
        (b"SPAMD/1.1 0 EX_OK\r\nDidRemove: local\r\n\r\n\r\n", Told.CHANGED),
        (b"SPAMD/1.1 0 EX_OK\r\nDidSet: remote, local\r\n\r\n\r\n", Told.CHANGED),
        (b"SPAMD/1.1 0 EX_OK\r\nDidSet: remote\r\n\r\n\r\n", Told.UNCHANGED),
        (b"SPAMD/1.1 0 EX_OK\r\nDidSet: nonlocal\r\n\r\n\r\n", Told.UNCHANGED),
        (b"SPAMD/1.1 0 EX_OK\r\n\r\n\r\n", Told.UNCHANGED),
    ],
)
def test_reply_says_whether_anything_was_done(octets: bytes, told: Told) -> None:
    assert parse_told(reply_to_tell(octets)) is told


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_octets_of_a_spamd_are_an_answer_or_an_error(name: bytes, value: bytes) -> None:
    with contextlib.suppress(ReplyError):
        assert parse_told(reply_to_tell(b"SPAMD/1.1 0 EX_OK\r\n%s: %s\r\n\r\n" % (name, value))) is Told.UNCHANGED
