"""The judging half of DMARC: turns a policy record and identifiers into a result (RFC 9989 section 5.3). Pure.

An identifier that could not be checked just now counts only if it would be aligned: otherwise anyone could turn a
fail into a temperror with a signature of a domain whose DNS does not answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.checks.dmarc.record import Mode, Policy, Record, Trial
from gateway.checks.dmarc.result import DmarcResult, Mechanism, Status
from gateway.checks.dmarc.tree import Published


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain that SPF or DKIM found to be authenticated, or (with `verified` False) could not check for now. Its
    domain is "" where not even that is known."""

    mechanism: Mechanism
    domain: str
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was looked up for a message of `author`.

    `related` says of other domains whether they have the author's organizational domain; None where that could not be
    found out, absent where it cannot be. `exists` says whether the author domain exists.
    """

    author: str
    policy: Published
    related: Mapping[str, bool | None]
    exists: bool | None = True


def judge(evidence: Evidence, identifiers: Sequence[Identifier]) -> DmarcResult:
    """Evaluate DMARC from what SPF, DKIM and DNS say (RFC 9989 sections 5.3.4 to 5.3.6)."""
    record = evidence.policy.record
    policy = requested_policy(evidence)
    if record.policy is None:
        return DmarcResult(Status.NONE, evidence.author, reason="the policy record has no valid policy")
    judged = [(identifier, _is_aligned(identifier, record, evidence)) for identifier in identifiers]
    aligned = {identifier.mechanism for identifier, fits in judged if fits and identifier.verified}
    undecided = any(fits is None or (fits and not identifier.verified) for identifier, fits in judged)
    if aligned:
        result, reason = Status.PASS, ""
    elif undecided or policy is None:
        result, reason = Status.TEMPERROR, "a lookup failed for now"
    else:
        result, reason = Status.FAIL, _reason(judged)
    return DmarcResult(
        result=result,
        from_domain=evidence.author,
        domain=evidence.policy.domain,
        policy=policy,
        testing=record.testing is Trial.YES,
        aligned=tuple(mechanism for mechanism in Mechanism if mechanism in aligned),
        reason=reason,
    )


def requested_policy(evidence: Evidence) -> Policy | None:
    """What the owner asks for mail of this author (section 4.10.1); None where it hangs on an existence that is not
    known."""
    record = evidence.policy.record
    if evidence.policy.domain == evidence.author:
        policy = record.policy
    elif evidence.exists is None and record.subdomains != record.nonexistent:
        policy = None
    else:
        policy = record.nonexistent if evidence.exists is False else record.subdomains
    return policy.softened if policy and record.testing is Trial.YES else policy


def must_be_related(identifier: Identifier, author: str, record: Record) -> bool:
    """Whether alignment of this identifier hangs on organizational domains, which must then be looked up."""
    return _mode(identifier, record) is Mode.RELAXED and identifier.domain not in ("", author)


def _is_aligned(identifier: Identifier, record: Record, evidence: Evidence) -> bool | None:
    if not identifier.domain:
        return None
    if identifier.domain == evidence.author:
        return True
    return must_be_related(identifier, evidence.author, record) and evidence.related.get(identifier.domain, False)


def _mode(identifier: Identifier, record: Record) -> Mode:
    return record.aspf if identifier.mechanism is Mechanism.SPF else record.adkim


def _reason(judged: Sequence[tuple[Identifier, bool | None]]) -> str:
    if any(identifier.verified for identifier, _ in judged):
        return "no authenticated identifier is aligned with the author domain"
    return "no identifier is authenticated"
