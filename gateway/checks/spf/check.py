"""The SPF check: turns a connection and an envelope into what the sender's domains say about the client (RFC 7208)."""

from collections.abc import Sequence
from functools import lru_cache, partial

from pydantic import Field

from gateway.checks.base import Subject
from gateway.checks.iprev import bare_address
from gateway.checks.spf.known import CONCLUSIONS, Asked, Grounded, KnownFindings, all_grounds, asked
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


class NotCached(Exception):
    """An evaluation that was not to wait needs an answer that has to be asked for."""


class SpfCheck:
    """Checks the domain of MAIL FROM and the name given at HELO."""

    name = "spf"
    facts = FACTS

    def __init__(self, settings: SpfSettings, *, resolver: Resolver) -> None:
        self._settings = settings
        self._resolver = resolver
        self._known = KnownFindings(resolver)
        self._known_results: Conclusions[Asked, SpfResult] = Conclusions(resolver, size=CONCLUSIONS)
        self._parse_kept = lru_cache(settings.record_cache_size)(parse_record)

    async def __call__(self, subject: Subject) -> SpfResult:
        deadlines = (self._settings.deadline, self._settings.helo_deadline)
        claims = claims_of(subject.connection, subject.envelope)
        return _result(subject, await together(map(self._check, claims, deadlines)))

    def known(self, subject: Subject) -> SpfResult | None:
        if subject.connection.role in SKIPPED:
            return _result(subject, ())
        return self._known_results.recall(asked(subject)) or self._known_of_each(subject)

    def _known_of_each(self, subject: Subject) -> SpfResult | None:
        findings, kept = [], []
        for claim in claims_of(subject.connection, subject.envelope):
            if found := self._recalled(claim):
                kept.append(found)
            finding = found.finding if found else self._evaluated_at_once(claim)
            if finding is None:
                return None
            findings.append(finding)
        result = _result(subject, findings)
        if len(kept) == len(findings):  # what had to be evaluated may hold for this sender alone
            self._known_results.keep(asked(subject), result, all_grounds(kept))
        return result

    async def _check(self, claim: Claim, seconds: float) -> Finding:
        found = self._recalled(claim)
        return found.finding if found else await self._evaluated(claim, seconds)

    def _recalled(self, claim: Claim) -> Grounded | None:
        if "." not in claim.domain:  # RFC 7208 section 4.3: not a multi-label domain name
            return Grounded(Finding(result=SpfWord.NONE, domain=claim.domain), {})
        return self._known.recall(claim)

    async def _evaluated(self, claim: Claim, seconds: float) -> Finding:
        grounds: dict[Question, Answer] = {}
        finding = await run_sync(check_host, claim, partial(self._look_up, grounds), self._parse, seconds=seconds)
        self._known.keep(claim, Grounded(finding, grounds))
        return finding

    def _evaluated_at_once(self, claim: Claim) -> Finding | None:
        grounds: dict[Question, Answer] = {}
        try:
            finding = check_host(claim, partial(self._find_cached, grounds), self._parse)
        except NotCached:
            return None
        self._known.keep(claim, Grounded(finding, grounds))
        return finding

    def _look_up(self, grounds: dict[Question, Answer], name: str, rrtype: str) -> Answer:
        """What is asked is noted in `grounds`; of a question that is asked twice, its first answer."""
        answer = self._resolver.cached(name, rrtype) or wait(self._resolver.query(name, rrtype))
        grounds.setdefault((name, rrtype), answer)
        return answer

    def _find_cached(self, grounds: dict[Question, Answer], name: str, rrtype: str) -> Answer:
        answer = self._resolver.cached(name, rrtype)
        if answer is None:
            raise NotCached
        grounds.setdefault((name, rrtype), answer)
        return answer

    def _parse(self, text: str, version: int) -> Record:
        return (self._parse_kept if len(text) <= MAX_KEPT else parse_record)(text, version)


def claims_of(connection: Connection, envelope: Envelope) -> tuple[Claim, ...]:
    """The one that decides first; none where nothing is checked."""
    if connection.role in SKIPPED:
        return ()
    helo = claim_of_helo(connection)
    return (claim_of_sender(connection, envelope), helo) if envelope.sender else (helo,)


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


def _result(subject: Subject, findings: Sequence[Finding]) -> SpfResult:
    identity = SpfIdentity.MAILFROM if subject.envelope.sender else SpfIdentity.HELO
    if findings:
        return SpfResult(identity=identity, finding=findings[0], helo=findings[-1])
    return SpfResult(identity=identity, finding=NOTHING, helo=NOTHING, skipped=SKIPPED[subject.connection.role])
