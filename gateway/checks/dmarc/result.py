"""What DMARC found, as facts, as Authentication-Results (RFC 9989 section 9.2) and as a report."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.authres.field import MethodResult, Property
from gateway.checks.dmarc.record import Policy
from gateway.facts import Fact, FactType, FactValue, Stage


class Status(StrEnum):
    """The result words of DMARC (RFC 9989 section 9.2)."""

    NONE = "none"  # no policy record applies to the author domain
    PASS = "pass"  # noqa: S105  a policy record applies, and an authenticated identifier is aligned
    FAIL = "fail"  # a policy record applies, and no authenticated identifier is aligned
    TEMPERROR = "temperror"  # a lookup failed that a later try could do
    PERMERROR = "permerror"  # there is not one author domain, so nothing can be evaluated


class Mechanism(StrEnum):
    """What can authenticate an identifier for DMARC (RFC 9989 section 4.3)."""

    SPF = "spf"
    DKIM = "dkim"


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`policy` is the owner's policy for this message, after sp, np and t; None where no record applies. `domain`
    publishes it. `aligned` names the mechanisms whose authenticated identifier is aligned."""

    result: Status
    from_domain: str = ""
    domain: str = ""
    policy: Policy | None = None
    testing: bool = False
    aligned: tuple[Mechanism, ...] = ()
    reason: str = ""  # for people

    def facts(self) -> dict[str, FactValue]:
        return {
            "dmarc.result": self.result.value,
            "dmarc.policy": self.policy.value if self.policy else "",
            "dmarc.domain": self.domain,
            "dmarc.testing": self.testing,
            "dmarc.aligned": tuple(mechanism.value for mechanism in self.aligned),
        }

    def authres(self) -> tuple[MethodResult, ...]:
        properties = (
            Property("header", "from", self.from_domain),
            Property("policy", "dmarc", self.policy.value if self.policy else ""),
        )
        return (
            MethodResult(
                method="dmarc",
                result=self.result.value,
                reason=self.reason,
                properties=tuple(one for one in properties if one.value),
                comment=f"policy of {self.domain}" if self.domain else "",
            ),
        )

    def report(self) -> Any:
        return {
            "result": self.result.value,
            "policy": self.policy.value if self.policy else "",
            "domain": self.domain,
            "from_domain": self.from_domain,
            "testing": self.testing,
            "aligned": [mechanism.value for mechanism in self.aligned],
            "reason": self.reason,
        }


FACTS = (
    Fact(
        "dmarc.result",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The result of DMARC; permerror: the message has not exactly one author domain",
        Status.NONE.value,
        (*(status.value for status in Status), "unavailable"),
    ),
    Fact(
        "dmarc.policy",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "What the author's domain asks for mail that fails, after sp, np and t; empty where it asks nothing",
        "",
        ("", *(policy.value for policy in Policy)),
    ),
    Fact(
        "dmarc.domain",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The domain whose policy record applies; empty without one",
        "",
    ),
    Fact(
        "dmarc.testing",
        FactType.BOOLEAN,
        Stage.AUTHENTICATED,
        "The domain is only testing its policy (t=y), so dmarc.policy is one level below it",
        False,  # noqa: FBT003
    ),
    Fact(
        "dmarc.aligned",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "The mechanisms that pass for a domain aligned with the author's: spf, dkim",
        (),
    ),
)
