"""Reach: what is called impossible is so, whatever the facts; what contradicts itself in simple ways is found."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.facts import FactValue
from gateway.policy.reach import MAX_WORLDS, implies, impossible_parts, is_possible
from tests.support.rulefacts import ABSENT, BY_NAME, WORDS, condition


def possible(text: str) -> bool:
    return is_possible([(condition(text).whole, True)], BY_NAME)


@pytest.mark.parametrize(
    "text",
    [
        "False",
        'spf.result == "pass" and spf.result == "fail"',
        'spf.result == "pass" and spf.result in ("fail", "softfail")',
        'subject == "a" and subject != "a"',
        'subject in ("a", "b") and subject not in ("b", "a", "c")',
        "spam.score > 5 and spam.score < 5",
        "3 < spam.score < 4 and spam.score >= 4",
        "arc.trusted and not arc.trusted",
        'matches(subject, r"x") and spam.score > 1 and not matches(subject, r"x")',
        'not ("X" in spam.symbols or True)',
        'not (spf.result in ("none", "pass", "fail", "softfail", "temperror", "unavailable"))',
    ],
)
def test_contradictions_are_found(text: str) -> None:
    assert not possible(text)


@pytest.mark.parametrize(
    "text",
    [
        "True",
        'spf.result == "pass" or spf.result == "fail"',
        "spam.score > 5 and spam.score < 5.1",
        "spam.score >= 5 and spam.score <= 5",
        'subject != "a" and subject != "b"',
        'subject == "a  b" and matches(subject, r"a  b") and not matches(subject, r"a b")',
        '"a" in subject and not "b" in subject',
        '"X" in spam.symbols and "Y" in spam.symbols',
        'subject == "a" and under(subject, "b")',  # it is not, but that is not looked into
        'client.helo == "x" and sender.domain == "x" and client.helo == sender.domain',
    ],
)
def test_what_is_possible_is_called_so(text: str) -> None:
    assert possible(text)


def test_what_has_too_many_sides_is_called_possible() -> None:
    sides = MAX_WORLDS.bit_length()
    wide = " and ".join(f'"R{number}" in spam.symbols' for number in range(sides))
    assert possible(f"{wide} and spam.score > 1 and spam.score < 1")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("spam.score > 8", "spam.score > 5", True),
        ("spam.score > 5", "spam.score > 8", False),
        ('spf.result == "fail" and arc.trusted', 'spf.result in ("fail", "none")', True),
        ('spf.result != "pass"', 'spf.result == "fail"', False),
        ('under(author.domain, "b") and arc.trusted', 'under(author.domain, "b")', True),
    ],
)
def test_implication(one: str, other: str, expected: bool) -> None:
    assert implies(condition(one).whole, condition(other).whole, BY_NAME) is expected


def test_impossible_alternatives_are_found_within_the_whole() -> None:
    text = 'spam.score > 3 or (spf.result == "fail" and spf.result == "pass")'
    (part,) = impossible_parts(condition(text).whole, BY_NAME)
    assert (part.text, part.offset) == ('spf.result == "fail" and spf.result == "pass"', 19)


_LEAVES = st.sampled_from(
    [
        *(f'spf.result {sign} "{word}"' for sign in ("==", "!=") for word in ("pass", "fail")),
        'spf.result in ("pass", "none")',
        *(f"spam.score {sign} {number}" for sign in ("<", "<=", "==", "!=", ">=", ">") for number in (-1, 2, 2.5)),
        "1 < spam.score < 3",
        "spam.score in (2, 3)",
        'subject == "a"',
        'subject in ("a", "b")',
        '"a" in subject',
        "arc.trusted",
        '"X" in spam.symbols',
        "len(spam.symbols) > 1",
        'under(sender.domain, "example.org")',
        "sender.domain == client.helo",
    ]
)
_CONDITIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda part: f"not ({part})"),
    ),
    max_leaves=6,
)
_FACTS: st.SearchStrategy[dict[str, FactValue]] = st.fixed_dictionaries(
    {
        "spf.result": st.sampled_from(WORDS),
        "spam.score": st.sampled_from([-2, -1, 0, 1, 1.5, 2, 2.2, 2.5, 3, 7]),
        "subject": st.sampled_from(["", "a", "b", "ab", "c"]),
        "arc.trusted": st.booleans(),
        "spam.symbols": st.sampled_from([(), ("X",), ("X", "Y")]),
        "sender.domain": st.sampled_from(["", "example.org", "a.example.org", "example.net"]),
        "client.helo": st.sampled_from(["", "example.org"]),
        "client.ip": st.just(ip_address("192.0.2.1")),
    }
)


@given(_CONDITIONS, _CONDITIONS, _FACTS)
@settings(max_examples=300, deadline=None)
def test_facts_never_belie_it(one: str, other: str, facts: dict[str, FactValue]) -> None:
    known = {**ABSENT, **facts}
    first, second = condition(one), condition(other)
    if first.holds(known):
        assert possible(one)
        assert second.holds(known) or not implies(first.whole, second.whole, BY_NAME)
