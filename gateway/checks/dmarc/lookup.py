"""The looking-up half of DMARC: turns names into what DNS has of them (RFC 9989 section 4.10)."""

import asyncio

from gateway.checks.dmarc.tree import Station, Walk, station
from gateway.system.dns import NO_ANSWER, Answer, Resolver, Status
from gateway.system.dnscache import Question
from gateway.system.together import together

SHARE = 1 / 3  # of the time for all lookups that one may take: a slow name must leave time for the one above it


class ImpatientResolver:
    """A Resolver that has no answer any more once `seconds` have passed. A slow domain among several, or in front of
    others, must not keep DMARC from saying what it has found about the rest; so one lookup has only a SHARE of them.
    What was answered is noted in `answers`, of a question that is asked twice the first time. Made inside a running
    event loop."""

    def __init__(self, resolver: Resolver, *, seconds: float) -> None:
        self._resolver = resolver
        self._clock = asyncio.get_running_loop().time
        self._ends = self._clock() + seconds
        self._share = seconds * SHARE
        self.answers: dict[Question, Answer] = {}

    async def query(self, name: str, rrtype: str) -> Answer:
        try:
            async with asyncio.timeout_at(min(self._ends, self._clock() + self._share)):
                answer = await self._resolver.query(name, rrtype)
        except TimeoutError:
            answer = NO_ANSWER
        self.answers.setdefault((name, rrtype), answer)
        return answer

    def cached(self, name: str, rrtype: str) -> Answer | None:
        answer = self._resolver.cached(name, rrtype)
        if answer is not None:
            self.answers.setdefault((name, rrtype), answer)
        return answer


async def begin(resolver: Resolver, names: tuple[str, ...]) -> Walk:
    """Look for a policy record at the first of `names`, which is where most have one."""
    return Walk(names, (await _look(resolver, names[0]),))


async def walk(resolver: Resolver, names: tuple[str, ...], begun: Walk | None = None) -> Walk:
    """Look for a policy record at each of `names`, until one says what the domain is (psd). One that cannot be looked
    up does not end it: RFC 9989 section 4.10.1 leaves that to us, and the policy of the organization stands above."""
    way = begun or await begin(resolver, names)
    while following := way.next_names:
        found = await together(_look(resolver, name) for name in following)
        way = Walk(names, (*way.stations, *found))
    return way


async def _look(resolver: Resolver, name: str) -> Station:
    place = f"_dmarc.{name}"
    return station(name, resolver.cached(place, "TXT") or await resolver.query(place, "TXT"))


async def exists(resolver: Resolver, domain: str) -> bool | None:
    """Whether the domain exists in the sense of RFC 8020 (RFC 9989 section 3.2.13); None where that is not known
    now."""
    answer = resolver.cached(domain, "A") or await resolver.query(domain, "A")
    return None if answer.is_temporary else answer.status is not Status.NXDOMAIN
