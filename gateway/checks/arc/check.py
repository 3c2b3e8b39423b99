"""The ARC check: turns a message into the verdict on its chain (RFC 8617)."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator
from pydantic import Field as Setting

from gateway.checks.arc.chain import Evidence, judge, oldest_pass
from gateway.checks.arc.result import FACTS, ArcResult, ChainStatus
from gateway.checks.arc.sets import SEAL, ArcSet, parse_sets
from gateway.checks.arc.trust import vouched
from gateway.checks.base import Subject
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import parse_key
from gateway.checks.dkim.lookup import hash_body, look_up_keys
from gateway.checks.dkim.status import SignatureError
from gateway.domain import canonical_domain
from gateway.message import Message
from gateway.settings import Section
from gateway.system.dns import Resolver


def _domain(text: str) -> str:
    if not (canonical := canonical_domain(text)):
        raise ValueError(f'"{text}" is not a domain name')
    return canonical


class ArcSettings(Section):
    """How ARC chains are validated, and whose word is taken."""

    trusted_sealers: tuple[Annotated[str, AfterValidator(_domain)], ...] = ()
    """Domains (d= of a seal, exactly) of forwarders and mailing lists whose findings are believed: arc.trusted is true
    where they found a message to pass DMARC before they changed it. Large providers seal mail of all their users."""
    max_sets: int = Setting(default=20, ge=10, le=50)
    """Sets in a chain above which it fails; each costs up to two lookups and two key operations. RFC 8617 asks for at
    least 10, and allows 50."""
    key_cache_size: int = Setting(default=500, ge=0)
    """Parsed public keys that one worker keeps, of at most 8 KB each."""


class ArcCheck:
    """Validates the ARC chain of a message."""

    name = "arc"
    facts = FACTS

    def __init__(self, settings: ArcSettings, *, resolver: Resolver, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._resolver = resolver
        self._clock = clock
        self._parse_key = lru_cache(settings.key_cache_size)(parse_key)

    async def __call__(self, subject: Subject) -> ArcResult:
        if subject.message is None:
            return ArcResult()
        try:
            sets = parse_sets(subject.message, limit=self._settings.max_sets)
        except SignatureError as error:
            length = len(subject.message.named(SEAL))
            return ArcResult(result=ChainStatus.FAIL, length=length, reason=error.reason)
        if not sets:
            return ArcResult()
        author_domain = subject.author.domain if subject.author else ""
        return self._conclude(await self._gather(subject.message, sets), author_domain)

    async def _gather(self, message: Message, sets: Sequence[ArcSet]) -> Evidence:
        names = {one.seal.key_name for one in sets} | {one.signature.seal.key_name for one in sets}
        answers = await look_up_keys(self._resolver, names)
        signatures = [one.signature for one in sets if answers[one.signature.seal.key_name].records]
        return Evidence(
            sets=sets,
            header=Header(message.fields),
            bodies=await hash_body(message, {signature.body for signature in signatures}),
            answers=answers,
            parse_key=self._parse_key,
            now=self._clock(),
        )

    def _conclude(self, evidence: Evidence, author_domain: str) -> ArcResult:
        judgement = judge(evidence)
        passes = judgement.status is ChainStatus.PASS
        return ArcResult(
            result=judgement.status,
            length=len(evidence.sets),
            sealers=tuple(one.seal.domain for one in evidence.sets),
            trusted=passes and vouched(evidence, self._settings.trusted_sealers, author_domain),
            oldest_pass=oldest_pass(evidence) if passes else None,
            reason=judgement.reason,
        )
