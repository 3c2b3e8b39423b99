"""The looking-up half of DMARC: turns names into what DNS has of them (RFC 9989 section 4.10)."""

import asyncio

from gateway.checks.dmarc.tree import Step, Walk, step
from gateway.system.dns import NO_ANSWER, Answer, Resolver, Status


class ImpatientResolver:
    """A Resolver that has no answer any more once `seconds` have passed. A slow domain among several, or in front of
    others, must not keep DMARC from saying what it has found about the rest. Made inside a running event loop."""

    def __init__(self, resolver: Resolver, *, seconds: float) -> None:
        self._resolver = resolver
        self._ends = asyncio.get_running_loop().time() + seconds

    async def query(self, name: str, rrtype: str) -> Answer:
        try:
            async with asyncio.timeout_at(self._ends):
                return await self._resolver.query(name, rrtype)
        except TimeoutError:
            return NO_ANSWER

    def cached(self, name: str, rrtype: str) -> Answer | None:
        return self._resolver.cached(name, rrtype)


async def begin(resolver: Resolver, names: tuple[str, ...]) -> Walk:
    """Look for a policy record at the first of `names`, which is where most have one."""
    return Walk(names, (await _look(resolver, names[0]),))


async def walk(resolver: Resolver, names: tuple[str, ...], begun: Walk | None = None) -> Walk:
    """Look for a policy record at each of `names`, until one says what the domain is (psd)."""
    steps = list(begun.steps) if begun else [await _look(resolver, names[0])]
    while not steps[-1].ends_the_walk and len(steps) < len(names):
        steps.append(await _look(resolver, names[len(steps)]))
    return Walk(names, tuple(steps))


async def _look(resolver: Resolver, name: str) -> Step:
    place = f"_dmarc.{name}"
    return step(name, resolver.cached(place, "TXT") or await resolver.query(place, "TXT"))


async def exists(resolver: Resolver, domain: str) -> bool | None:
    """Whether the domain exists in the sense of RFC 8020 (RFC 9989 section 3.2.13); None where that is not known
    now."""
    answer = resolver.cached(domain, "A") or await resolver.query(domain, "A")
    return None if answer.is_temporary else answer.status is not Status.NXDOMAIN
