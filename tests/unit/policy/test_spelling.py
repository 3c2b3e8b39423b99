"""Spelling: which texts a fact may be equal to, and what is said of others."""

import pytest

from gateway.facts import Fact, FactType, Spelling, Stage
from gateway.policy.rule import TOTAL
from gateway.policy.spelling import objection
from gateway.vocabulary import FACTS


def fact(spelling: Spelling) -> Fact:
    return Fact("x", FactType.STRING, Stage.CONNECT, "x", "", spelling=spelling)


@pytest.mark.parametrize(
    ("spelling", "text", "said"),
    [
        (Spelling.ANY, "Hello", None),
        (Spelling.LOWER, "ann@example.org", None),
        (Spelling.LOWER, "Ann@example.org", 'write "ann@example.org"'),
        (Spelling.DOMAIN, "example.org", None),
        (Spelling.DOMAIN, "", None),
        (Spelling.DOMAIN, ".Example.org.", 'write "example.org"'),
        (Spelling.DOMAIN, "*.example.org", 'write "example.org"'),
        (Spelling.DOMAIN, "straße.example", 'write "xn--strae-oqa.example"'),
        (Spelling.DOMAIN, "[192.0.2.1]", None),
        (Spelling.DOMAIN, "[IPv6:2001:DB8::1]", 'write "[ipv6:2001:db8::1]"'),
        (Spelling.DOMAIN, "no domain", "it is a domain in lower case, with A-labels"),
        (Spelling.SUFFIX, "exe", None),
        (Spelling.SUFFIX, "*.tar.GZ", 'write "gz"'),
        (Spelling.DATE, "2026-12-24", None),
        (Spelling.DATE, "24.12.2026", "it is a date such as 2026-12-24"),
    ],
)
def test_text_that_a_fact_never_is_has_the_right_one_said(spelling: Spelling, text: str, said: str | None) -> None:
    assert objection(fact(spelling), text) == said


def test_words_are_never_spelled_wrong_themselves() -> None:
    """What a fact is where it does not apply, and each of its words, may be compared with."""
    for declared in (*FACTS, TOTAL):
        words = (*declared.values, *([declared.absent] if isinstance(declared.absent, str) else []))
        assert [word for word in words if objection(declared, word)] == []
