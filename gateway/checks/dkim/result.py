"""What DKIM found: results of signatures, as facts, as Authentication-Results (RFC 8601, RFC 6008) and as a report."""

from functools import lru_cache
from typing import Any

from msgspec import Struct

from gateway.authres.field import MethodResult, Property
from gateway.checks.dkim.header import Header
from gateway.checks.dkim.signatureresult import DkimSignatureResult
from gateway.checks.dkim.status import Failure, Status, TimeFault
from gateway.facts import Fact, FactType, FactValue, Spelling, Stage

__all__ = ["FACTS", "DkimResult", "DkimSignatureResult"]

# Fields that readers show or go by, and that anyone can put above a signature that does not sign them.
SHOWN_FIELDS: tuple[str, ...] = (
    "subject",
    "to",
    "cc",
    "reply-to",
    "sender",
    "date",
    "content-type",
    "content-transfer-encoding",
)
SHORT_B = 8  # characters of b= that tell signatures apart, RFC 6008 section 4
REMEMBERED = 1000  # signers; each is one or two KB at most
LONG_B = 64  # characters of b= at most: honest signatures that agree in so many are the same

# Which word speaks for the whole message: one signature that passes is enough; else what a later try could change, then
# what was found wrong with the message, then what was wrong with its signatures (RFC 6376 section 6.1).
_PRECEDENCE = (
    Status.PASS,
    Status.TEMPERROR,
    Status.FAIL,
    Status.POLICY,
    Status.PERMERROR,
    Status.NEUTRAL,
    Status.NONE,
)


class DkimResult(Struct, frozen=True):
    """What became of the signatures that were evaluated, in the order of the message; `count` is how many there are.
    `judged_at` is the Unix time by which t= and x= were judged."""

    signatures: tuple[DkimSignatureResult, ...] = ()
    count: int = 0
    judged_at: float = 0.0
    header: Header | None = None  # what they cover, if there are any

    @property
    def result(self) -> Status:
        """The word for the whole message."""
        found = [signature.result for signature in self.signatures]
        return min(found, key=_PRECEDENCE.index, default=Status.NONE)

    @property
    def passing_domains(self) -> tuple[str, ...]:
        """The domains that vouch for the message, each once: what DMARC may align with."""
        return tuple(dict.fromkeys([signature.domain for signature in self.signatures if signature.vouches]))

    def facts(self) -> dict[str, FactValue]:
        header, passes, partial = self.header, False, False
        domains: dict[str, None] = {}
        failures: dict[str, None] = {}
        faults: set[TimeFault] = set()
        unsigned = SHOWN_FIELDS if header else ()
        for one in self.signatures:
            if fault := one.claim.time_fault(self.judged_at):
                faults.add(fault)
            if one.failure:
                failures[str(one.failure)] = None
            if one.result is Status.PASS:
                passes = True
                if one.unsigned_octets:
                    partial = True
                    continue
                domains[one.claim.domain] = None
                if header and one.signature:
                    unsigned = header.uncovered(one.signature.headers, unsigned)
        return {
            "dkim.result": str(Status.PASS if passes else self.result),
            "dkim.domains": tuple(domains),
            "dkim.count": self.count,
            "dkim.partial": partial,
            "dkim.unsigned": unsigned if domains else (),  # which of SHOWN_FIELDS are there unsigned
            "dkim.times": tuple([str(fault) for fault in TimeFault if fault in faults]) if faults else (),
            "dkim.failures": tuple(failures),
        }

    def authres(self) -> tuple[MethodResult, ...]:
        if not self.signatures:
            return (MethodResult("dkim", Status.NONE.value),)
        if len(self.signatures) == 1:
            return (_method_result(self.signatures[0], SHORT_B),)
        length = _telling_length([signature.claim.b for signature in self.signatures])
        return tuple([_method_result(signature, length) for signature in self.signatures])

    def report(self) -> Any:
        return [signature.report(self.header, self.judged_at) for signature in self.signatures]


FACTS = (
    Fact(
        "dkim.result",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The best result of the message's DKIM signatures: pass if one of them passes",
        Status.NONE.value,
        (*(status.value for status in Status), "unavailable"),
    ),
    Fact(
        "dkim.domains",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "The domains (d=) whose signatures pass and cover the whole body",
        (),
        spelling=Spelling.DOMAIN,
    ),
    Fact("dkim.count", FactType.NUMBER, Stage.AUTHENTICATED, "The number of DKIM signatures in the message", 0),
    Fact(
        "dkim.partial",
        FactType.BOOLEAN,
        Stage.AUTHENTICATED,
        "A signature passes, but text was added after the part of the body that it signs (l=)",
        False,  # noqa: FBT003
    ),
    Fact(
        "dkim.unsigned",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "Of the fields that readers show or go by those, in lower case, that no signature signs which passes for the "
        "whole body: anyone may have added them; none where no such signature is there",
        (),
        SHOWN_FIELDS,
    ),
    Fact(
        "dkim.times",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "What is wrong with the times of signatures, whatever their result: past its x=, x= not after t=, or t= in the "
        "future",
        (),
        tuple(TimeFault),
    ),
    Fact(
        "dkim.failures",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "What keeps signatures from passing, each kind once",
        (),
        tuple(Failure),
    ),
)


def _method_result(signature: DkimSignatureResult, length: int) -> MethodResult:
    claim = signature.claim
    usual = _usual_properties(claim.domain, claim.identity, claim.selector, claim.algorithm)
    return MethodResult(
        method="dkim",
        result=str(signature.result),
        reason=signature.reason,
        properties=(*usual, Property("header", "b", claim.b[:length])) if claim.b else usual,
        comment=_comment(signature),
    )


@lru_cache(REMEMBERED)
def _usual_properties(domain: str, identity: str, selector: str, algorithm: str) -> tuple[Property, ...]:
    """What the signatures of a signer have in common."""
    stated = (("d", domain), ("i", identity), ("s", selector), ("a", algorithm))
    return tuple([Property("header", name, value) for name, value in stated if value])


def _comment(signature: DkimSignatureResult) -> str:
    if signature.result is not Status.PASS:
        return ""
    key, unsigned = signature.key, signature.unsigned_octets
    notes = [f"{key.bits}-bit key"] if key else []
    if key and key.testing:
        notes.append("testing")
    if unsigned:
        notes.append(f"{unsigned} octets of the body are not signed")
    return ", ".join(notes)


def _telling_length(values: list[str]) -> int:
    """How many characters of b= tell these signatures apart, at least 8 (RFC 6008 section 4)."""
    length, different = SHORT_B, len(set(values))
    while length < LONG_B and len({value[:length] for value in values}) < different:
        length *= 2
    return length
