"""Worlds: a set of rules, and facts of which some were not recorded, to the sets of rules that may stand for it. Pure.

A rule that reads a fact which is not known may match or not; each way is a world, with a set of rules of its own.
"""

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from gateway.facts import Facts, Stage
from gateway.policy.decide import SPAM_SCORE, decide
from gateway.policy.language import Part, Predicate
from gateway.policy.partial import supposing, value
from gateway.policy.rule import TOTAL, Reading, Rule, RuleSet
from gateway.policy.verdict import Verdict

MAX_CACHED = 512  # sets of rules that are kept: senders choose which facts are so large that they were cut

ROUNDING = 1e-6  # scores are added up in another order there than here

Phase = tuple[Stage, ...]
Names = frozenset[str]

PHASES: tuple[Phase, ...] = (
    (Stage.CONNECT, Stage.HELO, Stage.MAIL, Stage.RCPT),
    (Stage.AUTHENTICATED,),
    (Stage.SCORED,),
)
"""Where a rule refuses, the journey ends with the phase."""


class Undecidable(NamedTuple):
    """A rule, and what it reads that was not recorded."""

    rule: Rule
    facts: tuple[str, ...]


class Worlds:
    """The worlds of one set of rules."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._of_phase = {phase: [rule for rule in rules.rules if rule.stage in phase] for phase in PHASES}
        self._reads = {
            phase: Names().union(*(rule.condition.facts for rule in of_phase))
            for phase, of_phase in self._of_phase.items()
        }
        self._thresholds = tuple(_thresholds(rules))
        self.undecidable = lru_cache(MAX_CACHED)(self._find_undecidable)
        self._supposing = lru_cache(MAX_CACHED)(self._suppose)

    def unknown(self, phase: Phase, facts: Facts) -> Names:
        """What the rules of a phase read that was not recorded. The total is known where spamd's score is."""
        unknown = self._reads[phase].difference(facts)
        return unknown - {TOTAL.name} if SPAM_SCORE in facts else unknown

    def decided(self, phase: Phase, facts: Facts, earlier: Verdict, matching: Names = Names()) -> Verdict:  # noqa: B008
        """The verdict by the end of a phase, where those of `matching` hold wherever nobody knows whether they do."""
        unknown = self.unknown(phase, facts)
        rules = self._supposing(unknown, matching) if unknown else self.rules
        return decide(rules, phase, facts, earlier)

    def open_rules(self, phase: Phase, unknown: Names, facts: Facts) -> list[Rule]:
        """The rules that are acted on and of which nobody knows whether they match. `facts` may have the total."""
        return [
            rule
            for rule, _ in self.undecidable(phase, unknown)
            if rule.is_enforced and value(rule.condition.whole, facts, _with_total(unknown, facts)) is None
        ]

    def tells_apart(self, low: float, high: float) -> bool:
        """Whether a rule may care which total it is of those between."""
        low, high = low - ROUNDING, high + ROUNDING
        return any(threshold is None or low <= threshold <= high for threshold in self._thresholds)

    def _find_undecidable(self, phase: Phase, unknown: Names) -> tuple[Undecidable, ...]:
        """The rules of a phase that read something of it."""
        reading = ((rule, unknown.intersection(rule.condition.facts)) for rule in self._of_phase[phase])
        return tuple(Undecidable(rule, tuple(sorted(names))) for rule, names in reading if names)

    def _suppose(self, unknown: Names, matching: Names) -> RuleSet:
        def supposed(reading: Reading) -> Reading:
            predicates = [_supposed(rule, unknown, matching) for rule in reading.rules]
            return Reading(reading.rules, lambda facts: [holds(facts) for holds in predicates])

        return replace(
            self.rules,
            readings={stage: supposed(reading) for stage, reading in self.rules.readings.items()},
            on_total=supposed(self.rules.on_total),
        )


def _supposed(rule: Rule, unknown: Names, matching: Names) -> Predicate:
    """Its condition, which comes out as that is wanted of it wherever nobody knows."""
    if unknown.isdisjoint(rule.condition.facts):
        return rule.condition.holds
    return supposing(rule.condition.whole, unknown, outcome=rule.id in matching)


def _with_total(unknown: Names, facts: Collection[str]) -> Names:
    return unknown if TOTAL.name in facts else unknown | {TOTAL.name}


def _thresholds(rules: RuleSet) -> Iterator[float | None]:
    """The numbers that the total is compared with; None where it is not only compared."""
    for rule in rules.on_total.rules:
        for leaf in rule.condition.whole.leaves():
            if TOTAL.name in leaf.facts:
                yield from _compared(leaf)


def _compared(leaf: Part) -> Iterator[float | None]:
    if len(leaf.facts) > 1 or leaf.constants is None:
        yield None
        return
    for constant in leaf.constants:
        yield constant if isinstance(constant, int | float) else None
