"""Partial: a condition on facts of which some are not known holds, does not, or may."""

from itertools import product

import pytest

from gateway.policy.partial import supposing, value
from tests.support.rulefacts import ABSENT, condition

A, B, C = 'sender.domain == "a"', 'author.domain == "a"', "arc.trusted"
VALUES = {"sender.domain": ("", "a"), "author.domain": ("", "a"), "arc.trusted": (False, True)}


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"not {A}",
        f"{A} and {B}",
        f"{A} or {B}",
        f"not ({A} and {B}) or {C}",
        f"({A} or {B}) and not {C}",
        f"{A} and ({B} or {C})",
        f"{A} and {B} and {C}",
        f"{A} or {B} or {C}",
    ],
)
@pytest.mark.parametrize("unknown", [set(names) for names in ([], ["sender.domain"], ["author.domain"], list(VALUES))])
def test_what_is_told_is_so_whatever_the_unknown_facts_are(text: str, unknown: set[str]) -> None:
    """Each fact stands in one place, so that the logic loses nothing."""
    read = condition(text)
    for values in product(*VALUES.values()):
        facts = {**ABSENT, **dict(zip(VALUES, values, strict=True))}
        fillings = product(*(VALUES[name] for name in unknown))
        possible = {read.holds({**facts, **dict(zip(unknown, filling, strict=True))}) for filling in fillings}
        told = value(read.whole, facts, unknown)
        assert told is (possible.pop() if len(possible) == 1 else None)


@pytest.mark.parametrize("outcome", [True, False])
def test_what_is_supposed_holds_only_where_it_is_not_known(*, outcome: bool) -> None:
    read = condition(f"{A} and {C}")
    holds = supposing(read.whole, {"arc.trusted"}, outcome=outcome)
    assert holds({**ABSENT, "sender.domain": "a"}) is outcome
    assert holds({**ABSENT, "sender.domain": "b"}) is False
