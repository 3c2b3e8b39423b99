"""The report of mailward rules stats as JSON."""

from typing import Any

from msgspec.structs import asdict

from gateway.tuning.sighting import Known
from gateway.tuning.statistics import RuleStatistics, Statistics


def report(found: Statistics) -> dict[str, Any]:
    tally = found.tally
    return {
        "verdicts": tally.messages,
        "known": {known.value: tally.known[known] for known in Known},
        "actions": [
            {"known": known.value, "action": action, "count": count}
            for (known, action), count in sorted(tally.verdicts.items())
        ],
        "rules": [_rule(rule) for rule in found.rules],
        "overlap": {rule.id: {other.rule: other.messages for other in rule.overlaps} for rule in found.rules},
        "thresholds": [asdict(threshold) for threshold in found.thresholds],
        "curves": {measure.value: [asdict(point) for point in points] for measure, points in found.curves.items()},
    }


def _rule(rule: RuleStatistics) -> dict[str, Any]:
    counted = rule.counted
    return {
        "rule": rule.id,
        "asks_for": rule.asks_for,
        "mode": rule.mode.value,
        "aims_at": rule.aim.value if rule.aim else None,
        "hits": rule.hits,
        "share": rule.share,
        "hits_by_kind": {known.value: counted.hits[known] for known in Known},
        "undecidable": counted.undecided,
        "undecidable_facts": sorted(counted.unknown),
        "verdicts": dict(counted.verdicts),
        "decided": counted.decided,
        "alone": counted.alone,
        "precision": rule.quality.precision if rule.quality else None,
        "recall": rule.quality.recall if rule.quality else None,
        "false_positives": rule.quality.false_positives if rule.quality else None,
        "false_positive_names": rule.false_positives,
    }
