"""Lint: a set of rules that is right to what its author should think about again."""

from collections.abc import Iterator

from gateway.facts import Fact, FactType
from gateway.policy.examples import failures
from gateway.policy.idle import idle_rules
from gateway.policy.reach import impossible_parts, is_possible
from gateway.policy.reliance import is_undone_by, rests_on
from gateway.policy.rule import Rule, RuleSet
from gateway.policy.verdict import Action
from gateway.tomlfile import Problem

INDEFINITE = frozenset(
    {"temperror", "permerror", "unavailable", "undecided", "busy", "skipped", "exempt", "none", "neutral", "softfail"}
)
"""Words of results that are no reason to reject: the check had no answer, nothing to check, or no definite result."""

FAILURES = frozenset({"temperror", "unavailable", "busy"})
"""Words of results that say that the check had no answer."""


def lint(rules: RuleSet) -> tuple[Problem, ...]:
    """Warnings: what rejects without a definite fail, matches never or always, changes nothing, or is undone by a
    failure that no rule answers; examples that are missing or not kept."""
    warnings = [
        warning
        for rule in rules.rules
        for warning in (*_indefinite(rule, rules), *_impossible(rule, rules), *_certain(rule, rules), *_unproved(rule))
    ]
    return (*warnings, *_idle(rules), *_unanswered(rules), *failures(rules))


def _unproved(rule: Rule) -> Iterator[Problem]:
    if not rule.examples:
        yield rule.when.problem(f'rule "{rule.id}" has no example', "one that matches and one that does not")


def _indefinite(rule: Rule, rules: RuleSet) -> Iterator[Problem]:
    """A refusal for good needs a check that failed the message, not one that did not answer."""
    if rule.action is not Action.REJECT:
        return
    for fact in _word_facts(rule, rules):
        words = [
            word
            for word in fact.values
            if word in INDEFINITE and rests_on(rule.condition.whole, fact.name, word, rules.absent)
        ]
        if words:
            listed = " or ".join(f'"{word}"' for word in words)
            message = f'"{rule.id}" can reject where {fact.name} is {listed}'
            yield _problem_at(rule, fact, message, 'a definite fail is written == "fail"')


def _impossible(rule: Rule, rules: RuleSet) -> Iterator[Problem]:
    """A condition, or an alternative in it, that contradicts itself."""
    for part in impossible_parts(rule.condition.whole, rules.declared):
        is_whole = part is rule.condition.whole
        message = f'"{rule.id}" can never match' if is_whole else "this alternative can never hold"
        yield rule.when.problem_in_text(part.offset, message, "it contradicts itself")


def _certain(rule: Rule, rules: RuleSet) -> Iterator[Problem]:
    """A rule that is severe to every message."""
    if rule.action and rule.action.is_severe and rule.is_enforced:
        whole = rule.condition.whole
        if not is_possible([(whole, False)], rules.declared):
            yield rule.when.problem_in_text(whole.offset, f'"{rule.id}" matches every message', "it names no case")


def _idle(rules: RuleSet) -> Iterator[Problem]:
    """A rule that is never read because of a final one, or never decides because of a more severe one."""
    for idle in idle_rules(rules):
        what = "is never read" if idle.is_unread else "never decides"
        message = f'"{idle.rule.id}" {what}: "{idle.because.id}" matches wherever it would'
        yield idle.rule.when.problem(message, f"see {_place_of(idle.because)}")


def _unanswered(rules: RuleSet) -> Iterator[Problem]:
    """A check that a severe rule needs, and that can fail without any rule to say what follows."""
    told = set()
    for rule in rules.rules:
        if not rule.is_enforced or rule.action is None or not rule.action.is_severe:
            continue
        for fact in _word_facts(rule, rules):
            for word in fact.values:
                if word in FAILURES and (fact.name, word) not in told and _leaves_open(rule, fact, word, rules):
                    told.add((fact.name, word))
                    message = f'"{rule.id}" needs {fact.name}, and no rule says what follows where that is "{word}"'
                    yield _problem_at(rule, fact, message, 'then = "accept" says that nothing does')


def _leaves_open(rule: Rule, fact: Fact, word: str, rules: RuleSet) -> bool:
    return is_undone_by(rule.condition.whole, fact.name, word, rules.absent) and not any(
        other.is_enforced and rests_on(other.condition.whole, fact.name, word, rules.absent) for other in rules.rules
    )


def _word_facts(rule: Rule, rules: RuleSet) -> Iterator[Fact]:
    """The facts of a rule that have one of a few known words."""
    facts = (rules.declared[name] for name in rule.condition.facts)
    return (fact for fact in facts if fact.type is FactType.STRING and fact.values)


def _problem_at(rule: Rule, fact: Fact, message: str, hint: str) -> Problem:
    part = next(part for part in rule.condition.whole.leaves() if fact.name in part.facts)
    return rule.when.problem_in_text(part.offset, message, hint)


def _place_of(rule: Rule) -> str:
    return f"{rule.when.file.name}:{rule.when.file.place(rule.when.path).line}"
