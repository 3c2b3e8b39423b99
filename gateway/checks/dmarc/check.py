"""The check "dmarc": finds the author domain's policy and what of it is authenticated (RFC 9989 section 5.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.author import Author
from gateway.checks.base import Subject
from gateway.checks.dmarc.alignment import Identifier, Mechanism, must_be_related
from gateway.checks.dmarc.grounds import Grounds
from gateway.checks.dmarc.identifiers import identifiers
from gateway.checks.dmarc.judge import NO_POLICY_FOR_NOW, Evidence, judge
from gateway.checks.dmarc.lookup import ImpatientResolver, begin, exists, walk
from gateway.checks.dmarc.result import FACTS, DmarcResult, Status
from gateway.checks.dmarc.several import strictest
from gateway.checks.dmarc.tree import Published, Walk, path
from gateway.domain import is_within
from gateway.system.conclusions import Conclusions
from gateway.system.dns import Resolver
from gateway.system.together import together

CONCLUSIONS = 1000  # author domains, each with what SPF and DKIM found; of at most some 20 KB each, most of 3 KB
MAX_FOUND = 8  # identifiers of a conclusion that is kept

Found = tuple[Identifier, ...]


class DmarcCheck:
    """Evaluates DMARC. To be asked when SPF and DKIM have answered. `patience` is the seconds for all lookups of one
    message, less than a check has to answer."""

    name = "dmarc"
    facts = FACTS

    def __init__(self, resolver: Resolver, *, patience: float) -> None:
        self._resolver = resolver
        self._patience = patience
        self._concluded: Conclusions[tuple[str, Found], DmarcResult] = Conclusions(resolver, size=CONCLUSIONS)

    async def __call__(self, subject: Subject) -> DmarcResult:
        if subject.author is None:
            return DmarcResult(Status.PERMERROR, reason="there is no message")
        if known := self.known(subject):
            return known
        author, found = subject.author, identifiers(subject)
        asking = self._conclude(author.domain, found) if author.domain else self._judge_claims(author, found)
        return _noting_skipped(await asking, subject)

    def known(self, subject: Subject) -> DmarcResult | None:
        """What was concluded when the same was found about mail of the same author's domain."""
        author = subject.author
        if author is None or not author.domain:
            return None
        result = self._concluded.recall((author.domain, identifiers(subject)))
        return _noting_skipped(result, subject) if result else None

    async def _conclude(self, author: str, found: Found) -> DmarcResult:
        resolver = self._impatient()
        result = await evaluate(resolver, author, found)
        if len(found) <= MAX_FOUND:
            self._concluded.keep((author, found), result, resolver.answers)
        return result

    async def _judge_claims(self, author: Author, found: Found) -> DmarcResult:
        resolver = self._impatient()
        claimed = await together(evaluate(resolver, domain, found) for domain in author.claimed)
        return strictest(claimed, author.problem)

    def _impatient(self) -> ImpatientResolver:
        return ImpatientResolver(self._resolver, seconds=self._patience)


def _noting_skipped(result: DmarcResult, subject: Subject) -> DmarcResult:
    """With why SPF was not asked about this client, if it was not."""
    skipped = getattr((subject.results or {}).get(Mechanism.SPF), "skipped", "")
    return replace(result, spf_skipped=skipped) if skipped else result


async def evaluate(resolver: Resolver, author: str, found: Sequence[Identifier]) -> DmarcResult:
    """Look up what `judge` needs, and judge. `author` and the domains of `found` are canonical."""
    names = path(author)
    way = await begin(resolver, names)
    if not way.found:
        way = await walk(resolver, names, way)
    policy = way.policy
    if policy is None:
        return _without_policy(author, way)
    domains = dict.fromkeys(one.domain for one in found if must_be_related(one, author, policy.record))
    if domains:
        way = await walk(resolver, names, way)
    organization = way.organizational_domain if way.has_certain_policy else way.apparent_organization
    organizational = organization if domains else None
    evidence = Evidence(
        author=author,
        policy=policy,
        walk=way,
        organizational=organizational,
        others=await _organizations(resolver, domains, organizational),
        exists=await _existence(resolver, author, policy),
    )
    return judge(evidence, found)


def _without_policy(author: str, way: Walk) -> DmarcResult:
    if way.complete:
        return DmarcResult(Status.NONE, author, grounds=Grounds(way))
    return DmarcResult(Status.TEMPERROR, author, reason=NO_POLICY_FOR_NOW, grounds=Grounds(way))


async def _organizations(
    resolver: Resolver, domains: Iterable[str], organizational: str | None
) -> dict[str, str | None]:
    """The organizational domains of the domains whose alignment hangs on it; None where one could not be found out.
    That a domain outside of the author's has another one is known without asking, so that foreign signatures cost no
    queries."""
    within = [domain for domain in domains if organizational and is_within(domain, organizational)]
    walks = await together(walk(resolver, path(domain)) for domain in within)
    return {domain: way.organizational_domain for domain, way in zip(within, walks, strict=True)}


async def _existence(resolver: Resolver, author: str, policy: Published) -> bool | None:
    """Whether the author domain exists; asked for only where the policy hangs on it (np)."""
    if policy.domain == author or policy.record.nonexistent is policy.record.subdomains:
        return True
    return await exists(resolver, author)
