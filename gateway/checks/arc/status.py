"""The words of ARC: what became of a chain, and whether somebody whom we trust vouches by it (RFC 8617)."""

from enum import StrEnum


class ChainStatus(StrEnum):
    """What became of the chain."""

    NONE = "none"  # the message has no ARC sets
    PASS = "pass"  # noqa: S105  every seal verifies, and so does the newest message signature (RFC 8617 section 5.2)
    FAIL = "fail"  # the chain is malformed or broken, or the message was changed since it was sealed
    TEMPERROR = "temperror"  # a key could not be asked for just now; nothing else is wrong


class Trust(StrEnum):
    """Whether a trusted sealer found the author's domain to pass DMARC, or why none counts."""

    VOUCHED = "vouched"  # one did, and all that handled the message after it are trusted
    NO_CHAIN = "no-chain"  # there is no chain that passes
    NO_AUTHOR = "no-author"  # the message has not one author domain
    NOT_COVERED = "not-covered"  # the newest message signature leaves out a From field or a part of the body
    STRANGER = "stranger"  # a sealer is not trusted, and it came after any that found a pass
    NO_PASS = "no-pass"  # noqa: S105  all sealers are trusted, and none of them found a pass
