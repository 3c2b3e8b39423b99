"""Notation: every value comes back, whichever of the two ways it goes."""

import json
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.notation import from_json, to_ascii, to_json, to_text

# A surrogate in front of another one that completes it comes back as the one character that they are.
TEXTS = st.text(st.characters(codec=None).filter(lambda one: not "\ud800" <= one <= "\udbff"))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10)


@given(VALUES)
def test_what_was_written_is_read(value: Any) -> None:
    assert from_json(to_json(value)) == value
    assert from_json(to_text(value)) == value
    assert from_json(to_ascii(value)) == value


@given(VALUES)
def test_it_is_json_for_everybody(value: Any) -> None:
    assert json.loads(to_json(value)) == value
    assert from_json(json.dumps(value)) == value
    assert to_ascii(value).isascii()


@pytest.mark.parametrize("text", ["plain", "caf\udce9"])
def test_addresses_are_texts_on_both_ways(text: str) -> None:
    assert from_json(to_json([text, ip_address("192.0.2.7")])) == [text, "192.0.2.7"]


@pytest.mark.parametrize("octets", [b"", b"{", b"\xff", b'"\xff"', b"1 2", b'"\0"'])
def test_what_is_no_json_is_an_error(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(octets)
