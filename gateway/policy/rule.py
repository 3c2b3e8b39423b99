"""Rule: one rule of the rules files, typed and compiled, and the set of those in force."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.facts import Fact, FactType, FactValue, Stage
from gateway.policy.language import Condition
from gateway.policy.rulefile import Value
from gateway.policy.template import Template
from gateway.policy.verdict import Action, Hit, Mode

TOTAL = Fact(
    "total",
    FactType.NUMBER,
    Stage.SCORED,
    "spamd's score and the scores of all matching rules; rules that read it add none themselves",
    0.0,
)

FACTS = (TOTAL,)


@dataclass(frozen=True, slots=True)
class Example:
    """Facts, those not named being absent, and whether the rule matches them."""

    facts: Mapping[str, FactValue]
    match: bool
    here: Value


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: where its condition holds, it is a hit. `template` is set where its action refuses."""

    hit: Hit
    condition: Condition
    stage: Stage
    template: Template | None
    examples: tuple[Example, ...]
    when: Value  # the condition as it is written, for problems that are found later

    @property
    def id(self) -> str:
        return self.hit.rule

    @property
    def action(self) -> Action | None:
        return self.hit.action

    @property
    def is_enforced(self) -> bool:
        return self.hit.mode is Mode.ENFORCE

    @property
    def ends_the_reading(self) -> bool:
        return self.hit.final and self.is_enforced

    @property
    def reads_total(self) -> bool:
        return TOTAL.name in self.condition.facts


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force, in the order in which they are read."""

    rules: tuple[Rule, ...]
    declared: Mapping[str, Fact]
    absent: Mapping[str, FactValue]  # every declared fact where it is absent
    by_stage: Mapping[Stage, tuple[Rule, ...]]  # without those that read the total
    on_total: tuple[Rule, ...]
    digest: str  # of the files that the set was read from: the version in force
