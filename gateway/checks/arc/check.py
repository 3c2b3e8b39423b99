"""The ARC check: turns a message into the verdict on its chain (RFC 8617)."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from gateway.checks.arc.chain import Evidence, judge
from gateway.checks.arc.grounds import Grounds
from gateway.checks.arc.result import FACTS, NO_CHAIN, ArcResult
from gateway.checks.arc.sets import RESULTS, SEAL, SIGNATURE, ArcSet, parse_sets
from gateway.checks.arc.settings import ArcSettings
from gateway.checks.arc.status import ChainStatus
from gateway.checks.arc.trust import NOBODY, vouching
from gateway.checks.base import Subject
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import parse_key
from gateway.checks.dkim.lookup import hash_body, look_up_keys
from gateway.checks.dkim.status import SignatureError
from gateway.message import Message
from gateway.system.dns import Resolver

_FIELDS = frozenset({RESULTS, SIGNATURE, SEAL})


class ArcCheck:
    """Validates the ARC chain of a message."""

    name = "arc"
    facts = FACTS

    def __init__(self, settings: ArcSettings, *, resolver: Resolver, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._resolver = resolver
        self._clock = clock
        self._parse_key = lru_cache(settings.key_cache_size)(parse_key)

    def known(self, subject: Subject) -> ArcResult | None:
        """Most messages have no chain."""
        return NO_CHAIN if subject.message is None or _FIELDS.isdisjoint(subject.message.by_name) else None

    async def __call__(self, subject: Subject) -> ArcResult:
        if subject.message is None:
            return NO_CHAIN
        try:
            sets = parse_sets(subject.message, limit=self._settings.max_sets)
        except SignatureError as error:
            length = len(subject.message.named(SEAL))
            return ArcResult(result=ChainStatus.FAIL, length=length, reason=error.reason)
        if not sets:
            return NO_CHAIN
        author_domain = subject.author.domain if subject.author else ""
        return self._conclude(await self._gather(subject.message, sets), author_domain)

    async def _gather(self, message: Message, sets: Sequence[ArcSet]) -> Evidence:
        names = {one.seal.key_name for one in sets} | {one.signature.seal.key_name for one in sets}
        answers = await look_up_keys(self._resolver, names)
        signatures = [one.signature for one in sets if answers[one.signature.seal.key_name].records]
        return Evidence(
            sets=sets,
            header=Header(message.by_name),
            bodies=await hash_body(message, {signature.body for signature in signatures}),
            answers=answers,
            parse_key=self._parse_key,
            now=self._clock(),
        )

    def _conclude(self, evidence: Evidence, author_domain: str) -> ArcResult:
        judgement = judge(evidence)
        passes = judgement.status is ChainStatus.PASS
        trusted = self._settings.trusted_sealers
        return ArcResult(
            result=judgement.status,
            length=len(evidence.sets),
            sealers=tuple(one.seal.domain for one in evidence.sets),
            vouching=vouching(evidence, trusted, author_domain) if passes else NOBODY,
            oldest_pass=judgement.oldest_pass,
            reason=judgement.reason,
            grounds=Grounds(evidence, judgement),
        )
