"""Known findings: what was found about a domain for one client, told for every client that it holds for as well.

A record can tell clients apart only by the networks that it names. So a finding holds for all addresses that begin with
the same bits, as many as its evaluation looked at: a sender's hosts stand side by side, and one of them is evaluated.
"""

from collections.abc import Mapping

from gateway.checks.spf.query import Claim
from gateway.checks.spf.result import Finding, SpfWord
from gateway.system.conclusions import Conclusions
from gateway.system.dns import Resolver
from gateway.system.dnscache import Answer, Question

CONCLUSIONS = 2000  # domains and networks of clients, as they come together

# The octets of an address that may be looked for, by IP version: a few lengths, so that few must be tried, and first
# those that most records have: none in no record, as with most HELO names.
_LENGTHS: Mapping[int, tuple[int, ...]] = {4: (0, 2, 3, 4, 1), 6: (0, 8, 16, 4, 12)}


class KnownFindings:
    """Findings for as long as DNS gives the answers that they rest on."""

    def __init__(self, resolver: Resolver) -> None:
        self._concluded: Conclusions[tuple[str, int, bytes], Finding] = Conclusions(resolver, size=CONCLUSIONS)

    def recall(self, claim: Claim) -> Finding | None:
        version, address = claim.ip.version, claim.ip.packed
        for length in _LENGTHS[version]:
            finding = self._concluded.recall((claim.domain, version, address[:length]))
            if finding is not None:
                return finding
        return None

    def keep(self, claim: Claim, finding: Finding, grounds: Mapping[Question, Answer]) -> None:
        """`grounds` are all answers that the finding rests on."""
        if finding.result is SpfWord.TEMPERROR or _have_macros(grounds):
            return
        version = claim.ip.version
        length = min(length for length in _LENGTHS[version] if length * 8 >= finding.address_bits)
        self._concluded.keep((claim.domain, version, claim.ip.packed[:length]), finding, grounds)


def _have_macros(grounds: Mapping[Question, Answer]) -> bool:
    """Whether a record may ask for more than the networks of clients and the domain: the whole address, the local part,
    or the HELO name (RFC 7208 section 7.2)."""
    return any(b"%" in text for (_, rrtype), answer in grounds.items() if rrtype == "TXT" for text in answer.records)
