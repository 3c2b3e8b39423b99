"""Examples: the `example` tables of a rule to typed facts, and each to whether the rule does what it says."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from gateway.facts import Fact, FactType, FactValue
from gateway.policy.language import Explained, explain
from gateway.policy.rule import Example, Rule, RuleSet
from gateway.policy.rulefile import Value
from gateway.policy.spelling import objection
from gateway.tomlfile import Path, Problem, did_you_mean

_KEYS = ("facts", "match")

_NOUNS: Mapping[FactType, str] = {
    FactType.STRING: "a text",
    FactType.NUMBER: "a number",
    FactType.BOOLEAN: "true or false",
    FactType.STRINGS: "an array of texts",
    FactType.ADDRESS: "an IP address, as a text",
}


def parse_example(
    examples: Value, number: int, declared: Mapping[str, Fact], problems: list[Problem]
) -> Example | None:
    """The example of that number, or None where problems were found and noted."""
    here = examples.within(number)
    found = _example_problems(here)
    facts, wrong = ({}, []) if found else read_facts(here.within("facts"), declared)
    problems += [*found, *wrong]
    return None if found or wrong else Example(facts=facts, match=here.value["match"], here=here)


def read_facts(here: Value, declared: Mapping[str, Fact]) -> tuple[dict[str, FactValue], list[Problem]]:
    """A table of facts as checks would report them, and what is wrong with it."""
    facts: dict[str, FactValue] = {}
    problems = []
    for name, value, path in _flat(here.value, ()):
        if problem := _fact_problem(declared, name, value):
            problems.append(here.file.problem((*here.path, *path), *problem))
        else:
            facts[name] = _typed(declared[name], value)
    return facts, problems


def failures(rules: RuleSet) -> tuple[Problem, ...]:
    """Every example whose rule does not do what it says, with the parts of the condition that made it so."""
    return tuple(
        _failure(rule, example, rules)
        for rule in rules.rules
        for example in rule.examples
        if rule.condition.holds({**rules.absent, **example.facts}) is not example.match
    )


def _failure(rule: Rule, example: Example, rules: RuleSet) -> Problem:
    parts = explain(rule.condition, {**rules.absent, **example.facts})
    said, does = ("matches", "does not") if example.match else ("does not match", "does")
    return example.here.problem(f'example says that "{rule.id}" {said}, it {does}', "; ".join(map(shown, parts)))


def shown(part: Explained) -> str:
    """A part of a condition with its value and the facts that made it so."""
    facts = ", ".join(f"{name} = {value!r}" for name, value in part.facts)
    return f"{part.text} is {str(part.value).lower()}{f' with {facts}' if facts else ''}"


def _example_problems(here: Value) -> list[Problem]:
    if not isinstance(here.value, dict):
        return [here.problem("an example is a table", "such as { facts = { ... }, match = true }")]
    problems = [
        here.file.problem((*here.path, key), f'unknown key "{key}"', did_you_mean(key, _KEYS))
        for key in here.value
        if key not in _KEYS
    ]
    if not isinstance(here.value.get("match"), bool):
        problems.append(here.problem("an example needs match = true or match = false"))
    if not isinstance(here.value.get("facts"), dict):
        problems.append(here.problem("an example needs a table of facts"))
    return problems


def _flat(table: Mapping[str, Any], path: Path) -> list[tuple[str, Any, Path]]:
    """Facts by their full name, whether written "spf.result" = "fail" or spf.result = "fail"."""
    flat = []
    for key, value in table.items():
        if isinstance(value, dict):
            flat += [(f"{key}.{name}", inner, deeper) for name, inner, deeper in _flat(value, (*path, key))]
        else:
            flat.append((key, value, (*path, key)))
    return flat


def _fact_problem(declared: Mapping[str, Fact], name: str, value: Any) -> tuple[str, str] | None:
    fact = declared.get(name)
    if fact is None:
        return f'unknown fact "{name}"', did_you_mean(name, declared)
    try:
        _typed(fact, value)
    except (TypeError, ValueError):
        return f"{name} is {_NOUNS[fact.type]}", ""
    stated = value if isinstance(value, list) else [value]
    said = "never has" if isinstance(value, list) else "is never"
    for word in stated if fact.type in (FactType.STRING, FactType.STRINGS) else ():
        if advice := objection(fact, word):
            return f'{name} {said} "{word}"', advice
    return None


def _typed(fact: Fact, value: Any) -> FactValue:
    """The value of a fact as TOML has it, as checks would report it. Raises TypeError or ValueError."""
    if fact.type is FactType.ADDRESS and isinstance(value, str):
        return ip_address(value)
    if fact.type is FactType.STRINGS and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if fact.type is FactType.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if (fact.type is FactType.STRING and isinstance(value, str)) or (
        fact.type is FactType.BOOLEAN and isinstance(value, bool)
    ):
        return value
    raise TypeError(fact.name)
