"""What DMARC found, as facts, as Authentication-Results (RFC 9989 section 9.2) and as a report."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.authres.field import MethodResult, Property
from gateway.checks.dmarc.alignment import Mechanism
from gateway.checks.dmarc.grounds import NO_GROUNDS, Grounds
from gateway.checks.dmarc.record import Policy
from gateway.facts import Fact, Facts, FactType, Spelling, Stage


class Status(StrEnum):
    """The result words of DMARC (RFC 9989 section 9.2)."""

    NONE = "none"  # no policy record applies to the author domain
    PASS = "pass"  # noqa: S105  a policy record applies, and an authenticated identifier is aligned
    FAIL = "fail"  # a policy record applies, and no authenticated identifier is aligned
    TEMPERROR = "temperror"  # a lookup failed that a later try could do
    PERMERROR = "permerror"  # there is not one author domain, and no policy is broken that one of them could have


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`policy` is the owner's policy for this message, after sp, np and t; None where no record applies. `published` is
    it before t. `domain` publishes it. `aligned` names the mechanisms whose authenticated identifier is aligned."""

    result: Status
    from_domain: str = ""
    domain: str = ""
    policy: Policy | None = None
    published: Policy | None = None
    testing: bool = False
    aligned: tuple[Mechanism, ...] = ()
    reason: str = ""  # for people
    spf_skipped: str = ""  # why SPF was not asked about this client, so that only DKIM could vouch
    grounds: Grounds | None = field(default=None, compare=False)
    told: Facts = field(init=False, compare=False)  # made once, as `stated` is: an author's domain has many messages
    stated: tuple[MethodResult, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", self._facts())
        object.__setattr__(self, "stated", self._stated())

    def facts(self) -> Facts:
        return self.told

    def authres(self) -> tuple[MethodResult, ...]:
        return self.stated

    def _facts(self) -> Facts:
        return {
            "dmarc.result": str(self.result),
            "dmarc.policy": str(self.policy or ""),
            "dmarc.published": str(self.published or ""),
            "dmarc.author": self.from_domain,
            "dmarc.domain": self.domain,
            "dmarc.testing": self.testing,
            "dmarc.aligned": tuple(map(str, self.aligned)),
        }

    def _stated(self) -> tuple[MethodResult, ...]:
        """Nothing for a fail that SPF was not asked about: it is not definite, and next hops act on the word."""
        if self.spf_skipped and self.result is Status.FAIL:
            return ()
        properties = (
            Property("header", "from", self.from_domain),
            Property("policy", "dmarc", str(self.policy or "")),
        )
        return (
            MethodResult(
                method="dmarc",
                result=str(self.result),
                reason=self.reason,
                properties=tuple([one for one in properties if one.value]),
                comment=f"policy of {self.domain}" if self.domain else "",
            ),
        )

    def report(self) -> Any:
        note = f" (SPF was not asked: {self.spf_skipped})" if self.spf_skipped and self.reason else ""
        return {
            "result": self.result.value,
            "policy": self.policy.value if self.policy else "",
            "domain": self.domain,
            "from_domain": self.from_domain,
            "testing": self.testing,
            "aligned": [mechanism.value for mechanism in self.aligned],
            "reason": f"{self.reason}{note}",
            **(self.grounds.report() if self.grounds else NO_GROUNDS),
        }


FACTS = (
    Fact(
        "dmarc.result",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The result of DMARC, for our networks and partners by DKIM alone; permerror: the message has not exactly one "
        "author domain, and breaks no policy",
        Status.NONE.value,
        (*(status.value for status in Status), "unavailable"),
    ),
    Fact(
        "dmarc.policy",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "What the author's domain asks for mail that fails, after sp, np and t; empty where it asks nothing. With "
        "temperror at least that, by the records that could be looked up",
        "",
        ("", *(policy.value for policy in Policy)),
    ),
    Fact(
        "dmarc.published",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "What the author's domain publishes for mail that fails; dmarc.policy is one level below it under test (t=y)",
        "",
        ("", *(policy.value for policy in Policy)),
    ),
    Fact(
        "dmarc.author",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The domain whose use was judged: author.domain, or of author.domains the one with the strictest policy that "
        "is not met; empty where none could be",
        "",
        spelling=Spelling.DOMAIN,
    ),
    Fact(
        "dmarc.domain",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The domain whose policy record applies; empty without one",
        "",
        spelling=Spelling.DOMAIN,
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
        "The mechanisms that pass for a domain aligned with the author's: spf, dkim; with temperror those that are "
        "aligned by the policy record that could be looked up",
        (),
    ),
)
