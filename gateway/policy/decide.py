"""Decide: the rules and the facts of some stages, on top of what was decided before, to a verdict. Pure.

The most severe action among the matching rules decides. The order in which they are read matters for a final rule
alone, after which none is read. Rules in shadow mode are recorded and change nothing.
"""

from collections.abc import Iterable, Sequence
from itertools import compress

from msgspec.structs import replace

from gateway.facts import Facts, FactValue, Stage
from gateway.policy.rule import TOTAL, Reading, Rule, RuleSet
from gateway.policy.verdict import UNDECIDED, Action, Edits, Verdict

SPAM_SCORE = "spam.score"  # the fact that the total begins with


def decide(rules: RuleSet, stages: Iterable[Stage], facts: Facts, earlier: Verdict = UNDECIDED) -> Verdict:
    """What the rules of these stages, one after the other, make of the facts known by then.

    `earlier` is the verdict of the stages before: its hits, scores and action are carried on, and a rule that matched
    once is not counted again (rules of the RCPT stage run for each recipient).
    """
    return decide_on(rules, stages, {**rules.absent, **facts}, earlier)


def decide_on(rules: RuleSet, stages: Iterable[Stage], known: dict[str, FactValue], earlier: Verdict) -> Verdict:
    """As `decide`, on the absent facts too; the total is put among them. Dozens of rules are asked for each message,
    and hardly one matches, so they are asked at once: it is faster to ask those behind a final one too."""
    verdict = earlier
    for stage in stages:
        reading = rules.readings[stage]
        if reading.rules and any(held := reading.holding(known)):
            verdict = _matched(reading, held, known, verdict)
        if stage is Stage.SCORED:
            total = known[TOTAL.name] = _number(known.get(SPAM_SCORE, 0.0)) + verdict.score
            if any(held := rules.on_total.holding(known)):
                verdict = _matched(rules.on_total, held, known, verdict)
            verdict = replace(verdict, total=total)
    return verdict


def as_tag_only(verdict: Verdict) -> Verdict:
    """The verdict with anything more severe than a tag made a tag: in a panic, and for mail to postmaster and abuse."""
    return replace(verdict, action=Action.TAG, reply=None) if verdict.action.is_severe else verdict


def known_facts(rules: RuleSet, facts: Facts, verdict: Verdict) -> dict[str, FactValue]:
    """The facts as the rules saw them in the end, to explain their conditions by."""
    return {**rules.absent, **facts, TOTAL.name: verdict.total}


def _matched(reading: Reading, held: Sequence[bool], facts: Facts, verdict: Verdict) -> Verdict:
    """What the rules make of it that hold."""
    if verdict.hits and verdict.ends_the_reading:
        return verdict
    counted = _counted(list(compress(reading.rules, held)), verdict.rules if verdict.hits else ())
    return _judge(counted, facts, verdict) if counted else verdict


def _counted(matched: list[Rule], before: tuple[str, ...]) -> list[Rule]:
    """Those that did not match before, up to the first final one."""
    for place, rule in enumerate(matched):
        if rule.hit.ends_the_reading:
            del matched[place + 1 :]
            break
    return [rule for rule in matched if rule.hit.rule not in before] if before else matched


def _judge(matched: list[Rule], facts: Facts, earlier: Verdict) -> Verdict:
    hits = (*earlier.hits, *[rule.hit for rule in matched])
    enforced = [rule for rule in matched if rule.is_enforced]
    if not enforced:
        return replace(earlier, hits=hits)
    action, reply, template = earlier.action, earlier.reply, None
    for rule in enforced:
        asked = rule.action
        if asked and asked.severity > action.severity:
            action, reply, template = asked, None, rule.template
    return replace(
        _with_effects(earlier, [rule for rule in enforced if rule.has_effects], facts),
        action=action,
        reply=template.fill(facts) if template else reply,
        hits=hits,
        score=earlier.score + sum([rule.hit.score for rule in enforced]),
    )


def _with_effects(verdict: Verdict, rules: Iterable[Rule], facts: Facts) -> Verdict:
    """What rules do beside their actions. Of routes, as of prefixes, the first counts."""
    for rule in rules:
        effects = rule.effects
        added = tuple((name, text.fill(facts)) for name, text in effects.add)
        verdict = replace(
            verdict,
            edits=verdict.edits | Edits(added, frozenset(effects.remove), effects.prefix),
            unscanned_by=verdict.unscanned_by or (rule.id if effects.scan else ""),
            route=verdict.route or effects.route,
        )
    return verdict


def _number(value: FactValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
