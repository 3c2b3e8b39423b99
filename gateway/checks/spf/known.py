"""What is known of SPF: what was found about a domain for one client, told for every client that it holds for as well.

A record can tell clients apart only by the networks that it names. So a finding holds for all addresses that begin with
the same bits, as many as its evaluation looked at: a sender's hosts stand side by side, and one of them is evaluated. A
client that comes with the same names again is told the result that was put together the last time.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway.checks.base import Subject
from gateway.checks.iprev import bare_address
from gateway.checks.spf.query import Claim
from gateway.checks.spf.result import Finding, SpfWord
from gateway.system.conclusions import Conclusions, Grounds
from gateway.system.dns import Resolver
from gateway.system.dnscache import Answer, Question

CONCLUSIONS = 2000  # domains and networks of clients, as they come together; and as many clients, each with two names

# The octets of an address that may be looked for, by IP version: a few lengths, so that few must be tried, and first
# those that most records have: none in no record, as with most HELO names.
_LENGTHS: Mapping[int, tuple[int, ...]] = {4: (0, 2, 3, 4, 1), 6: (0, 8, 16, 4, 12)}

Asked = tuple[bytes, str, str | None]  # the client, its HELO name and the sender's domain: what a result hangs on


class Grounded(Struct, frozen=True):
    """A finding, and all answers that it rests on."""

    finding: Finding
    grounds: Grounds


class KnownFindings:
    """Findings for as long as DNS gives the answers that they rest on."""

    def __init__(self, resolver: Resolver) -> None:
        self._concluded: Conclusions[tuple[str, int, bytes], Grounded] = Conclusions(resolver, size=CONCLUSIONS)

    def recall(self, claim: Claim) -> Grounded | None:
        version, address = claim.ip.version, claim.ip.packed
        for length in _LENGTHS[version]:
            found = self._concluded.recall((claim.domain, version, address[:length]))
            if found is not None:
                return found
        return None

    def keep(self, claim: Claim, found: Grounded) -> None:
        finding = found.finding
        if finding.result is SpfWord.TEMPERROR or _have_macros(found.grounds):
            return
        version = claim.ip.version
        length = min(length for length in _LENGTHS[version] if length * 8 >= finding.address_bits)
        self._concluded.keep((claim.domain, version, claim.ip.packed[:length]), found, found.grounds)


def asked(subject: Subject) -> Asked:
    connection, sender = subject.connection, subject.envelope.sender
    return bare_address(connection.ip).packed, connection.helo, sender.domain if sender else None


def all_grounds(findings: Iterable[Grounded]) -> Grounds:
    grounds: dict[Question, Answer] = {}
    for found in findings:
        grounds |= found.grounds
    return grounds


def _have_macros(grounds: Grounds) -> bool:
    """Whether a record may ask for more than the networks of clients and the domain: the whole address, the local part,
    or the HELO name (RFC 7208 section 7.2)."""
    return any(b"%" in text for (_, rrtype), answer in grounds.items() if rrtype == "TXT" for text in answer.records)
