"""What became of one signature, with what that was found by: kept as it is, and told only where somebody asks."""

from base64 import b64encode
from typing import Any

from msgspec import Struct

from gateway.checks.dkim.canonical import BodyHash
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.key import Key
from gateway.checks.dkim.signature import Claim, Signature, shown
from gateway.checks.dkim.status import Failure, Status
from gateway.system.dnscache import Answer

MAX_NAMES_SHOWN = 40  # names in h=; honest signatures have fewer, and 16 KB could have thousands
MAX_RECORD_SHOWN = 120  # octets; enough to see what it is, and not the key


class DkimSignatureResult(Struct, frozen=True):
    """What became of one signature, and what that was found by."""

    result: Status
    claim: Claim
    reason: str = ""  # for people; empty for a pass
    failure: Failure | None = None  # None for a pass
    signature: Signature | None = None  # None where it is malformed
    published: Answer | None = None  # what DNS has at the key's name; None where it was not asked for
    key: Key | None = None  # the one that verified it, or the last one that was tried
    body: BodyHash | None = None  # None where the body was not hashed for it

    @property
    def domain(self) -> str:
        """d=, in lower case with A-labels; verified only where the result is a pass."""
        return self.claim.domain

    @property
    def key_bits(self) -> int:
        return self.key.bits if self.key else 0

    @property
    def testing(self) -> bool:
        """Its key has t=y."""
        return self.key is not None and self.key.testing

    @property
    def unsigned_octets(self) -> int:
        """Those of the body after its l=; none where it signs the whole body."""
        signed = self.signature.body.length if self.signature else None
        return 0 if signed is None or self.body is None else max(self.body.body_length - signed, 0)

    @property
    def partial(self) -> bool:
        """It signs only the beginning of the body; anyone may have written the rest (RFC 6376 section 8.2)."""
        return self.unsigned_octets > 0

    @property
    def vouches(self) -> bool:
        """It passes for the message as it is read. A key with t=y counts: receivers treat it so, and many domains that
        sign all their mail have left the flag behind."""
        return self.result is Status.PASS and self.unsigned_octets == 0

    def report(self, header: Header | None, judged_at: float) -> dict[str, Any]:
        """`header` is that of the message, `judged_at` the Unix time by which the signature was judged."""
        return {
            "result": self.result.value,
            "domain": self.claim.domain,
            "selector": self.claim.selector,
            "identity": self.claim.identity,
            "algorithm": self.claim.algorithm,
            "key_bits": self.key_bits,
            "testing": self.testing,
            "unsigned_octets": self.unsigned_octets,
            "signed": self.claim.signed,
            "expires": self.claim.expires,
            "judged_at": int(judged_at),
            "failure": self.failure.value if self.failure else "",
            "reason": self.reason,
            "key": describe_key(self.signature, self.published, self.key),
            "covers": describe_cover(self.signature, header, self.body),
        }


def describe_key(signature: Signature | None, published: Answer | None, key: Key | None) -> dict[str, Any]:
    """Where the key of a signature is, what DNS says there, and what it is like. Names are empty where it was not asked
    for; `record` is what stands there if it is no usable key."""
    records = published.records if published and key is None else ()
    return {
        "name": signature.seal.key_name if signature else "",
        "dns": published.status.value if published else "",
        "type": key.type if key else "",
        "bits": key.bits if key else 0,
        "flags": [flag for flag, is_set in (("y", key.testing), ("s", key.strict)) if is_set] if key else [],
        "record": _line(records[-1]) if records else "",
    }


def describe_cover(signature: Signature | None, header: Header | None, body: BodyHash | None) -> dict[str, Any] | None:
    """What a signature signs; None where that cannot be said. `absent` are the names of fields of which it signs that
    there is none, or no further one; of both the first, and their number. `length` is its l=, and `body_octets` and
    `body_hash` what the body was found to have."""
    if signature is None or header is None:
        return None
    present, absent = header.covered(signature.headers, signature.field)
    return {
        "canonicalization": f"{signature.header_canon}/{signature.body.canon}",
        "fields": [shown(name) for name in present[:MAX_NAMES_SHOWN]],
        "fields_count": len(present),
        "absent": [shown(name) for name in absent[:MAX_NAMES_SHOWN]],
        "absent_count": len(absent),
        "length": signature.body.length,
        "body_octets": body.body_length if body else None,
        "body_hash": _base64(body.digest) if body else "",
        "body_hash_signed": _base64(signature.body_hash),
    }


def _line(octets: bytes) -> str:
    return " ".join(map(shown, octets[:MAX_RECORD_SHOWN].decode("ascii", "replace").split()))


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
