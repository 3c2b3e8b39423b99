"""Idle: rules of a set that change nothing because of others that match wherever they do. Pure.

What is told is certain; of conditions on more facts than the idle rule reads nothing is told.
"""

from collections.abc import Iterator

from msgspec import Struct

from gateway.policy.reach import implies, is_possible
from gateway.policy.rule import Rule, RuleSet
from gateway.policy.verdict import Action


class Idle(Struct, frozen=True):
    """A rule, and the one that leaves it nothing to do."""

    rule: Rule
    because: Rule

    @property
    def is_unread(self) -> bool:
        return self.because.ends_the_reading


def idle_rules(rules: RuleSet) -> Iterator[Idle]:
    order = rules.in_reading_order
    for place, rule in enumerate(order):
        others = (
            other
            for other_place, other in enumerate(order)
            if _leaves_nothing(order, other_place, place) and _covers(other, rule, rules)
        )
        if because := next(others, None):
            yield Idle(rule, because)


def _leaves_nothing(order: list[Rule], other_place: int, place: int) -> bool:
    """Whether a rule has nothing to say once the other one matches too."""
    other, rule = order[other_place], order[place]
    if other_place < place and other.ends_the_reading:
        return True
    between = order[place + 1 : other_place]
    return _outdoes(other, rule, is_before=other_place < place) and not any(one.ends_the_reading for one in between)


def _outdoes(other: Rule, rule: Rule, *, is_before: bool) -> bool:
    """Whether the other rule's action is all that is seen of both. A refusal at an earlier stage has come first."""
    if not (other.is_enforced and rule.is_enforced and other.action and rule.action) or rule.has_effects:
        return False
    if rule.action is Action.ACCEPT or (rule.action.refuses and other.stage > rule.stage):
        return False
    if other.action is rule.action:
        return rule.action.refuses and is_before
    return other.action.severity > rule.action.severity


def _covers(other: Rule, rule: Rule, rules: RuleSet) -> bool:
    """Whether the other rule certainly matches where this one does, which it does at all."""
    if not set(other.condition.facts) <= set(rule.condition.facts):
        return False
    whole = rule.condition.whole
    return is_possible([(whole, True)], rules.declared) and implies(whole, other.condition.whole, rules.declared)
