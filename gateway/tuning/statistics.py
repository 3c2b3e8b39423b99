"""Statistics: what was counted, and the rules, to what is said of each rule and of the thresholds. Pure."""

from collections.abc import Iterable, Mapping, Set

from msgspec import Struct

from gateway.policy.rule import Rule, RuleSet
from gateway.policy.verdict import Mode
from gateway.tuning.curve import Point, curve, extent, grid
from gateway.tuning.quality import Quality, aim, contrary, quality
from gateway.tuning.sighting import Known
from gateway.tuning.tally import RuleTally, Tally
from gateway.tuning.thresholds import Measure, Threshold, thresholds_of

MAX_POINTS = 40  # of a table of thresholds
STEPS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # between two of them, whichever needs no more


class Overlap(Struct, frozen=True):
    """Another rule that hits the same messages; `share` is that of the messages that the first rule hits."""

    rule: str
    messages: int
    share: float


class RuleStatistics(Struct, frozen=True, kw_only=True):
    id: str
    asks_for: str
    mode: Mode
    aim: Known | None  # what it is after
    hits: int
    share: float  # that is of all verdicts
    counted: RuleTally
    quality: Quality | None  # None where nothing is known of any message, or the rule is after nothing
    overlaps: tuple[Overlap, ...]  # the largest one first

    @property
    def false_positives(self) -> list[str]:
        """By name, the first of them."""
        return self.counted.names.get(contrary(self.aim), []) if self.aim else []


class Statistics(Struct, frozen=True, kw_only=True):
    tally: Tally
    rules: tuple[RuleStatistics, ...]  # those that hit most first
    thresholds: tuple[Threshold, ...]  # in force
    curves: Mapping[Measure, tuple[Point, ...]]  # at the same thresholds; none where no message has a score

    @property
    def has_known(self) -> bool:
        """Whether there is a message of which it is known what it is."""
        return self.tally.messages > self.tally.known[Known.UNKNOWN]


def statistics(tally: Tally, sets: Iterable[RuleSet]) -> Statistics:
    """A rule that stands in several sets, those of profiles, is one rule, described as in the first one."""
    sets = tuple(sets)
    required = tally.required.most_common(1)
    in_force = thresholds_of(sets, required[0][0] if required else None)
    thresholds = _compared(tally, {threshold.value for threshold in in_force})
    rules: dict[str, Rule] = {}
    for rule in (rule for each in sets for rule in each.rules):
        rules.setdefault(rule.id, rule)
    found = [_of_rule(rule, tally) for rule in rules.values()]
    return Statistics(
        tally=tally,
        rules=tuple(sorted(found, key=lambda rule: (-rule.hits, rule.id))),
        thresholds=tuple(in_force),
        curves={measure: tuple(curve(scores, thresholds)) for measure, scores in tally.scores.items()},
    )


def _of_rule(rule: Rule, tally: Tally) -> RuleStatistics:
    counted = tally.rules.get(rule.id, RuleTally())
    hits, after = counted.hits.total(), aim(rule)
    has_known = tally.messages > tally.known[Known.UNKNOWN]
    return RuleStatistics(
        id=rule.id,
        asks_for=rule.asks_for,
        mode=rule.hit.mode,
        aim=after,
        hits=hits,
        share=hits / tally.messages if tally.messages else 0.0,
        counted=counted,
        quality=quality(after, counted.hits, tally.known) if after and has_known else None,
        overlaps=tuple(_overlaps(rule.id, hits, tally)),
    )


def _overlaps(rule: str, hits: int, tally: Tally) -> list[Overlap]:
    both = ((other, tally.both(rule, other)) for other in tally.rules if other != rule)
    found = (Overlap(other, messages, messages / hits) for other, messages in both if messages)
    return sorted(found, key=lambda overlap: (-overlap.messages, overlap.rule))


def _compared(tally: Tally, in_force: Set[float]) -> list[float]:
    """Thresholds at regular steps, and those in force; none where there is no score."""
    extents = [found for scores in tally.scores.values() if (found := extent(scores, in_force))]
    if not extents:
        return []
    low, high = min(low for low, _ in extents), max(high for _, high in extents)
    grids = (grid(low, high, step) for step in STEPS)
    return sorted({*next((found for found in grids if len(found) <= MAX_POINTS), ()), *in_force})
