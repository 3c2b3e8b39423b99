"""The DKIM check: turns a message into the results of its signatures (RFC 6376, RFC 8301, RFC 8463, RFC 8616)."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from pydantic import Field as Setting

from gateway.checks.base import Subject
from gateway.checks.dkim.choice import choose
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import parse_key
from gateway.checks.dkim.lookup import hash_body, look_up_keys
from gateway.checks.dkim.result import FACTS, DkimResult, DkimSignatureResult
from gateway.checks.dkim.signature import Signature, claim, parse_signature, read_field
from gateway.checks.dkim.status import SignatureError, Status
from gateway.checks.dkim.tags import Tags
from gateway.checks.dkim.verify import (
    Bodies,
    check_author_is_signed,
    check_expiry,
    try_keys,
    verify_signature,
)
from gateway.message import Field, Message
from gateway.settings import Section
from gateway.system.dns import Answer, Resolver


class DkimSettings(Section):
    """How DKIM signatures are verified."""

    max_signatures: int = Setting(default=10, ge=1, le=50)
    """Signatures evaluated in one message, those of the From domain first; each costs a lookup and a key operation."""
    key_cache_size: int = Setting(default=2000, ge=0)
    """Parsed public keys that one worker keeps, of at most 8 KB each."""


class DkimCheck:
    """Verifies the signatures of a message."""

    name = "dkim"
    facts = FACTS

    def __init__(self, settings: DkimSettings, *, resolver: Resolver, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._resolver = resolver
        self._clock = clock
        self._parse_key = lru_cache(settings.key_cache_size)(parse_key)

    async def __call__(self, subject: Subject) -> DkimResult:
        message = subject.message
        fields = message.named("dkim-signature") if message else ()
        if message is None or not fields:
            return DkimResult()
        author_domain = subject.author.domain if subject.author else ""
        chosen = choose(fields, author_domain, limit=self._settings.max_signatures)
        now = self._clock()
        header = Header(message.by_name)
        signatures = await self._verify(message, header, [_read(field, header, now) for field in chosen])
        return DkimResult(signatures=signatures, count=len(fields), judged_at=now, header=header)

    async def _verify(
        self, message: Message, header: Header, read: Sequence[Signature | DkimSignatureResult]
    ) -> tuple[DkimSignatureResult, ...]:
        signatures = [signature for signature in read if isinstance(signature, Signature)]
        answers = await look_up_keys(self._resolver, {signature.seal.key_name for signature in signatures})
        published = {signature.body for signature in signatures if answers[signature.seal.key_name].records}
        bodies = await hash_body(message, published)
        judged = [
            self._judge(signature, answers[signature.seal.key_name], header, bodies)
            if isinstance(signature, Signature)
            else signature
            for signature in read
        ]
        return tuple(judged)

    def _judge(self, signature: Signature, answer: Answer, header: Header, bodies: Bodies) -> DkimSignatureResult:
        tried = try_keys(answer, self._parse_key, lambda key: verify_signature(signature, key, header, bodies))
        problem = tried.problem
        return DkimSignatureResult(
            result=problem.status if problem else Status.PASS,
            claim=signature.claim,
            reason=problem.reason if problem else "",
            failure=problem.failure if problem else None,
            signature=signature,
            published=answer,
            key=tried.key,
            body=bodies.get(signature.body),
        )


def _read(field: Field, header: Header, now: float) -> Signature | DkimSignatureResult:
    """The signature, or why it need not be verified."""
    tags: Tags = {}
    signature = None
    try:
        tags = read_field(field)
        signature = parse_signature(field, tags)
        check_expiry(signature, now)
        check_author_is_signed(signature, header)
    except SignatureError as error:
        return DkimSignatureResult(
            result=error.status,
            claim=signature.claim if signature else claim(tags),
            reason=error.reason,
            failure=error.failure,
            signature=signature,
        )
    return signature
