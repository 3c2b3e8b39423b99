"""Codes of DNS lists: patterns as text and back, and which answers are no listing."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.checks.dnslists.codes import REFUSALS, CodePattern, Ranges, is_refusal, parse_pattern

octet = st.integers(0, 255)
ranges = st.lists(st.tuples(octet, octet).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=16).map(tuple)


@given(ranges, ranges, ranges)
def test_a_pattern_is_what_its_text_says(second: Ranges, third: Ranges, fourth: Ranges) -> None:
    pattern = CodePattern((((127, 127),), second, third, fourth))
    assert parse_pattern(str(pattern)) == pattern


@given(ranges, octet)
def test_a_pattern_has_the_codes_of_its_ranges(fourth: Ranges, value: int) -> None:
    pattern = CodePattern((((127, 127),), ((0, 0),), ((0, 0),), fourth))
    assert (f"127.0.0.{value}" in pattern) is any(first <= value <= last for first, last in fourth)
    assert f"127.0.1.{value}" not in pattern


@pytest.mark.parametrize(
    ("text", "has", "lacks"),
    [
        ("127.0.0.2", ["127.0.0.2"], ["127.0.0.3", "127.0.2.0", "127.2.0.0"]),
        ("127.0.0.[2..254]", ["127.0.0.2", "127.0.0.254"], ["127.0.0.1", "127.0.0.255", "127.0.1.2"]),
        ("127.0.[0..255].[1..3]", ["127.0.10.3", "127.0.255.1"], ["127.0.10.0", "127.1.10.3"]),
        ("127.0.0.[2;4;9..11]", ["127.0.0.2", "127.0.0.4", "127.0.0.10"], ["127.0.0.3", "127.0.0.12"]),
    ],
)
def test_patterns_are_written_as_postfix_writes_them(text: str, has: list[str], lacks: list[str]) -> None:
    pattern = parse_pattern(text)
    assert str(pattern) == text
    assert all(code in pattern for code in has)
    assert not any(code in pattern for code in lacks)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0",
        "127.0.0.2.3",
        "127.0.0.256",
        "127.0.0.[9..2]",
        "127.0.0.[2..]",
        "127.0.0.[]",
        "127.0.0.2..4",
        "127.0.0.[2,3]",
        "127.0.0.2\n",
        " 127.0.0.2",
        "127.0.0.٢",
        "[127].0.0.2",
        "[126..127].0.0.2",
        "192.0.2.1",
        "127.0.0.0002",
        "zen.example.org",
        "127.0.0.[" + ";".join("2" * 17) + "]",
    ],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no answer of a list|a range that is none"):
        parse_pattern(text)


@given(st.integers(0, 2**32 - 1).map(IPv4Address).map(str))
def test_only_codes_of_lists_are_listings(answer: str) -> None:
    assert answer.startswith("127.") or is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    ["127.255.255.252", "127.255.255.254", "127.255.255.0", "127.0.0.0", "127.0.0.1", "127.0.0.255", "127.0.1.255"],
)
def test_error_codes_are_no_listings(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize("answer", ["127.0.0.2", "127.0.0.254", "127.0.1.2", "127.0.10.3", "127.1.0.1", "127.255.0.2"])
def test_other_codes_are_for_the_site_to_count(answer: str) -> None:
    assert not is_refusal(answer)


def test_refusals_are_patterns_too() -> None:
    assert [parse_pattern(str(pattern)) for pattern in REFUSALS] == list(REFUSALS)
