"""The looking-up half of DMARC: turns names into what DNS has of them (RFC 9989 section 4.10)."""

from collections.abc import Sequence

from gateway.checks.dmarc.record import Psd, the_record
from gateway.checks.dmarc.tree import Published, Walk
from gateway.system.dns import Answer, Resolver, Status


async def walk(resolver: Resolver, names: Sequence[str]) -> Walk:
    """Look for a policy record at each of `names`, until one says what the domain is (psd)."""
    found: list[Published] = []
    for name in names:
        answer = await _ask(resolver, f"_dmarc.{name}", "TXT")
        if answer.is_temporary:
            return Walk(start=names[0], found=tuple(found), complete=False)
        record = the_record(answer.records)
        if record:
            found.append(Published(domain=name, record=record))
            if record.psd is not Psd.UNKNOWN:
                break
    return Walk(start=names[0], found=tuple(found), complete=True)


async def exists(resolver: Resolver, domain: str) -> bool | None:
    """Whether the domain exists in the sense of RFC 8020 (RFC 9989 section 3.2.13); None where that is not known
    now."""
    answer = await _ask(resolver, domain, "A")
    return None if answer.is_temporary else answer.status is not Status.NXDOMAIN


async def _ask(resolver: Resolver, name: str, rrtype: str) -> Answer:
    return resolver.cached(name, rrtype) or await resolver.query(name, rrtype)
