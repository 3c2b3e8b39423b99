"""DNS out of a table: {("example.org", "TXT"): [b"v=spf1 -all"], ("broken.example", "A"): Status.SERVFAIL}.

Records are what a Resolver gives: str for A, AAAA, PTR and CNAME, (preference, host) for MX, bytes for TXT. A status in
their place is a fault. The same table feeds TableResolver, without any network, and dnsserver.DnsServer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.system.dns import IMPOSSIBLE, Answer, Status, is_name

TTL = 300
MAX_ALIASES = 16

Question = tuple[str, str]
Table = Mapping[Question, Sequence[Any] | Status]


@dataclass(frozen=True, slots=True)
class Found:
    """What a table says: the aliases that were followed, each with its target, and what stands at their end."""

    status: Status
    records: tuple[Any, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()


class Zone:
    """A table with its lookups: aliases are followed, their loops are SERVFAIL as with a recursive server; a name that
    has other records, or names below it, is NODATA; any other is NXDOMAIN."""

    def __init__(self, table: Table) -> None:
        self._table = {(name.lower(), rrtype): value for (name, rrtype), value in table.items()}
        self._names = {parent for name, _ in self._table for parent in _with_parents(name)}

    def find(self, name: str, rrtype: str) -> Found:
        aliases: list[tuple[str, str]] = []
        name = name.lower().removesuffix(".")
        while (value := self._table.get((name, rrtype))) is None and (name, "CNAME") in self._table:
            target = str(self._table[name, "CNAME"][0]).lower()
            aliases.append((name, target))
            name = target
            if len(aliases) > MAX_ALIASES:
                return Found(Status.SERVFAIL)
        if isinstance(value, Status):
            return Found(value, aliases=tuple(aliases))
        if value:
            return Found(Status.OK, tuple(value), tuple(aliases))
        return Found(Status.NODATA if name in self._names else Status.NXDOMAIN, aliases=tuple(aliases))


class TableResolver:
    """A Resolver whose answers stand in a table. With `warm` everything is in its cache; without, nothing is. Every
    answer that is not cached takes `delay` seconds, if one is given. `asked` lists the questions in their order."""

    def __init__(self, table: Table, *, warm: bool = False, delay: float | None = None) -> None:
        self._zone = Zone(table)
        self._warm = warm
        self._delay = delay
        self._answers: dict[Question, Answer] = {}
        self.asked: list[Question] = []

    async def query(self, name: str, rrtype: str) -> Answer:
        if self._delay is not None and not self._warm:
            await asyncio.sleep(self._delay)
        return self._look_up(name, rrtype)

    def cached(self, name: str, rrtype: str) -> Answer | None:
        return self._look_up(name, rrtype) if self._warm else None

    async def close(self) -> None:
        pass

    def _look_up(self, name: str, rrtype: str) -> Answer:
        question = (name.lower().removesuffix("."), rrtype)
        self.asked.append(question)
        if question not in self._answers:
            self._answers[question] = self._answer(question)
        return self._answers[question]

    def _answer(self, question: Question) -> Answer:
        if not is_name(question[0]):
            return IMPOSSIBLE
        found = self._zone.find(*question)
        return Answer(found.status, tuple(map(_folded, found.records)), float(TTL))


def _folded(record: Any) -> Any:
    """A record as a Resolver gives it, with its host name in lower case."""
    if isinstance(record, tuple):
        return (record[0], record[1].lower())
    return record.lower() if isinstance(record, str) else record


def _with_parents(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
