"""Partial: a condition, and facts of which some are not known, to whether it holds: it does, does not, or may (the
three-valued logic of Kleene). Pure."""

from collections.abc import Callable, Set

from gateway.facts import Facts
from gateway.policy.language import Operator, Part, Predicate


def value(part: Part, facts: Facts, unknown: Set[str]) -> bool | None:
    """None: that depends on a fact which is not known."""
    if part.operator is Operator.NONE:
        return None if unknown and not unknown.isdisjoint(part.facts) else part.holds(facts)
    return _COMBINED[part.operator]([value(inner, facts, unknown) for inner in part.parts])


def supposing(part: Part, unknown: Set[str], *, outcome: bool) -> Predicate:
    """The part as a predicate, with that outcome wherever it cannot be known."""

    def holds(facts: Facts) -> bool:
        known = value(part, facts, unknown)
        return outcome if known is None else known

    return holds


def _and(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _or(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False


def _not(values: list[bool | None]) -> bool | None:
    return None if values[0] is None else not values[0]


_COMBINED: dict[Operator, Callable[[list[bool | None]], bool | None]] = {
    Operator.AND: _and,
    Operator.OR: _or,
    Operator.NOT: _not,
}
