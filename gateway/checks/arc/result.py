"""What ARC found: the verdict on a chain, as facts, as Authentication-Results (RFC 8617 section 10.1), as a report."""

from dataclasses import dataclass, field
from typing import Any

from gateway.authres.field import MethodResult, Property
from gateway.checks.arc.grounds import Grounds
from gateway.checks.arc.status import ChainStatus, Trust
from gateway.checks.arc.trust import NOBODY, Vouching
from gateway.facts import Fact, Facts, FactType, Spelling, Stage


@dataclass(frozen=True, slots=True)
class ArcResult:
    """What became of a message's chain. Before a pass, `sealers` are claims."""

    result: ChainStatus = ChainStatus.NONE
    length: int = 0  # the number of sets
    sealers: tuple[str, ...] = ()  # d= of the seals, from the first to the newest
    vouching: Vouching = NOBODY
    oldest_pass: int | None = None  # the oldest set whose signature of the message verifies still; 0: all do
    reason: str = ""  # for people
    grounds: Grounds | None = field(default=None, compare=False)
    told: Facts = field(init=False, compare=False)  # made once, as `stated` is: most messages have the same, none
    stated: tuple[MethodResult, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", self._facts())
        object.__setattr__(self, "stated", self._stated())

    @property
    def trusted(self) -> bool:
        return self.vouching.trust is Trust.VOUCHED

    @property
    def sealer(self) -> str:
        """Who sealed last: whom the message came from."""
        return self.sealers[-1] if self.sealers else ""

    def facts(self) -> Facts:
        return self.told

    def authres(self) -> tuple[MethodResult, ...]:
        return self.stated

    def _facts(self) -> Facts:
        return {
            "arc.result": str(self.result),
            "arc.length": self.length,
            "arc.sealer": self.sealer,
            "arc.sealers": self.sealers,
            "arc.trusted": self.trusted,
        }

    def _stated(self) -> tuple[MethodResult, ...]:
        """Nothing for temperror: RFC 8617 section 10.1 registers no such word, and readers such as SpamAssassin pass
        over a whole field that has an unknown one."""
        if self.result is ChainStatus.TEMPERROR:
            return ()
        oldest = () if self.oldest_pass is None else (Property("header", "oldest-pass", str(self.oldest_pass)),)
        comment = f"i={self.length}" if self.length else ""
        return (MethodResult("arc", str(self.result), reason=self.reason, properties=oldest, comment=comment),)

    def report(self) -> Any:
        return {
            "result": self.result.value,
            "chain_length": self.length,
            "sealer": self.sealer,
            "sealers": list(self.sealers),
            "trusted": self.trusted,
            "oldest_pass": self.oldest_pass,
            "reason": self.reason,
            "trust": self.vouching.trust.value,
            "trust_about": self.vouching.sealer,
            "sets": self.grounds.report() if self.grounds else [],
        }


NO_CHAIN = ArcResult()  # most messages have none

FACTS = (
    Fact(
        "arc.result",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "What became of the message's ARC chain",
        ChainStatus.NONE.value,
        (*(status.value for status in ChainStatus), "unavailable"),
    ),
    Fact("arc.length", FactType.NUMBER, Stage.AUTHENTICATED, "The number of ARC sets", 0),
    Fact(
        "arc.sealer",
        FactType.STRING,
        Stage.AUTHENTICATED,
        "The domain that sealed last; a claim before a pass",
        "",
        spelling=Spelling.DOMAIN,
    ),
    Fact(
        "arc.sealers",
        FactType.STRINGS,
        Stage.AUTHENTICATED,
        "All domains that sealed, the last one last",
        (),
        spelling=Spelling.DOMAIN,
    ),
    Fact(
        "arc.trusted",
        FactType.BOOLEAN,
        Stage.AUTHENTICATED,
        "The chain passes, and a trusted sealer found that the author's domain passed DMARC when it came there",
        False,  # noqa: FBT003
    ),
)
