"""Lint: a set of rules that is right to what its author should think about again."""

from collections.abc import Iterator

from gateway.facts import Fact, FactType, FactValue
from gateway.policy.examples import failures
from gateway.policy.language import Operator, Part
from gateway.policy.rule import Rule, RuleSet
from gateway.policy.verdict import Action
from gateway.tomlfile import Problem

INDEFINITE = frozenset({"temperror", "permerror", "unavailable", "busy", "skipped", "none", "neutral", "softfail"})
"""Words of results that are no reason to reject: the check had no answer, nothing to check, or no definite result."""


def lint(rules: RuleSet) -> tuple[Problem, ...]:
    """Warnings: rules that reject without a definite fail, examples that are missing or not kept."""
    warnings = [warning for rule in rules.rules for warning in (*_indefinite(rule, rules), *_unproved(rule))]
    return (*warnings, *failures(rules))


def _unproved(rule: Rule) -> Iterator[Problem]:
    if not rule.examples:
        yield rule.when.problem(f'rule "{rule.id}" has no example', "one that matches and one that does not")


def _indefinite(rule: Rule, rules: RuleSet) -> Iterator[Problem]:
    """A refusal for good needs a check that failed the message, not one that did not answer."""
    if rule.action is not Action.REJECT:
        return
    for name in rule.condition.facts:
        fact = rules.declared[name]
        words = [
            word for word in fact.values if word in INDEFINITE and _rests_on(rule.condition.whole, fact, word, rules)
        ]
        if fact.type is FactType.STRING and words:
            part = next(part for part in rule.condition.whole.leaves() if name in part.facts)
            listed = " or ".join(f'"{word}"' for word in words)
            message = f'"{rule.id}" can reject where {name} is {listed}'
            yield rule.when.problem_in_text(part.offset, message, 'a definite fail is written == "fail"')


def _rests_on(whole: Part, fact: Fact, word: str, rules: RuleSet) -> bool:
    """Whether the condition can hold with that word, and the word is what makes a part of it hold."""
    facts = {**rules.absent, fact.name: word}
    return _value(whole, fact.name, facts) is not False and _speaks_for(whole, fact.name, facts, wanted=True)


def _value(part: Part, name: str, facts: dict[str, FactValue]) -> bool | None:
    """The value of a part if the fact of that name alone is known; None where that does not settle it."""
    if part.operator is Operator.NONE:
        return part.holds(facts) if part.facts == (name,) else None
    values = [_value(inner, name, facts) for inner in part.parts]
    if part.operator is Operator.NOT:
        return None if values[0] is None else not values[0]
    settling = part.operator is Operator.OR
    if settling in values:
        return settling
    return None if None in values else not settling


def _speaks_for(part: Part, name: str, facts: dict[str, FactValue], *, wanted: bool) -> bool:
    """Whether some comparison of the fact comes out as the condition needs it (`wanted`: turned round by each not)."""
    if part.operator is Operator.NONE:
        return part.facts == (name,) and part.holds(facts) is wanted
    inner_wanted = not wanted if part.operator is Operator.NOT else wanted
    return any(_speaks_for(inner, name, facts, wanted=inner_wanted) for inner in part.parts)
