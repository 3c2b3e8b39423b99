"""The result words of DKIM (RFC 8601 section 2.7.1), and the error that carries one."""

from enum import StrEnum


class Status(StrEnum):
    """What became of one signature, or of all of a message."""

    NONE = "none"  # the message was not signed
    PASS = "pass"  # noqa: S105  signed, and the signature verified
    FAIL = "fail"  # signed, but the message is not what was signed: header or body were changed, or it is forged
    POLICY = "policy"  # signed, but in a way that is not accepted: rsa-sha1 or a short key (RFC 8301)
    NEUTRAL = "neutral"  # it failed, but its domain is only testing (t=y): as good as unsigned (RFC 6376 section 3.6.1)
    TEMPERROR = "temperror"  # the key could not be asked for just now; a later try may go otherwise
    PERMERROR = (
        "permerror"  # it can never be verified: syntax, no key, revoked, expired (PERMFAIL of RFC 6376 section 6.1)
    )


class TimeFault(StrEnum):
    """What is wrong with the times that a signature states (RFC 6376 section 3.5)."""

    EXPIRED = "expired"  # it was valid until x=: permerror
    REVERSED = "reversed"  # its x= is not after its t=, which the RFC forbids: permerror
    FUTURE = "future"  # its t= is to come: verified all the same, since the RFC leaves that open and it gains nothing


class Failure(StrEnum):
    """What kind of thing keeps a signature from passing."""

    MALFORMED = "malformed"  # a tag is missing, or its value is not as RFC 6376 section 3.5 has it
    UNKNOWN_ALGORITHM = "unknown-algorithm"  # its a= is none that is verified
    SHA1 = "weak-algorithm"  # its a= is rsa-sha1 (RFC 8301 section 3.1)
    REVERSED = "reversed"  # its x= is not after its t= (RFC 6376 section 3.5)
    EXPIRED = "expired"  # its x= has passed
    UNSIGNED_FROM = (
        "unsigned-from"  # the message has a From field that it does not cover (RFC 6376 sections 5.4 and 8.15)
    )
    WRONG_IDENTITY = (
        "wrong-identity"  # its i= is not under its d=, or below it where the key (t=s) allows only d= itself
    )
    KEY_LOOKUP = "key-lookup"  # DNS could not be asked for the key just now
    NO_KEY = "no-key"  # DNS has no key at that name
    REVOKED_KEY = "revoked-key"  # the key is empty (RFC 6376 section 3.6.1, p=)
    BAD_KEY = "bad-key"  # what stands there is no key record, or the key in it is none
    WRONG_KEY = "wrong-key"  # the key is not for this algorithm, this hash, or mail (k=, h=, s=)
    WEAK_KEY = "weak-key"  # RSA of fewer than 1024 bits (RFC 8301 section 3.2)
    BODY = "body-changed"  # the body is not the one that was signed
    HEADER = "header-changed"  # the signed header fields are not those that were signed, or the signature is forged

    @property
    def status(self) -> Status:
        return _STATUSES.get(self, Status.PERMERROR)


_STATUSES = {
    Failure.SHA1: Status.POLICY,
    Failure.WEAK_KEY: Status.POLICY,
    Failure.KEY_LOOKUP: Status.TEMPERROR,
    Failure.BODY: Status.FAIL,
    Failure.HEADER: Status.FAIL,
}


class SignatureError(ValueError):
    """A signature, or its key, that cannot be verified or is not accepted; the text says why, for people. `status` is
    that of the failure, unless another one is given."""

    def __init__(self, reason: str, failure: Failure = Failure.MALFORMED, status: Status | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failure = failure
        self.status = status or failure.status
