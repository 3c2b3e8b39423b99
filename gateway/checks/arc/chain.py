"""The chain: turns the sets of a message, the keys and the body's hashes into a verdict on the chain (RFC 8617 section
5.2). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.checks.arc.result import ChainStatus
from gateway.checks.arc.sets import ArcSet
from gateway.checks.dkim.canonical import Canon
from gateway.checks.dkim.header import Header, unsigned_field
from gateway.checks.dkim.key import Key
from gateway.checks.dkim.signature import Seal
from gateway.checks.dkim.status import SignatureError, Status
from gateway.checks.dkim.verify import Bodies, check_expiry, verify_seal, verify_signature, with_published_key
from gateway.message import Field
from gateway.system.dnscache import Answer


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a chain is judged by."""

    sets: Sequence[ArcSet]  # from the first to the newest
    header: Header
    bodies: Bodies
    answers: Mapping[str, Answer]  # by the names of keys
    parse_key: Callable[[bytes], Key]
    now: float  # Unix time

    def relaxed(self, field: Field) -> bytes:
        return self.header.canonical(field, Canon.RELAXED)

    def problem(self, seal: Seal, verify: Callable[[Key], None]) -> SignatureError | None:
        """What keeps a signature from verifying with a key that is published for it."""
        try:
            with_published_key(self.answers[seal.key_name], self.parse_key, verify)
        except SignatureError as error:
            return error
        return None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a chain, and why, for people."""

    status: ChainStatus
    reason: str = ""


def judge(evidence: Evidence) -> Judgement:
    """Judge a chain that has sets. A definite failure outweighs a key that could not be looked up."""
    if any(one.chain == b"fail" for one in evidence.sets):
        return Judgement(ChainStatus.FAIL, "a seal says that the chain was broken (cv=fail)")
    problems = (_message_problem(evidence, evidence.sets[-1]), *_seal_problems(evidence))
    found = [problem for problem in problems if problem is not None]
    for problem in found:
        if problem.status is not Status.TEMPERROR:
            return Judgement(ChainStatus.FAIL, problem.reason)
    return Judgement(ChainStatus.TEMPERROR, found[0].reason) if found else Judgement(ChainStatus.PASS)


def oldest_pass(evidence: Evidence) -> int:
    """The instance from which on every message signature verifies; 0 where all do (RFC 8617 section 5.2, step 5)."""
    for instance in range(len(evidence.sets) - 1, 0, -1):
        if _message_problem(evidence, evidence.sets[instance - 1]) is not None:
            return instance + 1
    return 0


def _message_problem(evidence: Evidence, one: ArcSet) -> SignatureError | None:
    def verify(key: Key) -> None:
        check_expiry(one.signature, evidence.now)
        verify_signature(one.signature, key, evidence.header, evidence.bodies)

    return evidence.problem(one.signature.seal, verify)


def _seal_problems(evidence: Evidence) -> Iterator[SignatureError | None]:
    """A seal covers all sets up to its own, in their order, and itself without b= (RFC 8617 section 5.1.1)."""
    signed = b""
    for one in evidence.sets:
        signed += evidence.relaxed(one.results) + evidence.relaxed(one.signature.field)
        yield _seal_problem(evidence, one.seal, signed + unsigned_field(one.seal_field, Canon.RELAXED))
        signed += evidence.relaxed(one.seal_field)


def _seal_problem(evidence: Evidence, seal: Seal, signed: bytes) -> SignatureError | None:
    return evidence.problem(seal, lambda key: verify_seal(seal, key, signed))
