"""Header sections and their fields: every octet is kept, and names are found however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import MAX_FIELDS, Field, HeaderTooLarge, Stamped, parse_message, split_fields
from tests.support.mailbytes import Bytes, message_of

header_bytes = st.lists(
    st.sampled_from([b"A", b"b:", b":", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b"From: x"])
).map(b"".join)


@given(header_bytes | st.binary())
def test_fields_joined_are_the_header_again(header: bytes) -> None:
    assert b"".join(field.raw for field in split_fields(header)) == header


@given(header_bytes)
def test_only_the_first_field_can_begin_with_white_space(header: bytes) -> None:
    assert not any(field.raw.startswith((b" ", b"\t")) for field in split_fields(header)[1:])


@given(st.lists(st.sampled_from([b"A: b\r\n", b"\tc\r\n", b"\r\n", b"x"])).map(b"".join), st.integers(1, 9))
def test_message_is_its_header_and_the_rest(octets: bytes, step: int) -> None:
    message = message_of(octets, step=step)
    assert b"".join(field.raw for field in message.fields) + b"".join(message.rest()) == octets


def test_header_ends_at_the_first_empty_line() -> None:
    message = message_of(b"A: 1\r\nB: 2\r\n 3\r\n\r\nC: 4\r\n\r\nx")
    assert message.fields == (Field("a", b"A: 1\r\n"), Field("b", b"B: 2\r\n 3\r\n"))
    assert b"".join(message.body()) == b"C: 4\r\n\r\nx"


@pytest.mark.parametrize("octets", [b"", b"\r\n", b"\r\nbody\r\n"])
def test_message_without_a_header_has_no_fields(octets: bytes) -> None:
    message = message_of(octets)
    assert message.fields == ()
    assert b"".join(message.rest()) == octets


@pytest.mark.parametrize(
    "raw", [b"From: a\r\n", b"FROM:a\r\n", b"From : a\r\n", b"From \t : a\r\n", b"From:\r\n a\r\n", b"From\r\n : a\r\n"]
)
def test_name_is_found_however_it_is_written(raw: bytes) -> None:
    (field,) = split_fields(raw)
    assert field.name == "from"
    assert field.text == "a"


@pytest.mark.parametrize(
    "raw",
    [
        b"From a\r\n",
        b"Fr\x00om: a\r\n",
        b": a\r\n",
        b" From: a\r\n",
        b"From\xa0: a\r\n",
        b"From\r\n: a\r\n",
        b"From \r\n\r\n : a\r\n",
        b"\r\n",
    ],
)
def test_line_that_is_no_field_has_no_name(raw: bytes) -> None:
    assert split_fields(raw)[0].name == ""


def test_value_keeps_its_folding_and_text_loses_it() -> None:
    (field,) = split_fields(b"Subject: one\r\n\t two \xff\r\n")
    assert field.value == b" one\r\n\t two \xff"
    assert field.text == "one two \ufffd"


def test_header_above_the_limit_is_refused() -> None:
    octets = b"A: " + b"x" * 100 + b"\r\n\r\nbody"
    assert parse_message(Bytes(octets), max_header=105).header_size == 105
    with pytest.raises(HeaderTooLarge):
        parse_message(Bytes(octets), max_header=104)


def test_endless_header_is_not_read_to_its_end() -> None:
    with pytest.raises(HeaderTooLarge):
        parse_message(Bytes(b"A: b\r\n" * 10_000, step=100), max_header=1000)


@pytest.mark.parametrize("field", [b"a:\r\n", b"no field\r\n", b":\r\n \r\n\t\r\n"])
@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\na:\r\na:\r\n"])
def test_header_of_more_fields_than_the_limit_is_refused(field: bytes, end: bytes) -> None:
    """Lines that continue a field are not counted, nor is what looks like fields in the body."""
    octets = field * 50 + end
    assert len(parse_message(Bytes(octets), max_header=1000, max_fields=50).fields) == 50
    with pytest.raises(HeaderTooLarge, match="49 fields"):
        parse_message(Bytes(octets), max_header=1000, max_fields=49)


def test_limit_of_fields_is_far_above_honest_mail() -> None:
    assert len(parse_message(Bytes(b"a:\r\n" * MAX_FIELDS), max_header=1 << 20).fields) == MAX_FIELDS >= 1000
    with pytest.raises(HeaderTooLarge):
        parse_message(Bytes(b"a:\r\n" * (MAX_FIELDS + 1)), max_header=1 << 20)


def test_fields_put_on_top_count_as_ours() -> None:
    message = message_of(b"A: 1\r\n\r\nbody")
    stamped = Stamped(header=b"X: ours\r\nA: 1\r\n", message=message, ours=9).topped_with(b"Y: more\r\n")
    assert stamped.header[: stamped.ours] == b"Y: more\r\nX: ours\r\n"
    assert b"".join(stamped.chunks()) == b"Y: more\r\nX: ours\r\nA: 1\r\n\r\nbody"
    assert stamped.size == len(b"".join(stamped.chunks()))
