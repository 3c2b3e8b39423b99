"""Deciding: the most severe action, scores and the total, final rules, shadow mode, one stage on top of another."""

from itertools import permutations
from pathlib import Path

import pytest

from gateway.facts import FactValue, Stage
from gateway.policy.decide import as_tag_only, decide
from gateway.policy.rule import RuleSet
from gateway.policy.rules import rule_set as sorted_set
from gateway.policy.verdict import UNDECIDED, Action, Verdict
from gateway.reply import reply
from tests.support.rulefacts import rule_set


def rules(directory: Path, *written: str) -> RuleSet:
    """Rules written as "when -> then" or "when -> score", with more keys after semicolons."""
    tables = []
    for number, text in enumerate(written):
        when, _, rest = text.partition(" -> ")
        what, *more = rest.split("; ")
        then = f'then = "{what}"' if what.isalpha() else f"score = {what}"
        tables.append("\n".join([f"[[rule]]\nid = 'r{number}'\nwhy = 'because'", f"when = '''{when}'''", then, *more]))
    return rule_set(directory, "\n".join(tables))


def scored(rules: RuleSet, facts: dict[str, FactValue], earlier: Verdict = UNDECIDED) -> Verdict:
    return decide(rules, (Stage.SCORED,), facts, earlier)


def test_without_a_matching_rule_everything_is_accepted(tmp_path: Path) -> None:
    verdict = scored(rules(tmp_path, "spam.score > 5 -> reject"), {"spam.score": 1.0})
    assert verdict == Verdict(Action.ACCEPT, total=1.0)


def test_most_severe_action_decides_in_whatever_order(tmp_path: Path) -> None:
    read = rules(tmp_path, *(f"spam.score > 1 -> {action}" for action in Action))
    for order in permutations(read.rules):
        verdict = scored(sorted_set(order, read.declared, ""), {"spam.score": 2})
        assert verdict.action is Action.REJECT
        assert set(verdict.rules) == {"r0", "r1", "r2", "r3", "r4"}


def test_final_accept_ends_the_reading_of_this_stage_and_those_after(tmp_path: Path) -> None:
    read = rules(
        tmp_path,
        'spf.result == "pass" -> accept; final = true',
        'spf.result == "pass" -> reject',
        "spam.score > 1 -> reject",
        "total > 1 -> reject",
    )
    verdict = decide(read, (Stage.MAIL,), {"spf.result": "pass"})
    assert (verdict.action, verdict.rules) == (Action.ACCEPT, ("r0",))
    later = scored(read, {"spf.result": "pass", "spam.score": 9.0}, verdict)
    assert (later.action, later.rules, later.total) == (Action.ACCEPT, ("r0",), 9.0)


def test_what_was_read_before_a_final_rule_counts(tmp_path: Path) -> None:
    read = rules(
        tmp_path, "spam.score > 1 -> tag", "spam.score > 1 -> accept; final = true", "spam.score > 1 -> reject"
    )
    assert scored(read, {"spam.score": 2}).action is Action.TAG


def test_final_rule_in_shadow_mode_ends_nothing(tmp_path: Path) -> None:
    read = rules(tmp_path, "spam.score > 1 -> accept; final = true; mode = 'shadow'", "spam.score > 1 -> reject")
    assert scored(read, {"spam.score": 2}).action is Action.REJECT


def test_shadow_rules_are_recorded_and_change_nothing(tmp_path: Path) -> None:
    read = rules(tmp_path, "spam.score > 1 -> reject; mode = 'shadow'", "spam.score > 1 -> 5; mode = 'shadow'")
    verdict = scored(read, {"spam.score": 2.0})
    assert (verdict.action, verdict.score, verdict.total) == (Action.ACCEPT, 0, 2.0)
    assert [(hit.rule, hit.action, hit.score) for hit in verdict.hits] == [
        ("r0", Action.REJECT, 0.0),
        ("r1", None, 5.0),
    ]


def test_scores_of_all_stages_make_the_total(tmp_path: Path) -> None:
    read = rules(
        tmp_path,
        "total >= 6.5 -> quarantine",
        'spf.result == "fail" -> 2',
        "spam.score > 1 -> -0.5",
        "total >= 7 -> reject",
    )
    verdict = decide(read, (Stage.MAIL,), {"spf.result": "fail"})
    assert (verdict.score, verdict.total) == (2.0, 0.0)
    verdict = scored(read, {"spf.result": "fail", "spam.score": 5.0}, verdict)
    assert (verdict.score, verdict.total, verdict.action) == (1.5, 6.5, Action.QUARANTINE)


def test_only_the_rules_of_the_stage_run(tmp_path: Path) -> None:
    read = rules(tmp_path, 'spf.result == "fail" -> reject', "spam.score < 1 -> tag")
    assert decide(read, (Stage.CONNECT,), {"spf.result": "fail"}) == UNDECIDED
    assert decide(read, (Stage.SCORED,), {"spf.result": "fail"}).rules == ("r1",)


def test_earlier_verdict_is_carried_on(tmp_path: Path) -> None:
    read = rules(tmp_path, 'spf.result == "fail" -> quarantine', "spam.score > 1 -> tag")
    verdict = scored(read, {"spam.score": 2}, decide(read, (Stage.MAIL,), {"spf.result": "fail"}))
    assert (verdict.action, verdict.rules) == (Action.QUARANTINE, ("r0", "r1"))


def test_what_an_earlier_stage_refused_keeps_its_reply(tmp_path: Path) -> None:
    read = rules(tmp_path, 'spf.result == "fail" -> reject; reply = "5.7.1 a"', "recipient.count == 0 -> tag")
    verdict = decide(read, (Stage.MAIL, Stage.RCPT), {"spf.result": "fail"})
    assert (verdict.action, verdict.rules, str(verdict.reply)) == (Action.REJECT, ("r0", "r1"), "550 5.7.1 a")


def test_rule_that_matched_once_is_not_counted_again(tmp_path: Path) -> None:
    read = rules(tmp_path, "recipient.count > 1 -> 2")
    once = decide(read, (Stage.RCPT,), {"recipient.count": 2})
    assert decide(read, (Stage.RCPT,), {"recipient.count": 3}, once) == once


def test_reply_names_facts_with_what_senders_choose_made_harmless(tmp_path: Path) -> None:
    read = rules(tmp_path, "spam.score > 1 -> reject; reply = '5.7.26 {subject} scores {spam.score}, {{}}'")
    verdict = scored(read, {"spam.score": 2, "subject": "a\r\n250 ok \u00e4" + "x" * 500})
    assert verdict.reply
    assert str(verdict.reply).startswith("550 5.7.26 a??250 ok ?xx")
    assert str(verdict.reply).endswith("x scores 2, {}")
    assert len(verdict.reply.text) < 110


@pytest.mark.parametrize(
    ("rule", "stage", "expected"),
    [
        ("True -> reject", Stage.CONNECT, "550 5.7.1 message refused by policy"),
        ("True -> defer", Stage.CONNECT, "451 4.7.1 message deferred by policy"),
        ("spam.score < 1 -> reject", Stage.SCORED, "550 5.7.1 message refused by policy"),
        ("spam.score < 1 -> defer", Stage.SCORED, "451 4.7.1 message deferred by policy"),
        ("spam.score < 1 -> reject; reply = '554 5.7.0 no'", Stage.SCORED, "554 5.7.0 no"),
        ("spam.score < 1 -> defer; reply = '450 4.2.1 later'", Stage.SCORED, "450 4.2.1 later"),
    ],
)
def test_reply_has_the_codes_of_action_and_stage(tmp_path: Path, rule: str, stage: Stage, expected: str) -> None:
    assert str(decide(rules(tmp_path, rule), (stage,), {}).reply) == expected


def test_reply_is_that_of_the_first_of_the_most_severe_rules(tmp_path: Path) -> None:
    read = rules(
        tmp_path,
        "spam.score < 1 -> defer; reply = '4.7.1 a'",
        "spam.score < 1 -> reject; reply = '5.7.1 b'",
        "spam.score < 1 -> reject; reply = '5.7.1 c'",
    )
    assert str(scored(read, {}).reply) == "550 5.7.1 b"


@pytest.mark.parametrize("action", Action)
def test_tag_only_softens_what_is_more_severe(action: Action) -> None:
    verdict = as_tag_only(Verdict(action, reply("550 5.7.1", "no") if action.refuses else None, score=1.5))
    assert verdict.action is (Action.ACCEPT if action is Action.ACCEPT else Action.TAG)
    assert (verdict.reply, verdict.score) == (None, 1.5)


def test_what_decides_is_the_first_rule_with_the_most_severe_action(tmp_path: Path) -> None:
    read = rules(
        tmp_path,
        "spam.score > 1 -> tag",
        "spam.score > 1 -> reject; mode = 'shadow'",
        "spam.score > 1 -> quarantine",
        "spam.score > 2 -> quarantine",
        "spam.score > 1 -> 3",
    )
    decisive = scored(read, {"spam.score": 5.0}).decisive
    assert decisive is not None
    assert decisive.rule == "r2"
    assert scored(read, {"spam.score": 0.0}).decisive is None
