"""No condition that is taken raises on any facts: conditions on every fact that the gateway declares, and on any
values of their types; nor does a rule that says such values to the client or adds them to the message."""

import re
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.facts import Fact, FactType, Stage, absent_facts
from gateway.policy.decide import decide
from gateway.policy.functions import FUNCTIONS
from gateway.policy.language import ConditionError, compile_condition, compile_together, explain
from gateway.policy.rule import TOTAL, RuleSet
from gateway.policy.rules import load
from gateway.vocabulary import FACTS
from tests.support.rulefacts import written

DECLARED = {fact.name: fact for fact in (*FACTS, TOTAL)}
ABSENT = absent_facts(DECLARED.values())
LISTS = {"partners": frozenset({"example.org"}), "empty": frozenset[str]()}

_texts = st.text(max_size=20) | st.sampled_from(["", "a@b@c", ".", "..", "example.org", "\x00", "\ud800", "ß" * 300])
_VALUES: dict[FactType, st.SearchStrategy[Any]] = {
    FactType.STRING: _texts,
    FactType.NUMBER: st.integers() | st.floats(),
    FactType.BOOLEAN: st.booleans(),
    FactType.STRINGS: st.lists(_texts, max_size=4).map(tuple),
    FactType.ADDRESS: st.ip_addresses() | st.sampled_from([ip_address("::ffff:192.0.2.1"), ip_address("::")]),
}


def _leaves(fact: Fact) -> list[str]:
    name = fact.name
    word = fact.values[0] if fact.values else "2026-12-24"  # it may be any of them, however they are spelled
    texts = [f"{call}({name}, 'x')" for call in ("under", "startswith", "endswith")]
    texts += [f"matches({name}, r'^(?i)[a-z.]+$')", f"len({name}) > 1", f"under({name}, listed('partners', 'empty'))"]
    forms = {
        FactType.STRING: [
            f"{name} == '{word}'",
            f"{name} not in ('{word}',)",
            f"'x' in {name}",
            f"{name} in listed('empty')",
            f"domain(lower({name})) != 'x'",
            *texts,
        ],
        FactType.NUMBER: [f"{name} > 3", f"-1 <= {name} < 7.5", f"{name} in (1, 2.5)", f"{name} != {name}"],
        FactType.BOOLEAN: [name, f"{name} == True", f"not {name}"],
        FactType.STRINGS: [f"'{word}' in {name}", f"'{word}' not in {name}", *texts],
        FactType.ADDRESS: [
            f"{name} in net('192.0.2.0/24', '2001:db8::/32')",
            f"{name} not in net('0.0.0.0/0', '::/0')",
        ],
    }
    return forms[fact.type]


_LEAVES = [leaf for fact in DECLARED.values() for leaf in _leaves(fact)]
_LEAVES += ["'x' in header('X-A')", "matches(header('x-a'), r'.')", "len(header('X-B')) == 0"]
_conditions = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or", "and not", "or not"]), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=8,
)
_NAMED = ("header.x-a", "header.x-b")
_facts = st.fixed_dictionaries({}, optional={name: _VALUES[fact.type] for name, fact in DECLARED.items()})


def test_every_leaf_is_a_condition() -> None:
    for leaf in _LEAVES:
        compile_condition(leaf, DECLARED, LISTS)


def test_every_function_is_in_some_leaf() -> None:
    assert [name for name in FUNCTIONS if not any(f"{name}(" in leaf for leaf in _LEAVES)] == []


@given(_conditions, _facts, _VALUES[FactType.STRINGS])
@settings(max_examples=300, deadline=None)
def test_no_condition_raises(text: str, facts: dict[str, Any], values: tuple[str, ...]) -> None:
    try:
        condition = compile_condition(text, DECLARED, LISTS)
    except ConditionError as error:
        raise AssertionError(f"{text}: {error}") from error
    known = {**ABSENT, "header.x-a": values, "header.x-b": (), **facts}
    assert condition.holds(known) in (True, False)
    assert all(part.value in (True, False) for part in explain(condition, known))


@given(st.lists(_conditions, max_size=6), _facts, _VALUES[FactType.STRINGS])
@settings(max_examples=100, deadline=None)
def test_conditions_are_together_what_each_is_alone(
    texts: list[str], facts: dict[str, Any], values: tuple[str, ...]
) -> None:
    conditions = [compile_condition(text, DECLARED, LISTS) for text in texts]
    known = {**ABSENT, "header.x-a": values, "header.x-b": (), **facts}
    assert compile_together(conditions)(known) == tuple(condition.holds(known) for condition in conditions)


@cache
def saying() -> RuleSet:
    """A rule for each fact that says it to the client, and adds it to the message."""
    rules = (
        f'[[rule]]\nid = "r{number}"\nwhy = "x"\nwhen = "True"\nstage = "scored"\nthen = "reject"\n'
        f'reply = "5.7.1 no {{{name}}}"\nadd = {{ X-{number} = "{{{name}}}" }}'
        for number, name in enumerate(fact.name for fact in FACTS)
    )
    with TemporaryDirectory() as directory:
        return load([written(Path(directory), "\n".join(rules))], FACTS)


@given(_facts)
@settings(max_examples=40, deadline=None)
def test_no_rule_raises_and_what_it_says_is_printable(facts: dict[str, Any]) -> None:
    verdict = decide(saying(), (Stage.SCORED,), {name: value for name, value in facts.items() if name != TOTAL.name})
    assert len(verdict.hits) == len(saying().rules) == len(verdict.edits.added)
    said = [str(rule.template.fill({**ABSENT, **facts})) for rule in saying().rules if rule.template]
    assert all(re.fullmatch(r"550 5\.7\.1 no [\x20-\x7e]{,80}", line) for line in said)
    assert all(re.fullmatch(r"[\x20-\x7e]{,80}", value) for _, value in verdict.edits.added)


@given(_conditions, _facts)
@settings(max_examples=40, deadline=None)
def test_what_is_not_known_is_told_as_unknown(text: str, facts: dict[str, Any]) -> None:
    for part in explain(compile_condition(text, DECLARED, LISTS), facts):
        assert (part.value is None) is bool(part.unknown)
        assert {*part.unknown, *(name for name, _ in part.facts)} <= {*DECLARED, *_NAMED}
