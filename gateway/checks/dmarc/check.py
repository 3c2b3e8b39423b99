"""The check "dmarc": finds the author domain's policy and what of it is authenticated (RFC 9989 section 5.3)."""

from collections.abc import Sequence

from gateway.checks.base import Subject
from gateway.checks.dmarc.identifiers import identifiers
from gateway.checks.dmarc.judge import Evidence, Identifier, judge, must_be_related
from gateway.checks.dmarc.lookup import exists, walk
from gateway.checks.dmarc.result import FACTS, DmarcResult, Status
from gateway.checks.dmarc.tree import Published, Walk, path
from gateway.domain import is_within
from gateway.system.dns import Resolver


class DmarcCheck:
    """Evaluates DMARC. To be asked when SPF and DKIM have answered."""

    name = "dmarc"
    facts = FACTS

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def __call__(self, subject: Subject) -> DmarcResult:
        author = subject.author.domain if subject.author else ""
        if not author:
            problem = subject.author.problem if subject.author else "there is no message"
            return DmarcResult(Status.PERMERROR, reason=problem)
        return await evaluate(self._resolver, author, identifiers(subject))


async def evaluate(resolver: Resolver, author: str, found: Sequence[Identifier]) -> DmarcResult:
    """Look up what `judge` needs, and judge. `author` and the domains of `found` are canonical."""
    own = await walk(resolver, path(author)[:1])
    whole = own if own.found or not own.complete else await walk(resolver, path(author))
    if not whole.complete:
        return DmarcResult(Status.TEMPERROR, author, reason="the policy record could not be looked up for now")
    policy = whole.policy
    if policy is None:
        return DmarcResult(Status.NONE, author)
    evidence = Evidence(
        author=author,
        policy=policy,
        related=await _related(resolver, author, whole, policy, found),
        exists=await _existence(resolver, author, policy),
    )
    return judge(evidence, found)


async def _related(
    resolver: Resolver, author: str, known: Walk, policy: Published, found: Sequence[Identifier]
) -> dict[str, bool | None]:
    """Whether the domains whose alignment hangs on it have the author's organizational domain. Of a domain that is not
    within it this is known without asking, so that foreign signatures cost no queries."""
    domains = dict.fromkeys(one.domain for one in found if must_be_related(one, author, policy.record))
    if not domains:
        return {}
    if policy.domain == author:  # then only the author domain itself has been asked for
        known = await walk(resolver, path(author))
    organizational = known.organizational_domain
    if organizational is None:
        return dict.fromkeys(domains)
    related: dict[str, bool | None] = {}
    for domain in domains:
        if is_within(domain, organizational):
            theirs = (await walk(resolver, path(domain))).organizational_domain
            related[domain] = None if theirs is None else theirs == organizational
    return related


async def _existence(resolver: Resolver, author: str, policy: Published) -> bool | None:
    """Whether the author domain exists; asked for only where the policy hangs on it (np)."""
    if policy.domain == author or policy.record.nonexistent is policy.record.subdomains:
        return True
    return await exists(resolver, author)
