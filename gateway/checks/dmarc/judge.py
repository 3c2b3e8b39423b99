"""The judging half of DMARC: turns a policy record and identifiers into a result (RFC 9989 section 5.3). Pure.

An identifier that could not be checked just now counts only if it would be aligned: otherwise anyone could turn a
fail into a temperror with a signature of a domain whose DNS does not answer.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gateway.checks.dmarc.alignment import Alignment, Identifier, Mechanism, Relation, mode_of
from gateway.checks.dmarc.grounds import Grounds
from gateway.checks.dmarc.record import Mode, Policy, Trial
from gateway.checks.dmarc.result import DmarcResult, Status
from gateway.checks.dmarc.tree import Published, Walk
from gateway.domain import is_within

NO_POLICY_FOR_NOW = "the policy record could not be looked up for now"


class Evidence(Struct, frozen=True):
    """What was looked up for a message of `author`.

    `organizational` is the organizational domain of the author, and `others` are those of the domains within it; None
    where one was not needed, or could not be found out. Where a record could not be looked up that may apply instead of
    `policy`, both are what they are by those that were found. `exists` says whether the author domain exists.
    """

    author: str
    policy: Published
    walk: Walk
    organizational: str | None
    others: Mapping[str, str | None]
    exists: bool | None = True


def judge(evidence: Evidence, identifiers: Sequence[Identifier]) -> DmarcResult:
    """Evaluate DMARC from what SPF, DKIM and DNS say (RFC 9989 sections 5.3.4 to 5.3.6)."""
    record = evidence.policy.record
    published = published_policy(evidence)
    testing = record.testing is Trial.YES
    policy = published.softened if published and testing else published
    alignments = tuple(_align(identifier, evidence) for identifier in identifiers)
    grounds = Grounds(evidence.walk, evidence.policy, evidence.exists, alignments)
    if record.policy is None and evidence.walk.has_certain_policy:
        reason = "the policy record has no valid policy"
        return DmarcResult(Status.NONE, evidence.author, reason=reason, grounds=grounds)
    aligned = {one.identifier.mechanism for one in alignments if one.authenticates}
    result, reason = _conclusion(evidence, alignments)
    return DmarcResult(
        result=result,
        from_domain=evidence.author,
        domain=evidence.policy.domain,
        policy=policy,
        published=published,
        testing=testing,
        aligned=tuple(mechanism for mechanism in Mechanism if mechanism in aligned),
        reason=reason,
        grounds=grounds,
    )


def _conclusion(evidence: Evidence, alignments: Sequence[Alignment]) -> tuple[Status, str]:
    """The result, and why it is no pass."""
    if not evidence.walk.has_certain_policy:
        return Status.TEMPERROR, NO_POLICY_FOR_NOW
    if any(one.authenticates for one in alignments):
        return Status.PASS, ""
    if evidence.exists is None or any(one.is_undecided for one in alignments):
        return Status.TEMPERROR, "a lookup failed for now"
    return Status.FAIL, _reason(alignments)


def published_policy(evidence: Evidence) -> Policy | None:
    """What the record says of mail of this author (section 4.10.1): where it hangs on an existence that is not known,
    the milder of both; None where the record has no valid policy."""
    record = evidence.policy.record
    if evidence.policy.domain == evidence.author:
        return record.policy
    possible = {True: (record.subdomains,), False: (record.nonexistent,), None: (record.subdomains, record.nonexistent)}
    return min(filter(None, possible[evidence.exists]), key=tuple(Policy).index, default=None)


def _align(identifier: Identifier, evidence: Evidence) -> Alignment:
    return Alignment(identifier, mode_of(identifier, evidence.policy.record), _relation(identifier, evidence))


def _relation(identifier: Identifier, evidence: Evidence) -> Relation:
    if not identifier.domain:
        return Relation.UNKNOWN
    if identifier.domain == evidence.author:
        return Relation.IDENTICAL
    if mode_of(identifier, evidence.policy.record) is Mode.STRICT:
        return Relation.NOT_IDENTICAL
    if not identifier.counts:
        return _apparent_relation(identifier.domain, evidence)
    ours, theirs = evidence.organizational, evidence.others.get(identifier.domain, "")
    if ours is None or theirs is None:
        return Relation.UNKNOWN
    return Relation.SAME_ORGANIZATION if ours == theirs else Relation.OTHER_ORGANIZATION


def _apparent_relation(domain: str, evidence: Evidence) -> Relation:
    """By what is known without a lookup."""
    author, organizational = evidence.author, evidence.organizational
    if is_within(domain, organizational or author) or is_within(author, domain):
        return Relation.LIKELY
    is_foreign = organizational or domain.rpartition(".")[2] != author.rpartition(".")[2]
    return Relation.OTHER_ORGANIZATION if is_foreign else Relation.NOT_ASKED


def _reason(alignments: Sequence[Alignment]) -> str:
    if any(one.identifier.is_verified for one in alignments):
        return "no authenticated identifier is aligned with the author domain"
    return "no identifier is authenticated"
