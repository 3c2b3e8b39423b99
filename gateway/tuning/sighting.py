"""Sighting: a message as statistics see it, made of what rules make of it. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from gateway.facts import Facts, Stage
from gateway.policy.account import undecided
from gateway.policy.decide import SPAM_SCORE
from gateway.policy.replay import SPAM_RESULT, Outcome
from gateway.policy.verdict import Action

SCORED = "scored"  # the word of spam.result where spamd gave a score
REQUIRED = "spam.required"


class Known(StrEnum):
    """What people say of a message."""

    HAM = "ham"
    SPAM = "spam"
    UNKNOWN = "unknown"  # nobody has said anything


class Sighting(Struct, frozen=True, kw_only=True):
    """One verdict: of a message, or of a recipient that a rule refused."""

    name: str  # by which people find the message: its id in the log, or its file
    known: Known
    hits: tuple[str, ...]  # the ids of the rules that matched, each once
    undecided: Mapping[str, tuple[str, ...]]  # rules that may have matched, and the facts that are not known
    action: Action | None  # None where it depends on such a rule
    decisive: str  # the rule that decided; "" where none asks for anything, or that is not certain
    score: float | None  # spamd's; None where there is none
    total: float | None  # that and the rules' scores; None where either is not known
    required: float | None  # the score from which spamd calls a message spam


def sighted(name: str, known: Known, outcome: Outcome) -> Sighting:
    """What statistics need of the outcome of a replay."""
    verdict, facts = outcome.verdict, outcome.facts
    decisive = verdict.decisive if outcome.is_certain else None
    unsure = {rule.id: facts for rule, facts in undecided(outcome)}
    is_scored = outcome.reached is Stage.SCORED and facts.get(SPAM_RESULT) == SCORED
    return Sighting(
        name=name,
        known=known,
        hits=tuple(rule for rule in dict.fromkeys(verdict.rules) if rule not in unsure),
        undecided=unsure,
        action=verdict.action if outcome.is_certain else None,
        decisive=decisive.rule if decisive else "",
        score=_number(facts, SPAM_SCORE) if is_scored else None,
        total=outcome.total if is_scored else None,
        required=_number(facts, REQUIRED) if is_scored else None,
    )


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else None
