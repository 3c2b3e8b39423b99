"""Profiles: the domain of a recipient to the set of rules that judges its mail. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from gateway.domain import configured_for
from gateway.facts import Fact, FactType, Stage
from gateway.policy.rule import RuleSet

PROFILE = Fact(
    "recipient.profile",
    FactType.STRING,
    Stage.RCPT,
    "The profile of the first recipient's domain; empty where it has none. All recipients of a message have the same",
    "",
)

FACTS = (PROFILE,)


class Profiles(Struct, frozen=True):
    """The sets of rules in force."""

    default: RuleSet
    named: Mapping[str, RuleSet]  # by the name of their profile
    domains: Mapping[str, str]  # the name of the profile by the domain as it is configured

    def name_for(self, domain: str) -> str:
        """The name of a domain's profile; "" without one."""
        return (configured_for(domain, self.domains) or "") if self.domains else ""

    def rules_for(self, domain: str) -> RuleSet:
        return self.named.get(self.name_for(domain), self.default)

    @property
    def all(self) -> tuple[RuleSet, ...]:
        return self.default, *self.named.values()

    @property
    def digests(self) -> dict[str, str]:
        """The versions in force, by the name of the profile; "" for the mail that has none."""
        return {"": self.default.digest, **{name: rules.digest for name, rules in self.named.items()}}

    @property
    def reads(self) -> frozenset[str]:
        """Every fact that some rule reads."""
        return frozenset().union(*(rules.reads[Stage.SCORED] for rules in self.all))

    @property
    def routes(self) -> frozenset[str]:
        """Every route that some rule may choose."""
        return frozenset().union(*(rules.routes for rules in self.all))
