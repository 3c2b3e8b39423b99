"""The DKIM check: turns a message into the results of its signatures (RFC 6376, RFC 8301, RFC 8463, RFC 8616)."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from pydantic import Field as Setting

from gateway.checks.base import Subject
from gateway.checks.dkim.canonical import BodyPlan
from gateway.checks.dkim.choice import choose
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import parse_key
from gateway.checks.dkim.known import KnownForms
from gateway.checks.dkim.lookup import cached_keys, hash_body, hash_short, look_up_keys
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

SHORT_HEADER = 16384  # octets; where a key is not at hand signatures are read a second time, which must not cost much


class DkimSettings(Section):
    """How DKIM signatures are verified."""

    max_signatures: int = Setting(default=10, ge=1, le=50)
    """Signatures evaluated in one message, those of the From domain first; each costs a lookup and a key operation."""
    key_cache_size: int = Setting(default=2000, ge=0)
    """Parsed public keys that one worker keeps, of at most 8 KB each."""


class Case(Struct, frozen=True, kw_only=True):
    """A message at a time, and its signatures as they were read: what is to be verified, or else the result."""

    message: Message
    header: Header
    now: float
    count: int  # of all signatures, those that are not evaluated too
    read: Sequence[Signature | DkimSignatureResult]
    by_key: Mapping[str, Sequence[Signature]]  # those that are to be verified, by the names of their keys

    def plans(self, answers: Mapping[str, Answer]) -> set[BodyPlan]:
        """What is to be hashed for the signatures that have keys."""
        return {one.body for name, those in self.by_key.items() if answers[name].records for one in those}


class DkimCheck:
    """Verifies the signatures of a message."""

    name = "dkim"
    facts = FACTS

    def __init__(self, settings: DkimSettings, *, resolver: Resolver, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._resolver = resolver
        self._clock = clock
        self._parse_key = lru_cache(settings.key_cache_size)(parse_key)
        self._known = KnownForms()

    async def __call__(self, subject: Subject) -> DkimResult:
        case = self._case(subject)
        if case is None:
            return DkimResult()
        answers = await look_up_keys(self._resolver, case.by_key)
        return self._judged(case, answers, await hash_body(case.message, case.plans(answers)))

    def known(self, subject: Subject) -> DkimResult | None:
        """The same at once, where the keys are cached and the message is short, as mostly."""
        if subject.message and subject.message.header_size > SHORT_HEADER:
            return None
        case = self._case(subject)
        if case is None:
            return DkimResult()
        answers = cached_keys(self._resolver, case.by_key)
        if answers is None:
            return None
        bodies = hash_short(case.message, case.plans(answers))
        return None if bodies is None else self._judged(case, answers, bodies)

    def _case(self, subject: Subject) -> Case | None:
        """None where there is no signature."""
        message, limit = subject.message, self._settings.max_signatures
        fields = message.by_name.get("dkim-signature") if message else None
        if message is None or fields is None:
            return None
        author_domain = subject.author.domain if subject.author else ""
        chosen = fields if len(fields) <= limit else choose(fields, author_domain, limit=limit)
        now, authors = self._clock(), len(message.named("from"))
        read: list[Signature | DkimSignatureResult] = []
        by_key: dict[str, list[Signature]] = {}
        for field in chosen:
            one = self._read(field, authors, now)
            read.append(one)
            if isinstance(one, Signature):
                by_key.setdefault(one.seal.key_name, []).append(one)
        header = Header(message.by_name)
        return Case(message=message, header=header, now=now, count=len(fields), read=read, by_key=by_key)

    def _read(self, field: Field, authors: int, now: float) -> Signature | DkimSignatureResult:
        """The signature, or why it need not be verified."""
        tags: Tags = {}
        signature = self._known.recall(field)
        try:
            if signature is None:
                tags = read_field(field)
                signature = parse_signature(field, tags)
                self._known.keep(signature)
            check_expiry(signature, now)
            check_author_is_signed(signature, authors)
        except SignatureError as error:
            return DkimSignatureResult(
                result=error.status,
                claim=signature.claim if signature else claim(tags),
                reason=error.reason,
                failure=error.failure,
                signature=signature,
            )
        return signature

    def _judged(self, case: Case, answers: Mapping[str, Answer], bodies: Bodies) -> DkimResult:
        signatures = [
            self._judge(one, answers[one.seal.key_name], case.header, bodies) if isinstance(one, Signature) else one
            for one in case.read
        ]
        return DkimResult(signatures=tuple(signatures), count=case.count, judged_at=case.now, header=case.header)

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
