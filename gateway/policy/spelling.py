"""Spelling: a text that a rule compares a fact with, to what it would have to be for the two ever to be equal. Pure."""

import re
from collections.abc import Callable, Mapping

from gateway.domain import canonical_domain
from gateway.facts import Fact, Spelling
from gateway.tomlfile import did_you_mean

_date_re = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def objection(fact: Fact, text: str) -> str | None:
    """Advice where the fact is never that text, nor ever has it among others; None where it may be. What a fact has
    where it does not apply is always right, and so is the empty text."""
    if text in ("", fact.absent):
        return None
    if fact.values:
        known = ", ".join(f'"{word}"' for word in fact.values if word)
        return None if text in fact.values else did_you_mean(text, fact.values) or f"it is one of {known}"
    right = _RIGHT[fact.spelling](text)
    if right == text:
        return None
    return f'write "{right}"' if right else f"it is {fact.spelling}"


def _domain(text: str) -> str:
    """What stands in brackets is an address: user@[192.0.2.1]."""
    return text.lower() if text.startswith("[") else canonical_domain(text.strip(" .*@"))


def _suffix(text: str) -> str:
    return text.rpartition(".")[2].lower()


def _date(text: str) -> str:
    return text if _date_re.match(text) else ""


_RIGHT: Mapping[Spelling, Callable[[str], str]] = {
    Spelling.ANY: str,
    Spelling.LOWER: str.lower,
    Spelling.DOMAIN: _domain,
    Spelling.SUFFIX: _suffix,
    Spelling.DATE: _date,
}
