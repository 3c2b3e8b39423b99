"""Rule: one rule of the rules files, typed and compiled, and the set of those in force."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from gateway.facts import Fact, Facts, FactType, FactValue, Stage
from gateway.policy.effects import NO_EFFECTS, Effects
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


class Example(Struct, frozen=True):
    """Facts, those not named being absent, and whether the rule matches them."""

    facts: Mapping[str, FactValue]
    match: bool
    here: Value


class Rule(Struct, frozen=True):
    """One rule: where its condition holds, it is a hit. `template` is set where its action refuses."""

    hit: Hit
    condition: Condition
    stage: Stage
    template: Template | None
    effects: Effects
    examples: tuple[Example, ...]
    when: Value  # the condition as it is written, for problems that are found later

    @property
    def id(self) -> str:
        return self.hit.rule

    @property
    def action(self) -> Action | None:
        return self.hit.action

    @property
    def has_effects(self) -> bool:
        """It does more than its action says."""
        return self.effects != NO_EFFECTS

    @property
    def asks_for(self) -> str:
        """Its action or score, and its effects, for people."""
        what = (self.action.value,) if self.action else (f"{self.hit.score:+g}",) if self.hit.score else ()
        return ", ".join((*what, *self.effects.words())) or "nothing"

    @property
    def is_enforced(self) -> bool:
        return self.hit.mode is Mode.ENFORCE

    @property
    def ends_the_reading(self) -> bool:
        return self.hit.ends_the_reading

    @property
    def reads_total(self) -> bool:
        return TOTAL.name in self.condition.facts

    @property
    def facts(self) -> frozenset[str]:
        """What it reads, in its condition and for its texts."""
        return self.effects.facts.union(self.condition.facts, self.template.facts if self.template else ())


class Reading(Struct, frozen=True):
    """Rules that are asked at once, in their order. `holding` says of each whether its condition holds."""

    rules: tuple[Rule, ...]
    holding: Callable[[Facts], Sequence[bool]]


class RuleSet(Struct, frozen=True):
    """The rules in force, in the order in which they are read."""

    rules: tuple[Rule, ...]
    declared: Mapping[str, Fact]
    absent: Mapping[str, FactValue]  # every declared fact where it is absent
    readings: Mapping[Stage, Reading]  # of every stage, without the rules that read the total
    on_total: Reading
    reads: Mapping[Stage, frozenset[str]]  # the facts that rules of a stage, or of one before it, read
    digest: str  # of the files that the set was read from: the version in force

    @property
    def in_reading_order(self) -> list[Rule]:
        """By stage; those that read the total come last."""
        return [*(rule for reading in self.readings.values() for rule in reading.rules), *self.on_total.rules]

    @property
    def routes(self) -> frozenset[str]:
        """The names of the next hops that rules choose."""
        return frozenset(rule.effects.route for rule in self.rules if rule.effects.route)
