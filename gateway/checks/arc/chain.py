"""The chain: turns the sets of a message, the keys and the body's hashes into a verdict on the chain (RFC 8617 section
5.2). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from gateway.checks.arc.sets import ArcSet
from gateway.checks.arc.status import ChainStatus
from gateway.checks.dkim.canonical import Canon
from gateway.checks.dkim.header import Header, unsigned_field
from gateway.checks.dkim.key import Key
from gateway.checks.dkim.signature import Seal
from gateway.checks.dkim.status import Status
from gateway.checks.dkim.verify import Bodies, Tried, check_expiry, try_keys, verify_seal, verify_signature
from gateway.message import Field
from gateway.system.dnscache import Answer


class Evidence(Struct, frozen=True):
    """All that a chain is judged by."""

    sets: Sequence[ArcSet]  # from the first to the newest
    header: Header
    bodies: Bodies
    answers: Mapping[str, Answer]  # by the names of keys
    parse_key: Callable[[bytes], Key]
    now: float  # Unix time

    def relaxed(self, field: Field) -> bytes:
        return self.header.canonical(field, Canon.RELAXED)

    def tried(self, seal: Seal, verify: Callable[[Key], None]) -> Tried:
        """What became of a signature with the keys that are published for it."""
        return try_keys(self.answers[seal.key_name], self.parse_key, verify)


class Judgement(Struct, frozen=True):
    """What became of a chain, and why, for people; and of each signature that was verified: the seals from the first to
    the newest, the message signatures from the newest down."""

    status: ChainStatus
    reason: str = ""
    seals: tuple[Tried, ...] = ()
    messages: tuple[Tried, ...] = ()

    @property
    def oldest_pass(self) -> int | None:
        """The instance from which on every message signature verifies; 0 where all do (RFC 8617 section 5.2)."""
        if self.status is not ChainStatus.PASS:
            return None
        return 0 if self.messages[-1].problem is None else len(self.seals) - len(self.messages) + 2


def judge(evidence: Evidence) -> Judgement:
    """Judge a chain that has sets. A definite failure outweighs a key that could not be looked up."""
    if any(one.chain == b"fail" for one in evidence.sets):
        return Judgement(ChainStatus.FAIL, "a seal says that the chain was broken (cv=fail)")
    newest, seals = _try_message(evidence, evidence.sets[-1]), tuple(_try_seals(evidence))
    found = [one.problem for one in (newest, *seals) if one.problem is not None]
    if not found:
        return Judgement(ChainStatus.PASS, seals=seals, messages=(newest, *_try_older(evidence)))
    broken = next((problem for problem in found if problem.status is not Status.TEMPERROR), None)
    status = ChainStatus.FAIL if broken else ChainStatus.TEMPERROR
    return Judgement(status, (broken or found[0]).reason, seals=seals, messages=(newest,))


def _try_older(evidence: Evidence) -> Iterator[Tried]:
    """The message signatures below the newest one, down to the first that does not verify."""
    for one in reversed(evidence.sets[:-1]):
        tried = _try_message(evidence, one)
        yield tried
        if tried.problem:
            return


def _try_message(evidence: Evidence, one: ArcSet) -> Tried:
    def verify(key: Key) -> None:
        check_expiry(one.signature, evidence.now)
        verify_signature(one.signature, key, evidence.header, evidence.bodies)

    return evidence.tried(one.signature.seal, verify)


def _try_seals(evidence: Evidence) -> Iterator[Tried]:
    """A seal covers all sets up to its own, in their order, and itself without b= (RFC 8617 section 5.1.1)."""
    signed = b""
    for one in evidence.sets:
        signed += evidence.relaxed(one.results) + evidence.relaxed(one.signature.field)
        yield _try_seal(evidence, one.seal, signed + unsigned_field(one.seal_field, Canon.RELAXED))
        signed += evidence.relaxed(one.seal_field)


def _try_seal(evidence: Evidence, seal: Seal, signed: bytes) -> Tried:
    return evidence.tried(seal, lambda key: verify_seal(seal, key, signed))
