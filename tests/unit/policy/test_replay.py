"""Replay: what rules make of recorded facts, and when that cannot be told."""

import random
from itertools import product
from pathlib import Path

import pytest

from gateway.facts import Facts, FactValue
from gateway.policy.account import Standing, accounts
from gateway.policy.profiles import Profiles
from gateway.policy.replay import Outcome, Recorded, Replay
from gateway.policy.rule import RuleSet
from gateway.policy.rules import load
from gateway.policy.verdict import Action
from gateway.vocabulary import FACTS
from tests.support.rulefacts import DECLARED, written

KNOWN: Facts = {fact.name: fact.absent for fact in FACTS} | {"spam.result": "scored"}


def tables(*texts: str) -> str:
    """Rules written as "when -> then" or "when -> score", with more keys after semicolons; r0, r1, ..."""
    rules = []
    for number, text in enumerate(texts):
        when, _, rest = text.partition(" -> ")
        what, *more = rest.split("; ")
        then = f'then = "{what}"' if what.isalpha() else f"score = {what}" if what else ""
        rules.append("\n".join([f"[[rule]]\nid = 'r{number}'\nwhy = 'x'", f"when = '''{when}'''", then, *more]))
    return "\n".join(rules)


def rules(directory: Path, *texts: str) -> RuleSet:
    return load([written(directory, tables(*texts))], FACTS)


def replayed(directory: Path, *texts: str, facts: Facts, panic: bool = False) -> Outcome:
    profiles = Profiles(default=rules(directory, *texts), named={}, domains={})
    return Replay(profiles).outcome(Recorded(facts=facts, panic=panic))


def facts(*unknown: str, **known: FactValue) -> dict[str, FactValue]:
    """Of a scored message, without those of these names; underscores stand for dots."""
    values = {name.replace("_", "."): value for name, value in known.items()}
    return {name: value for name, value in {**KNOWN, **values}.items() if name not in unknown}


def test_the_total_is_computed_anew(tmp_path: Path) -> None:
    outcome = replayed(
        tmp_path,
        'spf.result == "fail" -> 2.5',
        "total >= 5 -> quarantine",
        facts=facts(spf_result="fail", spam_score=2.5),
    )
    assert (outcome.verdict.action, outcome.verdict.total, outcome.is_certain) == (Action.QUARANTINE, 5.0, True)
    assert outcome.undecidable == ()


def test_a_total_that_is_just_a_threshold_is_known_where_everything_is(tmp_path: Path) -> None:
    outcome = replayed(tmp_path, "total >= 15 -> reject", facts=facts(spam_score=15.0))
    assert (outcome.total, [account.standing for account in accounts(outcome)]) == (15.0, [Standing.MATCH])


def test_a_rule_on_a_fact_that_was_not_recorded_is_undecidable_and_never_unmatched(tmp_path: Path) -> None:
    outcome = replayed(tmp_path, '"x" in header("X-Mailer") -> reject', facts=facts())
    assert not outcome.is_certain
    [(rule, names)] = outcome.undecidable
    assert (rule.id, names) == ("r0", ("header.x-mailer",))
    assert [account.standing for account in accounts(outcome)] == [Standing.UNDECIDABLE]


@pytest.mark.parametrize(
    "text",
    [
        '"x" in header("X-Mailer") -> tag',  # another one asks for more
        '"x" in header("X-Mailer") -> reject; mode = "shadow"',
        '"x" in header("X-Mailer") and spf.result == "fail" -> reject',  # it cannot match
        '"x" in header("X-Mailer") -> 1.5',  # not enough for the total
        '"x" in header("X-Mailer") -> ; add = { X-Class = "x" }',
        '"x" in header("X-Mailer") and total > 20 -> reject',
    ],
)
def test_where_it_can_change_nothing_the_verdict_is_certain_and_the_rule_is_told_nonetheless(
    tmp_path: Path, text: str
) -> None:
    outcome = replayed(
        tmp_path, text, "spam.score > 5 -> quarantine", "total >= 10 -> reject", facts=facts(spam_score=8.0)
    )
    assert (outcome.verdict.action, outcome.is_certain) == (Action.QUARANTINE, True)
    assert [rule.id for rule, _ in outcome.undecidable] == ["r0"]


@pytest.mark.parametrize(
    "text",
    [
        '"x" in header("X-Mailer") -> 2',  # enough for the total
        '"x" in header("X-Mailer") -> -6',
        '"x" in header("X-Mailer") -> accept; final = true',
        '"x" in header("X-Mailer") -> ; scan = "skip"',
        '"x" in header("X-Mailer") -> defer',
        '"x" in header("X-Mailer") and total > 7 -> reject',
    ],
)
def test_where_it_could_change_something_the_verdict_is_undecidable(tmp_path: Path, text: str) -> None:
    outcome = replayed(
        tmp_path,
        text,
        "total > 5 -> quarantine",
        "total >= 10 -> reject",
        facts=facts(spam_score=8.0),
    )
    assert not outcome.is_certain


def test_a_refusal_at_an_early_stage_needs_no_later_fact(tmp_path: Path) -> None:
    early = {"client.helo": "[", "spf.result": "fail", "recipients": ("a@example.org",)}
    outcome = replayed(
        tmp_path, 'client.helo == "[" -> reject', 'dkim.result == "fail" -> tag', "total > 5 -> reject", facts=early
    )
    assert (outcome.verdict.action, outcome.is_certain, outcome.undecidable) == (Action.REJECT, True, ())


def test_what_comes_after_a_refusal_that_is_gone_is_undecidable(tmp_path: Path) -> None:
    early = {"client.helo": "[", "spf.result": "fail", "recipients": ("a@example.org",)}
    outcome = replayed(tmp_path, "spam.score > 5 -> reject", "total > 5 -> reject", facts=early)
    assert not outcome.is_certain
    assert {rule.id: names for rule, names in outcome.undecidable} == {
        "r0": ("spam.score",),
        "r1": ("total",),
    }


@pytest.mark.parametrize(
    "recipient", ["postmaster@example.org", "abuse@example.org", '"ABUSE"@example.org', "postmaster"]
)
def test_mail_to_role_accounts_is_spared_as_it_was(tmp_path: Path, recipient: str) -> None:
    outcome = replayed(tmp_path, "spam.score > 5 -> reject", facts=facts(spam_score=8.0, recipients=(recipient,)))
    assert outcome.verdict.action is Action.TAG
    assert outcome.verdict.decisive is not None
    assert outcome.verdict.decisive.action is Action.REJECT


def test_mail_in_a_panic_is_spared_and_goes_on_after_an_early_refusal(tmp_path: Path) -> None:
    outcome = replayed(
        tmp_path,
        'client.helo == "[" -> reject',
        "spam.score > 5 -> tag",
        facts=facts(client_helo="[", spam_score=8.0),
        panic=True,
    )
    assert (outcome.verdict.action, outcome.verdict.rules) == (Action.TAG, ("r0", "r1"))


def test_a_message_that_was_not_scored_by_a_rule_is_undecidable_where_it_would_be_now(tmp_path: Path) -> None:
    exempt = facts(spam_result="exempt")
    assert not replayed(tmp_path, "spam.score > 5 -> reject", facts=exempt).is_certain
    skipping = 'spf.result == "none" -> ; scan = "skip"'
    assert replayed(tmp_path, skipping, "spam.score > 5 -> reject", facts=exempt).is_certain


def test_a_message_that_would_not_be_scored_any_more_has_no_score(tmp_path: Path) -> None:
    skipping = 'spf.result == "none" -> ; scan = "skip"'
    asking = 'spam.score > 5 or spam.result != "exempt" -> reject'
    outcome = replayed(tmp_path, skipping, asking, facts=facts(spam_score=8.0))
    assert (outcome.verdict.action, outcome.verdict.total, outcome.is_certain) == (Action.ACCEPT, 0.0, True)


def test_each_message_is_judged_by_the_rules_of_its_recipients_profile(tmp_path: Path) -> None:
    strict = load([written(tmp_path / "strict", tables('recipient.profile == "strict" -> reject'))], FACTS)
    profiles = Profiles(
        default=rules(tmp_path / "default", "spam.score > 5 -> tag"),
        named={"strict": strict},
        domains={"accounts.example": "strict"},
    )
    replay = Replay(profiles)
    for domain, action in (("accounts.example", Action.REJECT), ("example.org", Action.TAG)):
        recorded = Recorded(facts=facts(recipient_domain=domain, spam_score=8.0), panic=False)
        assert replay.outcome(recorded).verdict.action is action


def test_the_account_ends_with_what_ended_the_reading(tmp_path: Path) -> None:
    final = 'spf.result == "none" -> accept; final = true'
    outcome = replayed(tmp_path, "sender.null -> tag", final, "spam.score > 5 -> reject", facts=facts(spam_score=8.0))
    assert [(account.rule.id, account.standing.value) for account in accounts(outcome)] == [
        ("r1", "match"),
        ("r0", "no match"),
    ]


def test_the_account_has_no_rule_that_is_read_after_a_refusal(tmp_path: Path) -> None:
    refusing = 'spf.result == "none" -> reject'
    outcome = replayed(tmp_path, "spam.score > 5 -> tag", refusing, "total > 5 -> tag", facts=facts(spam_score=8.0))
    assert [account.rule.id for account in accounts(outcome)] == ["r1"]


def test_a_message_that_may_be_judged_in_too_many_ways_is_undecidable(tmp_path: Path) -> None:
    """Each of eight rules may add to the total or not; that no sum is the one asked for is not found out."""
    unknown = [f'"{number}" in header("X-A") -> 0.1' for number in range(8)]
    assert not replayed(tmp_path, *unknown, "total == 0.55 -> reject", facts=facts()).is_certain
    assert replayed(tmp_path, *unknown[:5], "total == 0.55 -> reject", facts=facts()).is_certain


def test_the_account_has_the_value_of_each_part_with_the_total(tmp_path: Path) -> None:
    outcome = replayed(
        tmp_path, 'total > 7 and (spf.result == "fail" or "x" in header("X-A")) -> tag', facts=facts(spam_score=8.0)
    )
    [account] = accounts(outcome)
    assert [(part.text, part.value, part.facts, part.unknown) for part in account.parts] == [
        ("total > 7", True, (("total", 8.0),), ()),
        ('spf.result == "fail"', False, (("spf.result", "none"),), ()),
        ('"x" in header("X-A")', None, (), ("header.x-a",)),
    ]


# What rules read in the comparison with all that the unknown facts may have been, and the values that tell apart.
OPEN: dict[str, tuple[FactValue, ...]] = {
    "sender.domain": ("", "a"),
    "author.domain": ("", "a"),
    "arc.trusted": (False, True),
    "spam.score": (0.0, 3.0),
}
LEAVES = ('sender.domain == "a"', 'author.domain == "a"', "arc.trusted", "spam.score > 2", "total > 2", "total > 4.5")
EFFECTS = ("tag", "quarantine", "defer", "reject", "accept; final = true", "1", "2", "-1.5", 'reject; mode = "shadow"')


def random_rule(chance: random.Random) -> str:
    parts = [f"{chance.choice(('', 'not '))}({chance.choice(LEAVES)})" for _ in range(chance.randint(1, 3))]
    when = chance.choice((" and ", " or ")).join(parts)
    return f"{when} -> {chance.choice(EFFECTS[:5] if 'total' in when else EFFECTS)}"


@pytest.mark.parametrize("seed", range(120))
def test_a_certain_verdict_holds_whatever_the_unknown_facts_were(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    texts = [random_rule(chance) for _ in range(6)]
    read = load([written(tmp_path, tables(*texts))], DECLARED)
    replay = Replay(Profiles(default=read, named={}, domains={}))
    ground = {fact.name: fact.absent for fact in DECLARED}
    unknown = chance.sample(sorted(OPEN), chance.randint(1, 2))
    for values in product(*(OPEN[name] for name in OPEN if name not in unknown)):
        known = ground | dict(zip([name for name in OPEN if name not in unknown], values, strict=True))
        outcome = replay.outcome(
            Recorded(facts={name: value for name, value in known.items() if name not in unknown}, panic=False)
        )
        possible = {
            replay.outcome(Recorded(facts=known | dict(zip(unknown, filling, strict=True)), panic=False)).verdict.action
            for filling in product(*(OPEN[name] for name in unknown))
        }
        if outcome.is_certain:
            assert possible == {outcome.verdict.action}, texts
