"""What rules change in a header: fields added, removed, and a prefix of the subject; and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.edits import edit
from gateway.message import Stamped, split_fields
from gateway.policy.verdict import NO_EDITS, Edits
from tests.support.mailbytes import message_of

THEIRS = b"From: a@example.org\r\nReply-By: x\r\n y\r\nSubject: A letter\r\nreply-by : z\r\n"
OURS = b"Received: by us\r\n"


def edited(edits: Edits, theirs: bytes = THEIRS) -> bytes:
    message = message_of(theirs + b"\r\nbody\r\n")
    stamped = edit(Stamped(header=OURS + theirs, message=message, ours=len(OURS)), edits)
    assert b"".join(stamped.chunks()).endswith(b"\r\n\r\nbody\r\n")
    assert stamped.header[: stamped.ours].endswith(OURS)
    return stamped.header


def subject(value: bytes, prefix: str = "[spam]") -> bytes:
    return edited(Edits(prefix=prefix), b"Subject:" + value + b"\r\n").removeprefix(OURS)


def test_without_edits_nothing_changes() -> None:
    assert edited(NO_EDITS) == OURS + THEIRS


def test_fields_are_added_on_top() -> None:
    assert edited(Edits(added=(("X-A", "1"), ("X-B", "two words")))) == (
        b"X-A: 1\r\nX-B: two words\r\n" + OURS + THEIRS
    )


def test_every_field_of_a_name_is_removed_however_it_is_written() -> None:
    assert edited(Edits(removed=frozenset({"reply-by"}))) == OURS + b"From: a@example.org\r\nSubject: A letter\r\n"


def test_fields_of_ours_are_never_removed() -> None:
    assert edited(Edits(removed=frozenset({"received"}))) == OURS + THEIRS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" A letter", b"Subject: [spam] A letter\r\n"),
        (b"A letter", b"Subject: [spam] A letter\r\n"),
        (b" [spam] A letter", b"Subject: [spam] A letter\r\n"),
        (b" [spam]", b"Subject: [spam]\r\n"),
        (b" [spam]mer", b"Subject: [spam] [spam]mer\r\n"),
        (b" =?utf-8?q?=C3=A9?=", b"Subject: [spam] =?utf-8?q?=C3=A9?=\r\n"),
        (b"", b"Subject: [spam]\r\n"),
        (b"   ", b"Subject: [spam]\r\n"),
        (b"\r\n A letter", b"Subject: [spam]\r\n A letter\r\n"),
        (b" one\r\n two", b"Subject: [spam] one\r\n two\r\n"),
        (b" " + b"x" * 990, b"Subject: [spam]\r\n " + b"x" * 990 + b"\r\n"),
    ],
)
def test_prefix_stands_before_the_subject_once(value: bytes, expected: bytes) -> None:
    assert subject(value) == expected


def test_message_without_a_subject_gets_one() -> None:
    assert edited(Edits(prefix="[spam]"), b"From: a@example.org\r\n").endswith(b"Subject: [spam]\r\n")


def test_every_subject_field_is_prefixed() -> None:
    assert (
        edited(Edits(prefix="[x]"), b"Subject: a\r\nSUBJECT : b\r\n") == OURS + b"Subject: [x] a\r\nSubject: [x] b\r\n"
    )


@given(st.text(), st.lists(st.sampled_from([b"a", b" ", b"\r\n ", b"\t", b"[spam]", b"\xff"])).map(b"".join))
def test_no_value_breaks_out(value: str, subject: bytes) -> None:
    theirs = b"Subject:" + subject + b"\r\nFrom: a@example.org\r\n"
    header = edited(Edits(added=(("X-A", value),), prefix="[spam]"), theirs)
    assert [field.name for field in split_fields(header)] == ["x-a", "received", "subject", "from"]
    assert b"\r\n\r\n" not in header
