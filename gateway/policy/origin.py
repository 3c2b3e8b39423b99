"""Origin: where one set of rules is read from."""

from collections.abc import Collection, Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gateway.facts import Fact
from gateway.policy.rule import RuleSet
from gateway.policy.rules import load


class Origin(Struct, frozen=True):
    """Directories of rules files, in the order in which they are read. Lists are looked for in the lists/ of each, and
    then in those of `lists`. `routes` are the next hops that rules may choose; None where they are not known."""

    directories: tuple[Path, ...]
    lists: tuple[Path, ...] = ()
    routes: Collection[str] | None = None

    def load(self, declared: Iterable[Fact]) -> RuleSet:
        """Raises RulesError with every problem."""
        return load(self.directories, declared, lists=self.lists, routes=self.routes)

    def with_more(self, directory: Path | None) -> "Origin":
        """The same and one more directory, if there is one."""
        return replace(self, directories=(*self.directories, directory)) if directory else self
