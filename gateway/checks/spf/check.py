"""The SPF check: turns a connection and an envelope into what the sender's domains say about the client (RFC 7208)."""

from collections.abc import Mapping
from functools import lru_cache, partial

from pydantic import Field

from gateway.checks.base import Subject
from gateway.checks.iprev import Address, bare_address
from gateway.checks.spf.query import Claim, check_host
from gateway.checks.spf.record import Record, parse_record
from gateway.checks.spf.result import FACTS, Finding, SpfIdentity, SpfResult, SpfWord
from gateway.connection import Connection, Role
from gateway.domain import canonical_domain
from gateway.envelope import Envelope
from gateway.settings import Section
from gateway.system.bridge import run_sync, wait
from gateway.system.conclusions import Conclusions
from gateway.system.dns import Answer, Resolver
from gateway.system.dnscache import Question
from gateway.system.together import together

POSTMASTER = "postmaster"  # stands for a missing local part (RFC 7208 section 4.3)
SKIPPED = {
    Role.RELAY: "a relay partner brought it: SPF would judge the partner",
    Role.INTERNAL: "it comes from one of our own networks",
}
NOTHING = Finding(result=SpfWord.NONE)
CONCLUSIONS = 2000  # clients and domains, as they come together
MAX_KEPT = 1024  # octets of a record that is kept parsed; with it, what a cache of them can hold has a bound


class SpfSettings(Section):
    """How SPF is checked. The limits on lookups are those of RFC 7208 and not for choice."""

    deadline: float = Field(default=20.0, ge=1)
    """Seconds for all lookups of one sender's domain, then the result is temperror; RFC 7208 section 4.6.4 asks for 20
    at least."""
    helo_deadline: float = Field(default=5.0, ge=1)
    """Seconds for those of the HELO name where it does not decide: a slow one must not hold up the sender's domain."""
    record_cache_size: int = Field(default=1000, ge=0)
    """Records of up to 1 KB that one worker keeps in parsed form, of 2 to 100 KB each."""
    received_spf: bool = False
    """Whether a Received-SPF field (RFC 7208 section 9.1) is added as well, for readers that do not know
    Authentication-Results."""


class SpfCheck:
    """Checks the domain of MAIL FROM and the name given at HELO."""

    name = "spf"
    facts = FACTS

    def __init__(self, settings: SpfSettings, *, resolver: Resolver) -> None:
        self._settings = settings
        self._resolver = resolver
        self._concluded: Conclusions[tuple[Address, str], Finding] = Conclusions(resolver, size=CONCLUSIONS)
        self._parse_kept = lru_cache(settings.record_cache_size)(parse_record)

    async def __call__(self, subject: Subject) -> SpfResult:
        connection, envelope = subject.connection, subject.envelope
        identity = SpfIdentity.MAILFROM if envelope.sender else SpfIdentity.HELO
        if connection.role in SKIPPED:
            return SpfResult(identity=identity, finding=NOTHING, helo=NOTHING, skipped=SKIPPED[connection.role])
        helo = claim_of_helo(connection)
        if identity is SpfIdentity.HELO:
            finding = await self._check(helo, self._settings.deadline)
            return SpfResult(identity=identity, finding=finding, helo=finding)
        findings = await together(
            (
                self._check(claim_of_sender(connection, envelope), self._settings.deadline),
                self._check(helo, self._settings.helo_deadline),
            )
        )
        return SpfResult(identity=identity, finding=findings[0], helo=findings[1])

    async def _check(self, claim: Claim, seconds: float) -> Finding:
        if "." not in claim.domain:  # RFC 7208 section 4.3: not a multi-label domain name
            return Finding(result=SpfWord.NONE, domain=claim.domain)
        known = self._concluded.recall((claim.ip, claim.domain))
        if known is not None:
            return known
        grounds: dict[Question, Answer] = {}
        found = await run_sync(check_host, claim, partial(self._look_up, grounds), self._parse, seconds=seconds)
        if found.result is not SpfWord.TEMPERROR and not _have_macros(grounds):
            self._concluded.keep((claim.ip, claim.domain), found, grounds)
        return found

    def _look_up(self, grounds: dict[Question, Answer], name: str, rrtype: str) -> Answer:
        """What is asked is noted in `grounds`; of a question that is asked twice, its first answer."""
        answer = self._resolver.cached(name, rrtype) or wait(self._resolver.query(name, rrtype))
        grounds.setdefault((name, rrtype), answer)
        return answer

    def _parse(self, text: str, version: int) -> Record:
        return (self._parse_kept if len(text) <= MAX_KEPT else parse_record)(text, version)


def claim_of_helo(connection: Connection) -> Claim:
    """RFC 7208 section 2.3."""
    domain = canonical_domain(connection.helo)
    return Claim(ip=bare_address(connection.ip), helo=connection.helo, local=POSTMASTER, domain=domain)


def claim_of_sender(connection: Connection, envelope: Envelope) -> Claim:
    """RFC 7208 section 2.4."""
    assert envelope.sender is not None
    domain = canonical_domain(envelope.sender.domain)
    local = envelope.sender.local or POSTMASTER
    return Claim(ip=bare_address(connection.ip), helo=connection.helo, local=local, domain=domain)


def _have_macros(grounds: Mapping[Question, Answer]) -> bool:
    """Whether a record may ask for more than the client's address and the domain: the local part, or the HELO name
    (section 7.2)."""
    texts = (record for (_, rrtype), answer in grounds.items() if rrtype == "TXT" for record in answer.records)
    return any(b"%" in text for text in texts)
