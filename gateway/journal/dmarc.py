"""DMARC in the journal: turns what the checks found, and what was done, into what an aggregate report says of one
message (RFC 9990). Pure.

A worker sends only what neither the facts nor the record have: `evidence`. The rest is added where the row is written.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.checks.base import Result
from gateway.checks.dkim import DkimResult
from gateway.checks.dmarc import DmarcResult
from gateway.checks.dmarc.record import REMEMBERED, parse_record
from gateway.checks.spf import SpfResult
from gateway.policy.override import Override, disposition

Evidence = Mapping[str, Any]

MAX_REASON = 200  # characters of what is said for people about one result
MAX_NAME = 255  # characters of a domain or a selector: no name in DNS is longer


def evidence(results: Mapping[str, Result]) -> Evidence | None:
    """What DMARC was judged by; None where no policy was published for the author's domain, so that nobody is to be
    told anything. The record is kept as it was published: to take it apart is for later."""
    dmarc = results.get("dmarc")
    if not isinstance(dmarc, DmarcResult) or not dmarc.domain or not (dmarc.grounds and dmarc.grounds.policy):
        return None
    return {
        "record": dmarc.grounds.policy.text.decode("ascii", "replace"),
        "dkim": _signatures(results.get("dkim")),
        "spf": _spf(results.get("spf")),
    }


def _signatures(result: Result | None) -> list[tuple[str, str, str, str]]:
    """Domain, selector, result and reason of each. One without a domain and a selector cannot be reported."""
    if not isinstance(result, DkimResult):
        return []
    return [
        (one.domain[:MAX_NAME], one.claim.selector[:MAX_NAME], one.result, one.reason[:MAX_REASON])
        for one in result.signatures
        if one.domain and one.claim.selector
    ]


def _spf(result: Result | None) -> tuple[str, str, str, str] | None:
    """Domain, scope, result and reason."""
    if not isinstance(result, SpfResult) or result.skipped:
        return None
    scope = "mfrom" if result.identity == "mailfrom" else result.identity
    return result.domain, scope, result.result, result.finding.problem[:MAX_REASON]


def evaluation(values: Mapping[str, Any], facts: Mapping[str, Any], found: Evidence | None) -> dict[str, Any] | None:
    """The columns of a message that is to be reported. `values` are those of its record. A message that was answered
    4yz comes again, and counts then."""
    if not found or values["event"] != "message" or values["reply"].startswith("4"):
        return None
    published = _published(found["record"])
    if published is None:
        return None
    domain, scope, word, reason = found["spf"] or ("", "", "", "")
    aligned = facts.get("dmarc.aligned", ())
    return {
        "policy_domain": facts.get("dmarc.domain", ""),
        "source_ip": values["client_ip"],
        "result": facts.get("dmarc.result", ""),
        "disposition": disposition(facts, values["action"]),
        "dkim_aligned": "pass" if "dkim" in aligned else "fail",
        "spf_aligned": "pass" if "spf" in aligned else "fail",
        "override": values["dmarc_override"],
        "comment": _comment(values["dmarc_override"], facts),
        "header_from": facts.get("dmarc.author", ""),
        "envelope_from": facts.get("sender.domain", ""),
        "envelope_to": facts.get("recipient.domain", ""),
        **published,
        "dkim": found["dkim"],
        "spf_domain": domain,
        "spf_scope": scope,
        "spf_result": word,
        "spf_reason": reason,
    }


@lru_cache(REMEMBERED)
def _published(text: str) -> Mapping[str, Any] | None:
    """The policy with the defaults of what it does not say; RFC 9990 has them under the same names."""
    record = parse_record(text.encode("ascii", "replace"))
    if record is None:
        return None
    return {
        "p": str(record.policy or ""),
        "sp": str(record.subdomains or ""),
        "np": str(record.nonexistent or ""),
        "adkim": str(record.adkim),
        "aspf": str(record.aspf),
        "testing": str(record.testing),
        "fo": ":".join(record.fo),
        "rua": list(record.rua),
    }


def _comment(override: str, facts: Mapping[str, Any]) -> str:
    """Whom we trusted; of our own rules nobody is told."""
    if override != Override.TRUSTED_FORWARDER:
        return ""
    return f"sealed by {facts.get('arc.sealer', '')}" if facts.get("arc.trusted") is True else "a relay partner"
