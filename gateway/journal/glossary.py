"""Glossary: the facts that there were when a row was written, so that one that was declared later is known not to have
been recorded. Turns the declarations of facts into a text, and back."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from ipaddress import ip_address
from typing import Any, NamedTuple, Self

from gateway.facts import Fact, FactType, FactValue, Stage, plain

DIGEST_LENGTH = 16  # hexadecimal digits: there are a few dozen glossaries in the life of a journal


class Term(NamedTuple):
    """What a row needs to know of a fact."""

    type: str
    stage: int
    absent: Any  # as JSON has it


class Glossary:
    """The facts of one version of Mailward, by their names."""

    def __init__(self, terms: Mapping[str, Term]) -> None:
        self.terms = terms
        self._addresses = [name for name, term in terms.items() if term.type == FactType.ADDRESS]
        self._absent = {stage: self._absent_until(stage) for stage in Stage}
        self._grounds = {stage: self.restored(values) for stage, values in self._absent.items()}

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Self:
        """Without those that are found out on demand: where such a one is not in a row, nobody has asked for it."""
        always = (fact for fact in facts if not fact.on_demand)
        return cls({fact.name: Term(fact.type.value, int(fact.stage), plain(fact.absent)) for fact in always})

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls({name: Term(*term) for name, term in json.loads(text).items()})

    def to_text(self) -> str:
        return json.dumps(self.terms, separators=(",", ":"), sort_keys=True)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.to_text().encode()).hexdigest()[:DIGEST_LENGTH]

    def absent(self, settled: Stage) -> Mapping[str, Any]:
        """The facts up to that stage as they are where they do not apply, as JSON has them."""
        return self._absent[settled]

    def grounds(self, settled: Stage) -> Mapping[str, FactValue]:
        """The facts up to that stage as they are where they do not apply, as rules have them."""
        return self._grounds[settled]

    def restored(self, written: Mapping[str, Any]) -> dict[str, FactValue]:
        """Facts out of JSON. Those that are asked for by rules, such as the fields of a header, are in no glossary."""
        facts: dict[str, FactValue] = {
            name: tuple(value) if type(value) is list else value for name, value in written.items()
        }
        for name in self._addresses:
            if name in facts:
                facts[name] = ip_address(str(facts[name]))
        return facts

    def _absent_until(self, stage: Stage) -> dict[str, Any]:
        return {name: term.absent for name, term in self.terms.items() if term.stage <= stage}
