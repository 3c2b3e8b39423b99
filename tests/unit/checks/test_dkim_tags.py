"""Tag lists are read by the grammar of RFC 6376 section 3.2, and nothing else is taken for one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.dkim.tags import TagError, base64, colon_list, number, parse_tags, unsigned


def test_values_lose_the_white_space_around_them() -> None:
    assert parse_tags(b" v=1;\r\n\ta = rsa-sha256 ; x_2=\r\n a b ; ") == {"v": b"1", "a": b"rsa-sha256", "x_2": b"a b"}


def test_an_empty_list_has_no_tags() -> None:
    assert parse_tags(b"") == parse_tags(b" ; ".strip(b" ;")) == {}


@pytest.mark.parametrize(
    "octets",
    [
        b"v=1; v=1",  # twice
        b"v=1;; a=b",  # an empty one
        b"v",  # no value
        b"=1",
        b"1v=1",
        b"a b=1",
        b"a-b=1",
        b"v=\x001",
        b"v=\x0b1",
        b"v=\x7f",
    ],
)
def test_what_the_grammar_forbids_is_an_error(octets: bytes) -> None:
    with pytest.raises(TagError):
        parse_tags(octets)


def test_utf8_may_stand_in_values() -> None:
    assert parse_tags("d=bücher.example".encode())["d"] == "bücher.example".encode()


@given(st.binary(max_size=200))
def test_any_octets_are_tags_or_an_error(octets: bytes) -> None:
    with suppress(TagError):
        parse_tags(octets)


@pytest.mark.parametrize(
    ("tag_list", "bare"),
    [
        (b" v=1; b=abc; bh=xyz", b" v=1; b=; bh=xyz"),
        (b" b=abc\r\n def ;v=1", b" b=;v=1"),
        (b" bh=b=c; v=1;\r\n b = ab==\r\n", b" bh=b=c; v=1;\r\n b ="),
        (b" v=1", b" v=1"),
        (b"h=from; b=x; z=a; b=y", b"h=from; b=; z=a; b=y"),
    ],
)
def test_only_the_value_of_b_is_taken_out(tag_list: bytes, bare: bytes) -> None:
    assert unsigned(tag_list) == bare


def test_base64_may_be_folded_and_unpadded() -> None:
    assert base64(b"aGVs\r\n bG8", "b") == base64(b"aGVsbG8=", "b") == b"hello"


@pytest.mark.parametrize("value", [b"", b"=", b"a", b"a*==", b"aGVs=bG8", b"\xff\xff"])
def test_what_is_not_base64_is_an_error(value: bytes) -> None:
    with pytest.raises(TagError):
        base64(value, "b")


def test_numbers_are_bounded_before_they_are_made() -> None:
    assert number(b"0012", "t", digits=12) == 12
    for value in (b"", b"-1", b"1.5", b" 1", b"9" * 13, "١".encode(), b"9" * 100_000):
        with pytest.raises(TagError):
            number(value, "t", digits=12)


def test_items_of_a_list_lose_the_white_space_around_them() -> None:
    assert colon_list(b"from : to\r\n :date") == (b"from", b"to", b"date")
