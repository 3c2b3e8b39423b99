"""The shipped rules, against the facts that the gateway declares: they load, and keep to their examples."""

from pathlib import Path

import pytest

from gateway.facts import FactType, FactValue, Stage
from gateway.policy.decide import decide
from gateway.policy.lint import lint
from gateway.policy.rule import RuleSet
from gateway.policy.rules import RulesError, load
from gateway.policy.shipped import shipped_rules
from gateway.policy.verdict import Action, Mode, Verdict
from gateway.tomlfile import Problem
from gateway.vocabulary import FACTS


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    return load([shipped_rules()], FACTS)


def verdict(rules: RuleSet, facts: dict[str, FactValue]) -> Verdict:
    """What the rules of all stages make of some facts, of a message from a known author that spamd has scored."""
    author = {"author.domain": "example.org", "author.form": "one", "dmarc.author": "example.org"}
    known: dict[str, FactValue] = {"spam.result": "scored", **author, **facts}
    return decide(rules, Stage, known)


def test_examples_are_kept_and_nothing_is_warned_of(shipped: RuleSet) -> None:
    assert lint(shipped) == ()


def test_every_rule_has_an_example_that_matches_and_one_that_does_not(shipped: RuleSet) -> None:
    for rule in shipped.rules:
        assert {example.match for example in rule.examples} == {True, False}, rule.id


def test_message_of_which_nothing_is_known_but_its_author_is_accepted(shipped: RuleSet) -> None:
    assert verdict(shipped, {}).action is Action.ACCEPT


def test_authenticated_message_is_accepted_without_a_hit(shipped: RuleSet) -> None:
    facts = {"spf.result": "pass", "dkim.result": "pass", "dmarc.result": "pass", "dmarc.policy": "reject"}
    assert verdict(shipped, {**facts, "spam.score": -1.0}) == Verdict(Action.ACCEPT, total=-1.0)


@pytest.mark.parametrize(
    ("facts", "action", "reply"),
    [
        ({"spam.score": 1000.0}, Action.REJECT, "550 5.7.1 refused as spam"),  # GTUBE
        ({"spam.score": 9.0}, Action.QUARANTINE, ""),
        ({"spam.score": 5.0}, Action.TAG, ""),
        ({"spam.score": 4.9}, Action.ACCEPT, ""),
        ({"spam.result": "unavailable"}, Action.TAG, ""),
        ({"spam.result": "busy"}, Action.DEFER, "451 4.3.2 "),
        ({"dmarc.result": "fail", "dmarc.policy": "reject"}, Action.QUARANTINE, ""),
        (
            {"dmarc.result": "fail", "dmarc.policy": "reject", "spf.result": "fail"},
            Action.REJECT,
            "550 5.7.26 unauthenticated mail from example.org is refused",
        ),
        ({"dmarc.result": "fail", "dmarc.policy": "reject", "arc.trusted": True}, Action.ACCEPT, ""),
        ({"dmarc.result": "fail", "dmarc.policy": "reject", "client.role": "relay"}, Action.TAG, ""),
        ({"dmarc.result": "fail", "dmarc.policy": "reject", "client.role": "internal"}, Action.ACCEPT, ""),
        ({"dmarc.result": "unavailable"}, Action.TAG, ""),
        ({"dmarc.result": "fail", "dmarc.policy": "none"}, Action.ACCEPT, ""),
        ({"dmarc.result": "temperror", "dmarc.policy": "reject"}, Action.DEFER, "451 4.7.0"),
        ({"dmarc.result": "temperror", "dmarc.policy": "none"}, Action.ACCEPT, ""),
        ({"dmarc.result": "temperror", "dmarc.policy": "reject", "dmarc.aligned": ("dkim",)}, Action.ACCEPT, ""),
        ({"author.domain": "", "author.count": 2}, Action.TAG, ""),
        (
            {"dnslists.result": "blocked", "dnslists.blocked": ("zen",)},
            Action.REJECT,
            "550 5.7.1 0.0.0.0 is listed by zen",
        ),
        ({"dnslists.result": "allowed", "dnslists.blocked": ("zen",)}, Action.ACCEPT, ""),
        (
            {"dnslists.result": "undecided", "dnslists.blocked": ("zen",)},
            Action.DEFER,
            "451 4.7.1 0.0.0.0 is listed by zen",
        ),
        ({"dnslists.result": "temperror", "dnslists.failed": ("zen",)}, Action.ACCEPT, ""),
        ({"dnslists.result": "permerror", "dnslists.failed": ("zen",)}, Action.ACCEPT, ""),
        (
            {"domainlists.result": "blocked", "domainlists.blocked": ("dbl",)},
            Action.REJECT,
            "550 5.7.1 the sender's domain",
        ),
        ({"domainlists.result": "blocked", "dnslists.allowed": ("dnswl",)}, Action.ACCEPT, ""),
        ({"author.domain": "", "author.form": "crowded"}, Action.QUARANTINE, ""),
        ({"author.domain": "", "author.form": "crowded", "client.role": "internal"}, Action.ACCEPT, ""),
        ({"dkim.result": "pass", "dkim.partial": True}, Action.TAG, ""),
        ({"dkim.result": "pass", "message.repeated": ("subject",)}, Action.TAG, ""),
        ({"dkim.result": "pass", "message.repeated": ("subject",), "client.role": "relay"}, Action.ACCEPT, ""),
        ({"dkim.result": "pass", "dkim.unsigned": ("reply-to",)}, Action.ACCEPT, ""),
        ({"dkim.result": "permerror", "dkim.times": ("expired",)}, Action.ACCEPT, ""),
    ],
)
def test_shipped_rules_decide(shipped: RuleSet, facts: dict[str, FactValue], action: Action, reply: str) -> None:
    decided = verdict(shipped, facts)
    assert decided.action is action
    assert str(decided.reply or "").startswith(reply)


def test_address_in_a_display_name_is_recorded_and_changes_nothing(shipped: RuleSet) -> None:
    decided = verdict(shipped, {"author.name_address": "service@bank.example"})
    assert [(hit.rule, hit.mode) for hit in decided.hits] == [("author-name", Mode.SHADOW)]
    assert (decided.action, decided.score) == (Action.ACCEPT, 0.0)


@pytest.mark.parametrize(
    ("word", "worst"),
    [
        ("unavailable", Action.QUARANTINE),
        ("temperror", Action.DEFER),  # else a forger could point at a key whose name server does not answer
        ("permerror", Action.QUARANTINE),
        ("none", Action.QUARANTINE),
    ],
)
def test_nothing_is_rejected_because_checks_did_not_answer(shipped: RuleSet, word: str, worst: Action) -> None:
    results = {fact.name: word for fact in FACTS if fact.name.endswith(".result") and word in fact.values}
    decided = verdict(shipped, {**results, "dmarc.policy": "reject", "spam.score": 4.0})
    assert decided.action.severity <= worst.severity


def test_no_rule_acts_on_spf_or_the_reverse_name_before_dmarc_could_speak(shipped: RuleSet) -> None:
    early = [rule for rule in shipped.rules if rule.stage < Stage.AUTHENTICATED]
    assert not [rule.id for rule in early for fact in rule.facts if fact.startswith(("spf.", "iprev."))]


def test_declared_facts_are_named_once_and_have_a_right_absent_value() -> None:
    names = [fact.name for fact in FACTS]
    assert sorted(names) == sorted(set(names))
    kinds = {FactType.STRING: str, FactType.NUMBER: int | float, FactType.BOOLEAN: bool, FactType.STRINGS: tuple}
    for fact in FACTS:
        assert fact.type is FactType.ADDRESS or isinstance(fact.absent, kinds[fact.type]), fact.name
        assert fact.name.replace(".", "").isidentifier()


def test_example_of_several_words_may_have_only_those_of_the_fact(tmp_path: Path) -> None:
    rule = "[[rule]]\nid = 'x'\nwhy = 'x'\nwhen = '\"expired\" in dkim.failures'\nthen = 'tag'\n"
    example = "example = [{{match=true, facts={{dkim.failures=['no-key', '{word}']}}}}]\n"
    for word in ("expired", "expird"):
        (tmp_path / "site.toml").write_text(rule + example.format(word=word))
        problems = [str(problem) for problem in _problems(tmp_path)]
        assert bool(problems) is (word == "expird")
        assert all('dkim.failures never has "expird" (did you mean "expired"?)' in problem for problem in problems)


def _problems(directory: Path) -> tuple[Problem, ...]:
    try:
        load([directory], FACTS)
    except RulesError as error:
        return error.problems
    return ()
