"""The judging half of DMARC: turns a policy record and identifiers into a result (RFC 9989 section 5.3). Pure.

An identifier that could not be checked just now counts only if it would be aligned: otherwise anyone could turn a
fail into a temperror with a signature of a domain whose DNS does not answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.checks.dmarc.alignment import Alignment, Identifier, Mechanism, Relation, mode_of, must_be_related
from gateway.checks.dmarc.grounds import Grounds
from gateway.checks.dmarc.record import Policy, Trial
from gateway.checks.dmarc.result import DmarcResult, Status
from gateway.checks.dmarc.tree import Published, Walk


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was looked up for a message of `author`.

    `organizational` is the organizational domain of the author, and `others` are those of the domains within it; None
    where one was not needed, or could not be found out. `exists` says whether the author domain exists.
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
    if record.policy is None:
        reason = "the policy record has no valid policy"
        return DmarcResult(Status.NONE, evidence.author, reason=reason, grounds=grounds)
    aligned = {one.identifier.mechanism for one in alignments if one.authenticates}
    if aligned:
        result, reason = Status.PASS, ""
    elif policy is None or any(one.is_undecided for one in alignments):
        result, reason = Status.TEMPERROR, "a lookup failed for now"
    else:
        result, reason = Status.FAIL, _reason(identifiers)
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


def published_policy(evidence: Evidence) -> Policy | None:
    """What the record says of mail of this author (section 4.10.1); None where it hangs on an existence that is not
    known."""
    record = evidence.policy.record
    if evidence.policy.domain == evidence.author:
        return record.policy
    if evidence.exists is None and record.subdomains != record.nonexistent:
        return None
    return record.nonexistent if evidence.exists is False else record.subdomains


def _align(identifier: Identifier, evidence: Evidence) -> Alignment:
    return Alignment(identifier, mode_of(identifier, evidence.policy.record), _relation(identifier, evidence))


def _relation(identifier: Identifier, evidence: Evidence) -> Relation:
    if not identifier.counts:
        return Relation.NOT_ASKED
    if not identifier.domain:
        return Relation.UNKNOWN
    if identifier.domain == evidence.author:
        return Relation.IDENTICAL
    if not must_be_related(identifier, evidence.author, evidence.policy.record):
        return Relation.NOT_IDENTICAL
    ours, theirs = evidence.organizational, evidence.others.get(identifier.domain, "")
    if ours is None or theirs is None:
        return Relation.UNKNOWN
    return Relation.SAME_ORGANIZATION if ours == theirs else Relation.OTHER_ORGANIZATION


def _reason(identifiers: Sequence[Identifier]) -> str:
    if any(identifier.is_verified for identifier in identifiers):
        return "no authenticated identifier is aligned with the author domain"
    return "no identifier is authenticated"
