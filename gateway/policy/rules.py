"""Rules: directories of rules files to the typed, compiled set of rules, or to every problem of every file."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from gateway.facts import Fact, Stage, absent_facts
from gateway.policy.effects import EFFECT_KEYS, LAST, Effects, EffectsReader
from gateway.policy.examples import parse_example
from gateway.policy.language import Condition, ConditionError, compile_condition, compile_together
from gateway.policy.lists import ListFiles
from gateway.policy.rule import TOTAL, Example, Reading, Rule, RuleSet
from gateway.policy.rulefile import Table, read_tables
from gateway.policy.template import Template, TemplateError, default_template, parse_template
from gateway.policy.verdict import Action, Hit, Mode
from gateway.tomlfile import Problem, did_you_mean

__all__ = ["STAGES", "RuleSet", "RulesError", "load", "rule_set"]

MAX_SCORE = 1000.0  # what spamd gives GTUBE; a larger one is a slip of the finger

STAGES: Mapping[str, Stage] = {stage.name.lower(): stage for stage in Stage}

_Word = TypeVar("_Word")
_Default = TypeVar("_Default")


class RulesError(Exception):
    """The rules cannot be used: all problems, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load(
    directories: Sequence[Path],
    declared: Iterable[Fact],
    *,
    lists: Sequence[Path] = (),
    routes: Collection[str] | None = None,
) -> RuleSet:
    """Read the shipped rules' directory, then the site's. Raises RulesError with every problem of every file.

    A directory that is not there is empty. Lists are looked for in lists/ of each, and then in the directories `lists`.
    `routes` are the names of next hops that rules may choose; None where they are not known.
    """
    by_name = {fact.name: fact for fact in (*declared, TOTAL)}
    files = ListFiles([*(directory / "lists" for directory in directories), *lists])
    tables, problems = read_tables(directories)
    rules = []
    for table in tables.values():
        reader = _Reader(table, by_name, files, routes)
        if reader.is_enabled:
            rules.append(reader.rule())
            problems += reader.problems
    if problems:
        raise RulesError(problems)
    return rule_set([rule for rule in rules if rule is not None], by_name, _digest(tables, files))


def rule_set(rules: Sequence[Rule], declared: Mapping[str, Fact], digest: str) -> RuleSet:
    """Sort rules by when they are read."""
    declared = {**declared, **{name: fact for rule in rules for name, fact in rule.condition.named.items()}}
    before_total = [rule for rule in rules if not rule.reads_total]
    return RuleSet(
        rules=tuple(rules),
        declared=declared,
        absent=absent_facts(declared.values()),
        readings={stage: _reading([rule for rule in before_total if rule.stage is stage]) for stage in Stage},
        on_total=_reading([rule for rule in rules if rule.reads_total]),
        reads={stage: frozenset().union(*(rule.facts for rule in rules if rule.stage <= stage)) for stage in Stage},
        digest=digest,
    )


def _reading(rules: Sequence[Rule]) -> Reading:
    return Reading(tuple(rules), compile_together([rule.condition for rule in rules]))


def _digest(tables: Mapping[str, Table], lists: ListFiles) -> str:
    written = [{key: value.value for key, value in table.values.items()} for table in tables.values()]
    return sha256(json.dumps([written, lists.digests], sort_keys=True, default=str).encode()).hexdigest()[:12]


class _Reader:
    """Turns one table into a rule. It goes on after a problem, to find the others."""

    def __init__(
        self, table: Table, declared: Mapping[str, Fact], lists: ListFiles, routes: Collection[str] | None
    ) -> None:
        self.problems: list[Problem] = []
        self._table = table
        self._values = table.values
        self._declared = declared
        self._lists = lists
        self._routes = routes

    @property
    def is_enabled(self) -> bool:
        enabled = self._values.get("enabled")
        return enabled is None or bool(enabled.value)

    def rule(self) -> Rule | None:
        """The rule, or None where problems were found."""
        self._check_keys()
        condition = self._condition()
        action = self._word("then", {action.value: action for action in Action}, None)
        stage = self._stage(condition)
        template = self._template(action, stage) if action else None
        mode = self._word("mode", {mode.value: mode for mode in Mode}, Mode.ENFORCE)
        score = self._score(condition)
        final = self._final(action)
        effects = self._effects(stage)
        examples = self._examples()
        if self.problems or condition is None or stage is None or not self._table.whole:
            return None
        why = self._values["why"].value
        return Rule(
            hit=Hit(self._table.id, why, mode, action, score, final),
            condition=condition,
            stage=stage,
            template=template,
            effects=effects,
            examples=examples,
            when=self._values["when"],
        )

    def _check_keys(self) -> None:
        if not self._table.whole:
            return  # what seems to be missing may be there, misspelled
        for key in ("why", "when"):
            if key not in self._values:
                self._problem(f'rule "{self._table.id}" needs "{key}"')
        if {"then", "score"} <= self._values.keys():
            self._problem("a rule has an action or a score, not both", "make two rules of it", key="score")
        if not ({"then", "score"} | EFFECT_KEYS) & self._values.keys():
            hint = f"or an effect: {', '.join(sorted(EFFECT_KEYS))}"
            self._problem(f'rule "{self._table.id}" does nothing, it needs "then" or "score"', hint)
        if "reply" in self._values and "then" not in self._values:
            self._problem("a rule that adds a score gives no reply", key="reply")

    def _problem(self, message: str, hint: str = "", *, key: str = "") -> None:
        where = self._values.get(key, self._table.here)
        self.problems.append(where.problem(message, hint))

    def _word(self, key: str, words: Mapping[str, _Word], default: _Default) -> _Word | _Default:
        if key not in self._values:
            return default
        word = self._values[key].value
        if word not in words:
            hint = did_you_mean(word, words) or f"it is one of {', '.join(words)}"
            self._problem(f'{key} is not "{word}"', hint, key=key)
        return words.get(word, default)

    def _condition(self) -> Condition | None:
        when = self._values.get("when")
        if when is None:
            return None
        try:
            condition = compile_condition(when.value, self._declared, self._lists)
        except ConditionError as error:
            self.problems += [when.problem_in_text(fault.offset, fault.message, fault.hint) for fault in error.faults]
            return None
        self._declared = {**self._declared, **condition.named}
        return condition

    def _stage(self, condition: Condition | None) -> Stage | None:
        """The earliest stage at which all facts of the condition are known, or a later one that is named; None where
        the condition is none."""
        facts = condition.facts if condition else ()
        earliest = max((self._declared[name].stage for name in facts), default=Stage.CONNECT)
        named = self._word("stage", STAGES, earliest)
        if condition is None:
            return None
        if named < earliest:
            late = next(name for name in facts if self._declared[name].stage is earliest)
            self._problem(f"{late} is known only at {earliest.name.lower()}", key="stage")
        return named

    def _template(self, action: Action, stage: Stage | None) -> Template | None:
        stage = LAST if stage is None else stage
        if "reply" not in self._values:
            return default_template(action, stage) if action.refuses else None
        try:
            return parse_template(self._values["reply"].value, action, stage, self._declared)
        except TemplateError as error:
            self._problem(str(error), error.hint, key="reply")
            return None

    def _score(self, condition: Condition | None) -> float:
        if "score" not in self._values:
            return 0.0
        score = self._values["score"].value
        if not -MAX_SCORE <= score <= MAX_SCORE:
            self._problem(f"a score lies between -{MAX_SCORE:g} and {MAX_SCORE:g}", key="score")
            return 0.0
        if condition and TOTAL.name in condition.facts:
            self._problem("a rule that reads the total cannot add to it", key="score")
        return float(score)

    def _effects(self, stage: Stage | None) -> Effects:
        reader = EffectsReader(stage, self._declared, self._routes)
        effects = reader.read(self._values)
        self.problems += reader.problems
        return effects

    def _final(self, action: Action | None) -> bool:
        final = "final" in self._values and bool(self._values["final"].value)
        if final and action is not Action.ACCEPT:
            self._problem('only a rule with then = "accept" can be final', key="final")
        return final

    def _examples(self) -> tuple[Example, ...]:
        examples = self._values.get("example")
        if examples is None:
            return ()
        parsed = [
            parse_example(examples, number, self._declared, self.problems) for number in range(len(examples.value))
        ]
        return tuple(example for example in parsed if example is not None)
