"""Encoded words, decoded to be shown."""

import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.encodedwords import MAX_SHOWN, decode_words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b" plain\r\n text", "plain text"),
        (b"=?utf-8?q?caf=C3=A9_one?=", "café one"),
        (b"=?UTF-8?B?w6k=?= =?iso-8859-1?Q?=E9?= end", "éé end"),
        (b"=?utf-8*fr?q?a?=", "a"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"=?utf-8?b?w?=", "=?utf-8?b?w?="),
        (b"=?no-such-charset?q?a?=", "=?no-such-charset?q?a?="),
        (b"=?zlib?q?a?=", "=?zlib?q?a?="),
        (b"=?punycode?q?bcher-kva?=", "=?punycode?q?bcher-kva?="),
        (b"=?KOI8-U?q?=A4?= =?Windows--1251?q?=C0?= =?ISO_8859-1:1987?q?=E9?=", "єАé"),
        (b"=?utf-8?q?two words?=", "two words"),
        (b"=?utf-8?q?why? so?= =?utf-8?b?w 6k=?=", "why? soé"),
        (b"=?utf-8?q?begun =?utf-8?q?done?=", "=?utf-8?q?begun done"),
        (b"\xff", "\ufffd"),
    ],
)
def test_words_are_decoded_where_they_can_be(value: bytes, shown: str) -> None:
    assert decode_words(value) == shown


def test_lone_surrogates_cannot_come_out() -> None:
    assert decode_words(b"=?utf-7?q?+2AA-?=") == "?"


def test_names_of_charsets_that_senders_make_up_are_not_kept() -> None:
    """Python keeps each name that it was ever asked for, known or not, for as long as the process lives."""
    decode_words(b"=?utf-8?q?a?=")
    known = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(20):
        decode_words(b"=?x%d?q?a?= =?utf%b8?q?a?= =?UTF8.%d?q?a?=" % (number, b"-" * number, number))
    assert len(encodings._cache) - known <= 1  # type: ignore[attr-defined]


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda inner: b"=?utf-8?q?" + inner + b"?="))
def test_what_is_shown_can_be_encoded(value: bytes) -> None:
    decode_words(value).encode()


@pytest.mark.parametrize("part", [b"=?", b"=?utf-8?q?", b"=?utf-8?q?a?= ", b"?="])
def test_only_the_beginning_of_an_endless_value_is_looked_at(part: bytes) -> None:
    assert len(decode_words(part * (1 << 20))) <= MAX_SHOWN
