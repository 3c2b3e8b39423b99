"""Decide: the rules and the facts of some stages, on top of what was decided before, to a verdict. Pure.

The most severe action among the matching rules decides. The order in which they are read matters for a final rule
alone, after which none is read. Rules in shadow mode are recorded and change nothing.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from gateway.facts import Facts, FactValue, Stage
from gateway.policy.rule import TOTAL, Rule, RuleSet
from gateway.policy.verdict import UNDECIDED, Action, Edits, Verdict

SPAM_SCORE = "spam.score"  # the fact that the total begins with


def decide(rules: RuleSet, stages: Iterable[Stage], facts: Facts, earlier: Verdict = UNDECIDED) -> Verdict:
    """What the rules of these stages, one after the other, make of the facts known by then.

    `earlier` is the verdict of the stages before: its hits, scores and action are carried on, and a rule that matched
    once is not counted again (rules of the RCPT stage run for each recipient).
    """
    return decide_on(rules, stages, {**rules.absent, **facts}, earlier)


def decide_on(rules: RuleSet, stages: Iterable[Stage], known: dict[str, FactValue], earlier: Verdict) -> Verdict:
    """As `decide`, on the absent facts too; the total is put among them."""
    verdict = earlier
    for stage in stages:
        if of_stage := rules.by_stage[stage]:
            verdict = _read(of_stage, known, verdict)
        if stage is Stage.SCORED:
            total = known[TOTAL.name] = _number(known.get(SPAM_SCORE, 0.0)) + verdict.score
            verdict = replace(_read(rules.on_total, known, verdict), total=total)
    return verdict


def as_tag_only(verdict: Verdict) -> Verdict:
    """The verdict with anything more severe than a tag made a tag: in a panic, and for mail to postmaster and abuse."""
    return replace(verdict, action=Action.TAG, reply=None) if verdict.action.is_severe else verdict


def known_facts(rules: RuleSet, facts: Facts, verdict: Verdict) -> dict[str, FactValue]:
    """The facts as the rules saw them in the end, to explain their conditions by."""
    return {**rules.absent, **facts, TOTAL.name: verdict.total}


def _read(rules: Sequence[Rule], facts: Facts, verdict: Verdict) -> Verdict:
    """Dozens of rules are asked for each message, and hardly one matches, so the way to each is short: it is faster to
    ask those behind a final one too."""
    matched = [rule for rule in rules if rule.holds(facts)]
    if not matched or verdict.ends_the_reading:
        return verdict
    counted = _counted(matched, verdict.rules)
    return _judge(counted, facts, verdict) if counted else verdict


def _counted(matched: list[Rule], before: tuple[str, ...]) -> list[Rule]:
    """Those that did not match before, up to the first final one."""
    for place, rule in enumerate(matched):
        if rule.ends_the_reading:
            del matched[place + 1 :]
            break
    return [rule for rule in matched if rule.hit.rule not in before] if before else matched


def _judge(matched: list[Rule], facts: Facts, earlier: Verdict) -> Verdict:
    hits = (*earlier.hits, *[rule.hit for rule in matched])
    enforced = [rule for rule in matched if rule.is_enforced]
    if not enforced:
        return replace(earlier, hits=hits)
    action, reply = earlier.action, earlier.reply
    worst = max(enforced, key=_severity)
    if worst.action and worst.action.severity > action.severity:
        action, reply = worst.action, worst.template.fill(facts) if worst.template else None
    return replace(
        _with_effects(earlier, [rule for rule in enforced if rule.has_effects], facts),
        action=action,
        reply=reply,
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


def _severity(rule: Rule) -> int:
    return rule.action.severity if rule.action else -1


def _number(value: FactValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
