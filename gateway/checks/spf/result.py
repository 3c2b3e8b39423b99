"""SPF result: what was found about a sender, as facts, for the Authentication-Results field, and as a report."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import force_setattr

from gateway.authres.field import MethodResult, Property
from gateway.facts import Fact, Facts, FactType, Spelling, Stage
from gateway.printable import printable

MAX_LOOKUPS = 10  # terms of one evaluation that need DNS, RFC 7208 section 4.6.4
MAX_EXCHANGES = 10  # hosts of one mx term, RFC 7208 section 4.6.4
MAX_POINTERS = 10  # names of the client that ptr and the macro p look at, RFC 7208 section 4.6.4
MAX_VOID_LOOKUPS = 2  # terms for which DNS has nothing, RFC 7208 section 4.6.4
MAX_SHOWN = 120  # characters of a domain owner's text in log and header


class SpfWord(StrEnum):
    """The results of check_host() (RFC 7208 section 2.6)."""

    NONE = "none"  # no domain that could be checked, or it has no record (2.6.1)
    NEUTRAL = "neutral"  # the domain says nothing about this client (2.6.2)
    PASS = "pass"  # noqa: S105  the client may use the domain (2.6.3)
    FAIL = "fail"  # it may not (2.6.4)
    SOFTFAIL = "softfail"  # it probably may not (2.6.5)
    TEMPERROR = "temperror"  # DNS failed for now (2.6.6)
    PERMERROR = "permerror"  # the record cannot be interpreted (2.6.7)


class SpfIdentity(StrEnum):
    """Which of the sender's claims was checked."""

    MAILFROM = "mailfrom"  # the domain of MAIL FROM (RFC 7208 section 2.4)
    HELO = "helo"  # the name given at HELO (2.3), which stands for the null reverse-path


Term = tuple[str, str]  # a domain, and a term of its record as the owner wrote it; "" is the record as a whole


class Finding(Struct, frozen=True, kw_only=True):
    """What check_host() found about one domain. `mechanism` matched; `problem` says what is wrong with the record or
    with DNS. These and `trail` are written by the domain's owner: printable ASCII, and short.

    `trail` leads over include and redirect to the term that matched, or at which the problem arose. `lookups` and
    `void_lookups` count terms as RFC 7208 section 4.6.4 does. `address_bits` are those at the beginning of the client's
    address on which all of this rests: had it others behind them, the same had been found.
    """

    result: SpfWord
    domain: str = ""
    mechanism: str = ""
    problem: str = ""
    trail: tuple[Term, ...] = ()
    lookups: int = 0
    void_lookups: int = 0
    address_bits: int = 0

    @property
    def directive(self) -> str:
        """What matched in the domain's own record, or in that to which it is redirected: it may be an include."""
        terms = (term for _, term in self.trail if not term.startswith("redirect="))
        return next(terms, "") if self.mechanism else ""

    def report(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "result": self.result.value,
            "mechanism": self.mechanism,
            "trail": [{"domain": domain, "term": term} for domain, term in self.trail],
            "lookups": self.lookups,
            "void_lookups": self.void_lookups,
            "reason": self.problem,
        }


class SpfResult(Struct, frozen=True, kw_only=True):
    """What SPF says of a sender. One identity decides: that of MAIL FROM, or of HELO for the null reverse-path, so that
    nothing can pass in the name of the other; the result for HELO is given besides. `skipped` says why nothing was
    checked at all, and is empty otherwise."""

    identity: SpfIdentity
    finding: Finding
    helo: Finding
    skipped: str = ""
    told: Facts = field(default_factory=dict)  # made once, as `stated` is: a sender brings many messages
    stated: tuple[MethodResult, ...] = ()

    def __post_init__(self) -> None:
        if not self.skipped:
            force_setattr(self, "told", self._facts())
            force_setattr(self, "stated", (self._stated(),))

    @property
    def result(self) -> SpfWord:
        return self.finding.result

    @property
    def checked(self) -> Iterator[tuple[SpfIdentity, Finding]]:
        """Each identity that was checked, the one that decides first."""
        if not self.skipped:
            yield self.identity, self.finding
            if self.identity is SpfIdentity.MAILFROM:
                yield SpfIdentity.HELO, self.helo

    @property
    def domain(self) -> str:
        """The domain that was checked, in lower case with A-labels; "" where the sender gave none."""
        return self.finding.domain

    def facts(self) -> Facts:
        return self.told

    def authres(self) -> tuple[MethodResult, ...]:
        return self.stated

    def _facts(self) -> Facts:
        finding = self.finding
        return {
            "spf.result": str(finding.result),
            "spf.identity": str(self.identity),
            "spf.domain": finding.domain,
            "spf.helo": str(self.helo.result),
            "spf.mechanism": finding.mechanism.lower(),
        }

    def _stated(self) -> MethodResult:
        finding = self.finding
        checked = (Property("smtp", str(self.identity), finding.domain),) if finding.domain else ()
        return MethodResult("spf", str(finding.result), reason=finding.problem, properties=checked)

    def report(self) -> Any:
        return {
            "result": self.result.value,
            "identity": self.identity.value,
            "domain": self.domain,
            "helo": self.helo.result.value,
            "mechanism": self.finding.mechanism,
            "reason": self.skipped or self.finding.problem,
            "checked": [{"identity": identity.value, **finding.report()} for identity, finding in self.checked],
        }


def shown(text: str) -> str:
    """What a domain's owner wrote, fit to be shown: printable ASCII, and short."""
    return printable(text, MAX_SHOWN)


_WORDS = tuple(word.value for word in SpfWord)

FACTS = (
    Fact(
        "spf.result",
        FactType.STRING,
        Stage.RCPT,
        "What the domain of MAIL FROM (of HELO, for <>) says about the client; none for our networks and partners",
        "none",
        (*_WORDS, "unavailable"),
    ),
    Fact(
        "spf.identity",
        FactType.STRING,
        Stage.RCPT,
        "Whose domain that was: mailfrom or helo; empty where nothing was checked",
        "",
        tuple(identity.value for identity in SpfIdentity),
    ),
    Fact(
        "spf.domain",
        FactType.STRING,
        Stage.RCPT,
        "That domain; empty where there is none",
        "",
        spelling=Spelling.DOMAIN,
    ),
    Fact(
        "spf.helo",
        FactType.STRING,
        Stage.RCPT,
        "What the domain given at HELO says about the client",
        "none",
        _WORDS,
    ),
    Fact(
        "spf.mechanism",
        FactType.STRING,
        Stage.RCPT,
        "The term that matched, in lower case, such as ip4:192.0.2.0/24 or -all, also within an included record; empty"
        " where none did",
        "",
        spelling=Spelling.LOWER,
    ),
)
