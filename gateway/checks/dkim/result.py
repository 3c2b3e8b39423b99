"""What DKIM found: results of signatures, as facts, as Authentication-Results (RFC 8601, RFC 6008) and as a report."""

from dataclasses import dataclass
from typing import Any

from gateway.authres.field import MethodResult, Property
from gateway.checks.dkim.signature import Claim
from gateway.checks.dkim.status import Status
from gateway.facts import Fact, FactType, FactValue, Stage

SHORT_B = 8  # characters of b= that tell signatures apart, RFC 6008 section 4
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


@dataclass(frozen=True, slots=True)
class DkimSignatureResult:
    """What became of one signature."""

    result: Status
    claim: Claim
    reason: str = ""  # for people; empty for a pass
    key_bits: int = 0
    testing: bool = False  # its key has t=y
    unsigned_octets: int = 0  # of the body, after its l=

    @property
    def domain(self) -> str:
        """d=, in lower case with A-labels; verified only where the result is a pass."""
        return self.claim.domain

    @property
    def partial(self) -> bool:
        """It signs only the beginning of the body; anyone may have written the rest (RFC 6376 section 8.2)."""
        return self.unsigned_octets > 0

    @property
    def vouches(self) -> bool:
        """It passes for the message as it is read. A key with t=y counts: receivers treat it so, and many domains that
        sign all their mail have left the flag behind."""
        return self.result is Status.PASS and not self.partial


@dataclass(frozen=True, slots=True)
class DkimResult:
    """What became of the signatures that were evaluated, in the order of the message; `count` is how many there are."""

    signatures: tuple[DkimSignatureResult, ...] = ()
    count: int = 0

    @property
    def result(self) -> Status:
        """The word for the whole message."""
        found = {signature.result for signature in self.signatures}
        return next((status for status in _PRECEDENCE if status in found), Status.NONE)

    @property
    def passing_domains(self) -> tuple[str, ...]:
        """The domains that vouch for the message, each once: what DMARC may align with."""
        return tuple(dict.fromkeys(signature.domain for signature in self.signatures if signature.vouches))

    def facts(self) -> dict[str, FactValue]:
        return {
            "dkim.result": self.result.value,
            "dkim.domains": self.passing_domains,
            "dkim.count": self.count,
            "dkim.partial": any(s.result is Status.PASS and s.partial for s in self.signatures),
        }

    def authres(self) -> tuple[MethodResult, ...]:
        if not self.signatures:
            return (MethodResult("dkim", Status.NONE.value),)
        length = _telling_length([signature.claim.b for signature in self.signatures])
        return tuple(_method_result(signature, length) for signature in self.signatures)

    def report(self) -> Any:
        return [_report(signature) for signature in self.signatures]


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
    ),
    Fact("dkim.count", FactType.NUMBER, Stage.AUTHENTICATED, "The number of DKIM signatures in the message", 0),
    Fact(
        "dkim.partial",
        FactType.BOOLEAN,
        Stage.AUTHENTICATED,
        "A signature passes, but text was added after the part of the body that it signs (l=)",
        False,  # noqa: FBT003
    ),
)


def _method_result(signature: DkimSignatureResult, length: int) -> MethodResult:
    claim = signature.claim
    values = (("d", claim.domain), ("i", claim.identity), ("s", claim.selector), ("a", claim.algorithm))
    return MethodResult(
        method="dkim",
        result=signature.result.value,
        reason=signature.reason,
        properties=tuple(
            Property("header", name, value) for name, value in (*values, ("b", claim.b[:length])) if value
        ),
        comment=_comment(signature),
    )


def _comment(signature: DkimSignatureResult) -> str:
    notes = (
        f"{signature.key_bits}-bit key" if signature.key_bits else "",
        "testing" if signature.testing else "",
        f"{signature.unsigned_octets} octets of the body are not signed" if signature.partial else "",
    )
    return ", ".join(note for note in notes if note)


def _telling_length(values: list[str]) -> int:
    """How many characters of b= tell these signatures apart, at least 8 (RFC 6008 section 4)."""
    length = SHORT_B
    different = len(set(values))
    while length < LONG_B and len({value[:length] for value in values}) < different:
        length *= 2
    return length


def _report(signature: DkimSignatureResult) -> dict[str, Any]:
    return {
        "result": signature.result.value,
        "domain": signature.claim.domain,
        "selector": signature.claim.selector,
        "identity": signature.claim.identity,
        "algorithm": signature.claim.algorithm,
        "key_bits": signature.key_bits,
        "testing": signature.testing,
        "unsigned_octets": signature.unsigned_octets,
        "reason": signature.reason,
    }
