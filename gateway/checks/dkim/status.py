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


class SignatureError(ValueError):
    """A signature, or its key, that cannot be verified or is not accepted; the text says why, for people."""

    def __init__(self, reason: str, status: Status = Status.PERMERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
