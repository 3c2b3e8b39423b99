"""Worlds: a set of rules, and facts of which some were not recorded, to every verdict that there may be. Pure.

Where a rule reads a fact that is not known it may match or not; each way is a world, with a set of rules of its own.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations
from typing import NamedTuple

from gateway.facts import Facts, Stage
from gateway.policy.decide import SPAM_SCORE, decide
from gateway.policy.partial import supposing, value
from gateway.policy.rule import TOTAL, Rule, RuleSet
from gateway.policy.verdict import Verdict

MAX_CACHED = 512  # sets of rules that are kept: large facts are cut at a sender's will, each set of them in another way

Phase = tuple[Stage, ...]

PHASES: tuple[Phase, ...] = (
    (Stage.CONNECT, Stage.HELO, Stage.MAIL, Stage.RCPT),
    (Stage.AUTHENTICATED,),
    (Stage.SCORED,),
)
"""After each of them a refusal ends the journey."""


class Undecidable(NamedTuple):
    """A rule, and what it reads that was not recorded."""

    rule: Rule
    facts: tuple[str, ...]


class Worlds:
    """The worlds of one set of rules."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._reads = {phase: _read(rules, phase) for phase in PHASES}
        self._undecidable: dict[tuple[Phase, frozenset[str]], tuple[Undecidable, ...]] = {}
        self._supposed: dict[tuple[frozenset[str], frozenset[str]], RuleSet] = {}

    def unknown(self, phase: Phase, facts: Facts) -> frozenset[str]:
        """What the rules of a phase read that was not recorded. The total is known where spamd's score is."""
        unknown = self._reads[phase].difference(facts)
        return unknown - {TOTAL.name} if unknown and SPAM_SCORE in facts else unknown

    def undecidable(self, phase: Phase, unknown: frozenset[str]) -> tuple[Undecidable, ...]:
        """The rules that read something of it."""
        if not unknown:
            return ()
        found = self._undecidable.get((phase, unknown))
        if found is None:
            _make_room(self._undecidable)
            rules = (rule for rule in self.rules.rules if rule.stage in phase)
            reading = ((rule, unknown.intersection(rule.condition.facts)) for rule in rules)
            found = tuple(Undecidable(rule, tuple(sorted(names))) for rule, names in reading if names)
            self._undecidable[phase, unknown] = found
        return found

    def verdicts(self, phase: Phase, facts: Facts, earlier: Verdict) -> Iterator[Verdict]:
        """What may be decided by the end of a phase; first as if no rule matched of which that is not known."""
        unknown = self.unknown(phase, facts)
        if not unknown:
            yield _decided(self.rules, phase, facts, earlier)
            return
        least = _decided(self._supposing(unknown, frozenset()), phase, facts, earlier)
        yield least
        beyond = unknown | {TOTAL.name}
        matter = [
            rule.id
            for rule, _ in self.undecidable(phase, unknown)
            if _matters(rule, least) and value(rule.condition.whole, facts, beyond) is None
        ]
        for matching in chain.from_iterable(combinations(matter, size) for size in range(1, len(matter) + 1)):
            yield _decided(self._supposing(unknown, frozenset(matching)), phase, facts, earlier)

    def _supposing(self, unknown: frozenset[str], matching: frozenset[str]) -> RuleSet:
        """The rules, those of `matching` holding wherever it is not known whether they do, and no others."""
        found = self._supposed.get((unknown, matching))
        if found is None:
            _make_room(self._supposed)

            def supposed(rule: Rule) -> Rule:
                if unknown.isdisjoint(rule.condition.facts):
                    return rule
                return replace(rule, holds=supposing(rule.condition.whole, unknown, rule.id in matching))

            found = replace(
                self.rules,
                by_stage={stage: tuple(map(supposed, rules)) for stage, rules in self.rules.by_stage.items()},
                on_total=tuple(map(supposed, self.rules.on_total)),
            )
            self._supposed[unknown, matching] = found
        return found


def _read(rules: RuleSet, phase: Phase) -> frozenset[str]:
    """The facts in the conditions of a phase; with the total that it is made of, so that both are known or not."""
    read = frozenset[str]().union(*(rule.condition.facts for rule in rules.rules if rule.stage in phase))
    return read


def _decided(rules: RuleSet, phase: Phase, facts: Facts, verdict: Verdict) -> Verdict:
    for stage in phase:
        verdict = decide(rules, stage, facts, verdict)
    return verdict


def _matters(rule: Rule, verdict: Verdict) -> bool:
    """Whether another verdict may come of it, if this one is had without it."""
    if not rule.is_enforced:
        return False
    if rule.hit.score or rule.hit.final or rule.effects.scan:
        return True
    return rule.action is not None and rule.action.severity > verdict.action.severity


def _make_room(cache: dict) -> None:  # type: ignore[type-arg]
    if len(cache) >= MAX_CACHED:
        cache.clear()
