"""Account: the outcome of a replay to each rule that is read, with the value of each part of its condition; or to those
of which nobody knows whether they match. Pure."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from gateway.facts import Facts, Stage
from gateway.policy.language import Explained, explain
from gateway.policy.partial import value
from gateway.policy.replay import Outcome
from gateway.policy.rule import TOTAL, Rule
from gateway.policy.worlds import Undecidable


class Standing(StrEnum):
    """What became of a rule."""

    MATCH = "match"
    UNDECIDABLE = "undecidable"  # that depends on a fact which was not recorded
    NO_MATCH = "no match"


class Account(Struct, frozen=True):
    """A rule that was read."""

    rule: Rule
    standing: Standing
    parts: tuple[Explained, ...]


def accounts(outcome: Outcome) -> list[Account]:
    """Of the rules that are read: those that match first, each group in the order of reading."""
    facts = _known(outcome)
    found = [_account(rule, facts) for rule in _read(outcome)]
    return [account for standing in Standing for account in found if account.standing is standing]


def undecided(outcome: Outcome) -> list[Undecidable]:
    """Of the rules that are read, those of which nobody knows whether they match. Only those are looked at that read
    what is not known: this is done for every message of a journal."""
    facts = _known(outcome)
    doubtful = {undecidable.rule.id: undecidable.rule for undecidable in outcome.undecidable}
    if outcome.total is None and outcome.reached is Stage.SCORED:
        doubtful |= {rule.id: rule for rule in outcome.rules.on_total.rules}
    if any(hit.final for hit in outcome.verdict.hits):
        read = {rule.id for rule in _read(outcome)}
        doubtful = {name: rule for name, rule in doubtful.items() if name in read}
    found = []
    for rule in doubtful.values():
        unknown = _unknown(rule, facts)
        if value(rule.condition.whole, facts, unknown) is None:
            found.append(Undecidable(rule, tuple(sorted(unknown))))
    return found


def _account(rule: Rule, facts: Facts) -> Account:
    standing = _STANDINGS[value(rule.condition.whole, facts, _unknown(rule, facts))]
    return Account(rule, standing, explain(rule.condition, facts))


def _unknown(rule: Rule, facts: Facts) -> frozenset[str]:
    return frozenset(name for name in rule.condition.facts if name not in facts)


_STANDINGS = {True: Standing.MATCH, False: Standing.NO_MATCH, None: Standing.UNDECIDABLE}


def _known(outcome: Outcome) -> Facts:
    return outcome.facts if outcome.total is None else {**outcome.facts, TOTAL.name: outcome.total}


def _read(outcome: Outcome) -> Iterator[Rule]:
    """None after a refusal at an earlier stage, and none after a final rule that matched."""
    for rule in outcome.rules.in_reading_order:
        if rule.stage > outcome.reached:
            return
        yield rule
        if rule.ends_the_reading and rule.id in outcome.verdict.rules:
            return
