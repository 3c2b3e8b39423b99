"""Verification: turns a signature, the DNS answer for its key, the header and the hash of the body into the key that
verifies it, or into what is wrong (RFC 6376 section 6.1). Pure."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from gateway.checks.dkim.canonical import BodyHash, BodyPlan
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import Key
from gateway.checks.dkim.signature import Seal, Signature
from gateway.checks.dkim.status import Failure, SignatureError, Status
from gateway.system.dnscache import Answer

MAX_KEY_RECORDS = 3  # RFC 6376 section 3.6.2.2 wants one; a few are tried, since each is a key operation

Bodies = Mapping[BodyPlan, BodyHash]


class Tried(Struct, frozen=True):
    """What became of a signature with the keys that are published for it: the key that verified it, or the last one
    that was tried, and then what was wrong."""

    key: Key | None = None
    problem: SignatureError | None = None


def try_keys(answer: Answer, parse_key: Callable[[bytes], Key], verify: Callable[[Key], None]) -> Tried:
    """Try the published keys until `verify`, which may raise SignatureError, succeeds with one."""
    tried = None
    for record in answer.records[:MAX_KEY_RECORDS]:
        key = None
        try:
            key = parse_key(record)
            verify(key)
            return Tried(key)
        except SignatureError as error:
            tried = Tried(key, error.with_traceback(None))  # it is kept, and its frames need not be
    return tried or Tried(problem=_no_key(answer))


def verify_signature(signature: Signature, key: Key, header: Header, bodies: Bodies) -> None:
    """Check one signature against one key. Raises SignatureError where it does not verify."""
    seal = signature.seal
    _check_key(seal, key)
    if key.strict and signature.identity_domain != seal.domain:
        raise SignatureError("its key (t=s) does not allow an identity (i=) in a subdomain", Failure.WRONG_IDENTITY)
    try:
        body = bodies[signature.body]
        if body.digest != signature.body_hash:
            raise _changed_body(body)
        if not key.verifies(seal.octets, header.signed(signature.headers, signature.header_canon, signature.field)):
            raise _changed_header()
    except SignatureError as error:
        if key.testing:
            reason = f"{error.reason}, and its domain is testing (t=y)"
            raise SignatureError(reason, error.failure, Status.NEUTRAL) from None
        raise


def verify_seal(seal: Seal, key: Key, signed: bytes) -> None:
    """Check a signature over octets. Raises SignatureError where it does not verify."""
    _check_key(seal, key)
    if not key.verifies(seal.octets, signed):
        raise _changed_header()


def check_expiry(signature: Signature, now: float) -> None:
    """Raises SignatureError where the signature has expired. There is no slop: x= is days ahead in real mail."""
    if signature.expires is not None and now > signature.expires:
        raise SignatureError("it has expired (x=)", Failure.EXPIRED)


def check_author_is_signed(signature: Signature, authors: int) -> None:
    """Raises SignatureError where the message has more From fields, `authors`, than the signature covers: a reader may
    be shown the other one instead of the signed one (RFC 6376 section 8.15)."""
    if authors > signature.headers.count("from"):
        raise SignatureError("the message has a From field that it does not sign", Failure.UNSIGNED_FROM)


def _no_key(answer: Answer) -> SignatureError:
    if answer.is_temporary:
        return SignatureError("its key could not be looked up", Failure.KEY_LOOKUP)
    return SignatureError("there is no key for it", Failure.NO_KEY)


def _changed_body(body: BodyHash) -> SignatureError:
    shorter, other = "the body is shorter than what it signs (l=)", "the body hash did not verify"
    return SignatureError(other if body.digest else shorter, Failure.BODY)


def _changed_header() -> SignatureError:
    return SignatureError("the signature did not verify", Failure.HEADER)


def _check_key(seal: Seal, key: Key) -> None:
    if key.algorithm is not seal.algorithm:
        raise SignatureError("its key is not for its algorithm", Failure.WRONG_KEY)
