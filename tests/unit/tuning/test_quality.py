"""What rules are after, how right they are, and the numbers that they compare scores with."""

from pathlib import Path

import pytest

from gateway.policy.rule import Rule, RuleSet
from gateway.policy.rules import load
from gateway.tuning.quality import aim, quality
from gateway.tuning.sighting import Known
from gateway.tuning.thresholds import SPAMD, Measure, Threshold, thresholds_of
from gateway.vocabulary import FACTS
from tests.support.rulefacts import written


def rules(directory: Path, *tables: str) -> RuleSet:
    text = "".join(f"[[rule]]\nid = 'r{number}'\nwhy = 'x'\n{table}\n" for number, table in enumerate(tables))
    return load([written(directory, text)], FACTS)


def rule(directory: Path, table: str) -> Rule:
    return rules(directory, table).rules[0]


@pytest.mark.parametrize(
    ("what", "after"),
    [
        ("then = 'reject'", Known.SPAM),
        ("then = 'tag'", Known.SPAM),
        ("score = 2.5", Known.SPAM),
        ("score = -2.5", Known.HAM),
        ("then = 'accept'", Known.HAM),
        ("add = { X-Class = 'x' }", None),
    ],
)
def test_a_rule_is_after_what_it_is_hard_on(tmp_path: Path, what: str, after: Known | None) -> None:
    assert aim(rule(tmp_path, f"when = 'dkim.partial'\n{what}")) is after


def test_precision_and_recall_are_of_what_the_rule_is_after() -> None:
    hits, known = {Known.HAM: 1, Known.SPAM: 3, Known.UNKNOWN: 50}, {Known.HAM: 10, Known.SPAM: 4}
    strict = quality(Known.SPAM, hits, known)
    assert (strict.precision, strict.recall, strict.false_positives) == (0.75, 0.75, 1)
    mild = quality(Known.HAM, hits, known)
    assert (mild.precision, mild.recall, mild.false_positives) == (0.25, 0.1, 3)


def test_a_rule_that_hit_nothing_known_has_no_precision() -> None:
    found = quality(Known.SPAM, {Known.HAM: 0, Known.SPAM: 0}, {Known.HAM: 10, Known.SPAM: 0})
    assert (found.precision, found.recall, found.false_positives) == (None, None, 0)


def test_thresholds_are_the_numbers_that_rules_compare_scores_with(tmp_path: Path) -> None:
    found = thresholds_of(
        [
            rules(
                tmp_path,
                "when = 'total >= 15'\nthen = 'reject'",
                "when = 'dkim.partial and (spam.score > 3.5 or 1 <= total < 5)'\nthen = 'tag'",
                "when = 'not spam.score > spam.required'\nthen = 'tag'",  # no number
                "when = 'message.size > 7 and recipient.count in (1, 2)'\nthen = 'tag'",
                "when = 'total >= 1_000_000_000'\nthen = 'tag'",  # no picture could reach there
            )
        ],
        required=5.0,
    )
    assert found == [
        Threshold(Measure.SCORE, 3.5, "r1"),
        Threshold(Measure.SCORE, 5.0, SPAMD),
        Threshold(Measure.TOTAL, 1.0, "r1"),
        Threshold(Measure.TOTAL, 5.0, "r1"),
        Threshold(Measure.TOTAL, 15.0, "r0"),
    ]
