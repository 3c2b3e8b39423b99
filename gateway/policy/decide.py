"""Decide: the rules and the facts of some stages, on top of what was decided before, to a verdict. Pure.

The most severe action among the matching rules decides. The order in which they are read matters for a final rule
alone, after which none is read. Rules in shadow mode are recorded and change nothing.
"""

from collections.abc import Collection, Sequence
from itertools import compress

from msgspec.structs import replace

from gateway.facts import Facts, FactValue, Stage
from gateway.policy.rule import TOTAL, Reading, Rule, RuleSet
from gateway.policy.verdict import UNDECIDED, Action, Edits, Mode, Verdict

SPAM_SCORE = "spam.score"  # the fact that the total begins with


def decide(rules: RuleSet, stages: Collection[Stage], facts: Facts, earlier: Verdict = UNDECIDED) -> Verdict:
    """What the rules of these stages, one after the other, make of the facts known by then.

    `earlier` is the verdict of the stages before: its hits, scores and action are carried on, and a rule that matched
    once is not counted again (rules of the RCPT stage run for each recipient).
    """
    return decide_on(rules, stages, {**rules.absent, **facts}, earlier)


def decide_on(rules: RuleSet, stages: Collection[Stage], known: dict[str, FactValue], earlier: Verdict) -> Verdict:
    """As `decide`, on the absent facts too; the total is put among them. Dozens of rules are asked for each message,
    and hardly one matches, so they are asked at once: it is faster to ask those behind a final one too."""
    verdict = earlier
    for stage in stages:
        reading = rules.readings[stage]
        if reading.rules and any(held := reading.holding(known)):
            verdict = _matched(reading, held, known, verdict)
    if Stage.SCORED not in stages:
        return verdict
    total = known[TOTAL.name] = _number(known.get(SPAM_SCORE, 0.0)) + verdict.score
    if any(held := rules.on_total.holding(known)):
        verdict = _matched(rules.on_total, held, known, verdict)
    return replace(verdict, total=total)


def as_tag_only(verdict: Verdict) -> Verdict:
    """The verdict with anything more severe than a tag made a tag: in a panic, and for mail to postmaster and abuse."""
    return replace(verdict, action=Action.TAG, reply=None) if verdict.action.is_severe else verdict


def known_facts(rules: RuleSet, facts: Facts, verdict: Verdict) -> dict[str, FactValue]:
    """The facts as the rules saw them in the end, to explain their conditions by."""
    return {**rules.absent, **facts, TOTAL.name: verdict.total}


def _matched(reading: Reading, held: Sequence[bool], facts: Facts, earlier: Verdict) -> Verdict:
    """What the rules make of it that hold and did not match before, up to the first final one."""
    if earlier.hits and earlier.ends_the_reading:
        return earlier
    verdict, action, reply, template, score = earlier, earlier.action, earlier.reply, None, 0.0
    hits = list(earlier.hits)
    for rule in compress(reading.rules, held):
        hit = rule.hit
        if hit in hits:
            continue
        hits.append(hit)
        if hit.mode is Mode.SHADOW:
            continue
        score += hit.score
        if hit.action and hit.action.severity > action.severity:
            action, reply, template = hit.action, None, rule.template
        if rule.has_effects:
            verdict = _with_effects(verdict, rule, facts)
        if hit.final:
            break
    reply = template.fill(facts) if template else reply
    return replace(verdict, action=action, reply=reply, hits=tuple(hits), score=earlier.score + score)


def _with_effects(verdict: Verdict, rule: Rule, facts: Facts) -> Verdict:
    """What a rule does beside its action. Of routes, as of prefixes, the first counts."""
    effects = rule.effects
    added = tuple((name, text.fill(facts)) for name, text in effects.add)
    return replace(
        verdict,
        edits=verdict.edits | Edits(added, frozenset(effects.remove), effects.prefix),
        unscanned_by=verdict.unscanned_by or (rule.id if effects.scan else ""),
        route=verdict.route or effects.route,
    )


def _number(value: FactValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
