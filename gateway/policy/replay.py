"""Replay: the facts that were recorded of a message, and rules, to what these rules decide. Pure.

What was so at that moment stays: the panic switch, and that mail to postmaster and abuse is spared. Where a rule that
reads a fact which was not recorded could change the action, that is undecidable.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations

from msgspec import Struct

from gateway.authres.marks import EXEMPT
from gateway.envelope import PathError, parse_forward_path
from gateway.facts import Facts, FactValue, Stage
from gateway.policy.decide import SPAM_SCORE, as_tag_only
from gateway.policy.profiles import PROFILE, Profiles
from gateway.policy.rule import TOTAL, Rule, RuleSet
from gateway.policy.verdict import UNDECIDED, Verdict
from gateway.policy.worlds import PHASES, Phase, Undecidable, Worlds
from gateway.realm import is_role_account

MAX_WORLDS = 64  # that are tried for one message; beyond, its verdict is called undecidable

JUDGED = "dmarc.result"  # the fact that every message has which the rules were asked about
SPAM_RESULT = "spam.result"
NEVER_SCORED = "skipped"  # the word of spam.result where there is no scoring: rules change nothing about that


class Recorded(Struct, frozen=True, kw_only=True):
    """What is known of a message. A fact that is not there was not recorded."""

    facts: Facts
    panic: bool  # the switch was on


class Outcome(Struct, frozen=True, kw_only=True):
    """What rules make of it. `undecidable` are those that read facts which were not recorded."""

    rules: RuleSet
    facts: Facts  # as these rules would have seen them
    verdict: Verdict  # where it is undecidable, what it is if no rule matches of which nobody knows
    is_certain: bool
    undecidable: tuple[Undecidable, ...]
    reached: Stage  # the last one at which rules are read
    total: float | None  # None where it was not asked for, or may be another one to a rule that reads it


class Replay:
    """Judges recorded messages by these rules."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._worlds = {id(rules): Worlds(rules) for rules in profiles.all}

    def outcome(self, recorded: Recorded) -> Outcome:
        domain = str(recorded.facts.get("recipient.domain", ""))
        profile, rules = self._profiles.name_for(domain), self._profiles.rules_for(domain)
        course = _Course(self._worlds[id(rules)], recorded)
        facts = {**recorded.facts, PROFILE.name: profile} if self._profiles.domains else recorded.facts
        verdicts = course.verdicts(facts, UNDECIDED, PHASES)
        first = next(verdicts)
        is_certain = True
        for number, other in enumerate(verdicts):
            if other.action is not first.action or number == MAX_WORLDS:
                is_certain = False
                break
        return Outcome(
            rules=rules,
            facts=course.facts,
            verdict=first,
            is_certain=is_certain,
            undecidable=tuple(course.undecidable.values()),
            reached=course.reached,
            total=course.total(first),
        )


class _Course:
    """One message on its way through the stages, in every world that matters; it notes what it has met."""

    def __init__(self, worlds: Worlds, recorded: Recorded) -> None:
        self._worlds = worlds
        self._recorded = recorded
        self._slack = Slack()
        self._first: Verdict | None = None
        self.facts: Facts = recorded.facts
        self.undecidable: dict[str, Undecidable] = {}
        self.reached = Stage.CONNECT

    def verdicts(self, facts: Facts, earlier: Verdict, phases: tuple[Phase, ...]) -> Iterator[Verdict]:
        """What the rules of these phases may decide; first what they do where no rule matches of which nobody knows."""
        phase, later = phases[0], phases[1:]
        if phase[-1] is Stage.SCORED:
            facts = as_scored(facts, earlier, self._worlds.rules)
        least = self._worlds.decided(phase, facts, earlier)
        open_rules = self._open_rules(phase, facts, least)
        yield from self._going_on(facts, least, later)
        matter = [rule.id for rule in open_rules if self._matters(rule)]
        for matching in chain.from_iterable(combinations(matter, size + 1) for size in range(len(matter))):
            verdict = self._worlds.decided(phase, facts, earlier, frozenset(matching))
            yield from self._going_on(facts, verdict, later)

    def total(self, verdict: Verdict) -> float | None:
        is_known = self.reached is Stage.SCORED and self._is_total_firm(verdict, self.facts)
        return verdict.total if is_known else None

    def _going_on(self, facts: Facts, verdict: Verdict, later: tuple[Phase, ...]) -> Iterator[Verdict]:
        carried_out = _spared(verdict, self._recorded)
        if later and not carried_out.action.refuses:
            yield from self.verdicts(facts, verdict, later)
            return
        self._first = self._first or carried_out
        yield carried_out

    def _open_rules(self, phase: Phase, facts: Facts, least: Verdict) -> list[Rule]:
        """Of the rules of a phase, those of which nobody knows whether they match."""
        if phase[-1] > self.reached:
            self.reached, self.facts = phase[-1], facts
        unknown = self._worlds.unknown(phase, facts)
        if not unknown:
            return []
        for undecidable in self._worlds.undecidable(phase, unknown):
            self.undecidable.setdefault(undecidable.rule.id, undecidable)
        found = self._worlds.open_rules(phase, unknown, facts)
        if self._first is None:
            self._slack = self._slack.with_rules(found)
        if found and self._is_total_firm(least, facts):
            return self._worlds.open_rules(phase, unknown, {**facts, TOTAL.name: least.total})
        return found

    def _is_total_firm(self, verdict: Verdict, facts: Facts) -> bool:
        """Whether it is the same total to the rules that read it, whatever matches."""
        if self._slack.turns or SPAM_SCORE not in facts:
            return False
        if self._slack == NO_SLACK:
            return True
        return not self._worlds.tells_apart(verdict.total + self._slack.low, verdict.total + self._slack.high)

    def _matters(self, rule: Rule) -> bool:
        """Whether another action may come of it than the first that was found."""
        assert self._first is not None, "nothing was decided yet"
        if self._slack.turns:
            return True
        if rule.hit.score:
            return SPAM_SCORE in self.facts and not self._is_total_firm(self._first, self.facts)
        if rule.action is None:
            return False
        return rule.action.severity > self._first.action.severity or (
            rule.action.refuses and rule.action is not self._first.action
        )


class Slack(Struct, frozen=True):
    """What may come of rules of which nobody knows whether they match: how far the total may go down and up, and
    whether one may end the reading, or have a message not scored."""

    low: float = 0.0
    high: float = 0.0
    turns: bool = False

    def with_rules(self, rules: Sequence[Rule]) -> "Slack":
        scores = [rule.hit.score for rule in rules]
        return Slack(
            low=self.low + sum(score for score in scores if score < 0),
            high=self.high + sum(score for score in scores if score > 0),
            turns=self.turns or any(rule.ends_the_reading or bool(rule.effects.scan) for rule in rules),
        )


NO_SLACK = Slack()


def as_scored(facts: Facts, verdict: Verdict, rules: RuleSet) -> Facts:
    """The facts that there are at the last stage, where other rules than then may say that spamd is not asked. What it
    would have said of a message about which it was not asked is not known."""
    was = facts.get(SPAM_RESULT)
    if was == NEVER_SCORED or (was == EXEMPT) is bool(verdict.unscanned_by):
        return facts
    scoring = _of_scoring(rules)
    if verdict.unscanned_by:
        return {**facts, **scoring, SPAM_RESULT: EXEMPT}
    return {name: value for name, value in facts.items() if name not in scoring}


def _of_scoring(rules: RuleSet) -> Mapping[str, FactValue]:
    """What spamd says where it is not asked."""
    return {
        name: fact.absent for name, fact in rules.declared.items() if fact.stage is Stage.SCORED and name != TOTAL.name
    }


def _spared(verdict: Verdict, recorded: Recorded) -> Verdict:
    if not verdict.action.is_severe:
        return verdict
    return as_tag_only(verdict) if recorded.panic or is_to_role_account(recorded.facts) else verdict


def is_to_role_account(facts: Facts) -> bool:
    """Whether one of the recipients is postmaster or abuse; not where they were not recorded."""
    recipients = facts.get("recipients", ())
    return isinstance(recipients, tuple) and any(map(_is_role_account, recipients))


def _is_role_account(recipient: str) -> bool:
    try:
        return is_role_account(parse_forward_path(f"<{recipient}>"))
    except PathError:
        return False
