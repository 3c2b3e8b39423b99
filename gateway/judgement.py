"""Judgement: what is known of a message to the facts that rules read, and these to the verdict of the rules that its
recipients have. Nothing is asked here; the journey says when."""

from collections.abc import Sequence
from functools import lru_cache

from gateway.author import message_facts
from gateway.checks.base import Subject
from gateway.checks.run import Answers
from gateway.connection import FACTS as CONNECTION_FACTS
from gateway.connection import Connection
from gateway.envelope import FACTS as ENVELOPE_FACTS
from gateway.envelope import Envelope
from gateway.facts import Facts, FactValue, Stage, families
from gateway.headerfacts import header_facts
from gateway.parts import Parts
from gateway.policy.decide import as_tag_only, decide_on
from gateway.policy.profiles import PROFILE, Profiles
from gateway.policy.replay import as_scored
from gateway.policy.rule import RuleSet
from gateway.policy.verdict import UNDECIDED, Verdict
from gateway.policy.worlds import PHASES, Phase
from gateway.realm import is_role_account
from gateway.timefacts import FACTS as TIME_FACTS
from gateway.timefacts import time_facts

_OF_CONNECTION = families(fact.name for fact in CONNECTION_FACTS)
_OF_ENVELOPE = families(fact.name for fact in (*ENVELOPE_FACTS, PROFILE))
_OF_TIME = families(fact.name for fact in TIME_FACTS)
_PHASES_UNTIL = {phase[-1]: PHASES[: number + 1] for number, phase in enumerate(PHASES)}


def facts_of(parts: Parts, subject: Subject, answers: Answers) -> dict[str, FactValue]:
    """Everything that rules may read, as far as it is known."""
    facts = subject.connection.facts() | subject.envelope.facts()
    facts |= time_facts(parts.clock(), parts.zone)
    facts[PROFILE.name] = parts.profiles.name_for(_domain(subject.envelope))
    if subject.message and subject.author:
        facts |= message_facts(subject.message, subject.author)
        facts |= header_facts(subject.message, parts.reads)
    for result in answers.results.values():
        facts |= result.facts()
    return facts


def early_facts(
    parts: Parts, connection: Connection, envelope: Envelope, found: Sequence[Answers], read: frozenset[str]
) -> dict[str, FactValue]:
    """What is known before there is a message: of the families of the facts that are read, since every recipient is
    judged, and few rules are for that."""
    wanted = _families_of(read)
    facts: dict[str, FactValue] = {}
    if not wanted.isdisjoint(_OF_CONNECTION):
        facts |= connection.facts()
    if not wanted.isdisjoint(_OF_ENVELOPE):
        facts |= envelope.facts()
        facts[PROFILE.name] = parts.profiles.name_for(_domain(envelope))
    if not wanted.isdisjoint(_OF_TIME):
        facts |= time_facts(parts.clock(), parts.zone)
    for answers in found:
        for check, result in answers.results.items():
            if check in wanted:
                facts |= result.facts()
    return facts


def rules_for(profiles: Profiles, envelope: Envelope) -> RuleSet:
    """The rules for the recipients of a transaction, which are all of the same profile."""
    return profiles.rules_for(_domain(envelope)) if profiles.domains else profiles.default


def judge(parts: Parts, facts: Facts, envelope: Envelope, *, until: Stage) -> Verdict:
    """What the rules of all stages up to `until` decide. Mail to postmaster and abuse, and all mail while the panic
    switch is on, is tagged instead of refused or put away."""
    return _judged(parts, rules_for(parts.profiles, envelope), facts, envelope, _PHASES_UNTIL[until])


def judge_early(parts: Parts, connection: Connection, envelope: Envelope, found: Sequence[Answers]) -> Verdict:
    """As `judge` until RCPT, where there is no message yet."""
    rules = rules_for(parts.profiles, envelope)
    facts = early_facts(parts, connection, envelope, found, rules.reads[Stage.RCPT])
    return _judged(parts, rules, facts, envelope, _PHASES_UNTIL[Stage.RCPT])


def judge_scored(parts: Parts, facts: Facts, envelope: Envelope, verdict: Verdict) -> Verdict:
    """As `judge` until the last stage, on top of what it has decided on the same message until the one before."""
    return _judged(parts, rules_for(parts.profiles, envelope), facts, envelope, PHASES[-1:], verdict)


def judge_by_candidate(parts: Parts, facts: Facts, envelope: Envelope, *, until: Stage) -> Verdict | None:
    """What the candidate would decide on the same facts; None where there is none. It is recorded, never acted on."""
    if parts.candidate is None:
        return None
    return _judged(parts, rules_for(parts.candidate, envelope), facts, envelope, _PHASES_UNTIL[until])


def _judged(
    parts: Parts,
    rules: RuleSet,
    facts: Facts,
    envelope: Envelope,
    phases: Sequence[Phase],
    earlier: Verdict = UNDECIDED,
) -> Verdict:
    """What is refused in one phase comes to no later one. A candidate may refuse, or have spamd not asked, where the
    rules in force did not. `earlier` is the verdict of the phases before."""
    verdict = earlier
    known = {**rules.absent, **facts}
    for phase in phases:
        if verdict.unscanned_by and Stage.SCORED in phase:
            known = {**rules.absent, **as_scored(facts, verdict, rules)}
        verdict = decide_on(rules, phase, known, verdict)
        if verdict.reply and not _is_spared(parts, envelope):
            return verdict
    return as_tag_only(verdict) if verdict.action.is_severe and _is_spared(parts, envelope) else verdict


@lru_cache(8)
def _families_of(read: frozenset[str]) -> frozenset[str]:
    """Sets of rules are few, and read again and again; those before a reload make room."""
    return families(read)


def _is_spared(parts: Parts, envelope: Envelope) -> bool:
    return parts.panic.is_on() or any(is_role_account(recipient.address) for recipient in envelope.recipients)


def _domain(envelope: Envelope) -> str:
    """The domain of the first recipient, by which the profile is found."""
    return envelope.recipients[0].address.domain if envelope.recipients else ""
