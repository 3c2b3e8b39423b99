"""Thresholds: rules to the numbers that they compare a score with. Pure."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from gateway.policy.decide import SPAM_SCORE
from gateway.policy.rule import TOTAL, Rule, RuleSet
from gateway.tuning.scores import LIMIT

SPAMD = "spamd"  # whose own threshold stands beside those of the rules


class Measure(StrEnum):
    """What is compared with a threshold; the values are names of facts."""

    TOTAL = TOTAL.name  # spamd's score and those of the rules
    SCORE = SPAM_SCORE  # spamd's alone


class Threshold(Struct, frozen=True, order=True):
    measure: Measure
    value: float
    name: str  # the id of the rule, or SPAMD


def thresholds_of(sets: Iterable[RuleSet], required: float | None) -> list[Threshold]:
    """Those in force, in ascending order; `required` is spamd's own. Where scores are not told apart there is none."""
    found = {threshold for rules in sets for rule in rules.rules for threshold in _compared(rule)}
    if required is not None:
        found.add(Threshold(Measure.SCORE, required, SPAMD))
    return sorted(threshold for threshold in found if abs(threshold.value) <= LIMIT)


def _compared(rule: Rule) -> Iterator[Threshold]:
    """Of the parts of a condition that compare a score with numbers and do nothing else."""
    for part in rule.condition.whole.leaves():
        for measure in Measure:
            if part.facts == (measure.value,):
                numbers = (number for number in part.constants or () if isinstance(number, int | float))
                yield from (Threshold(measure, float(number), rule.id) for number in numbers)
