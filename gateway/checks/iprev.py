"""Reverse name: turns a client's address into a name that leads back to it (RFC 8601 section 3)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from msgspec import Struct, field
from msgspec.structs import force_setattr

from gateway.authres.field import MethodResult, Property
from gateway.checks.base import Result, Subject
from gateway.domain import canonical_domain
from gateway.facts import Fact, Facts, FactType, Spelling, Stage
from gateway.system.conclusions import Conclusions
from gateway.system.dns import Answer, Resolver
from gateway.system.together import together

MAX_NAMES = 10  # each costs a lookup, and the owner of the address chooses how many; as RFC 7208 section 4.6.4
CONCLUSIONS = 2000  # clients

Address = IPv4Address | IPv6Address


class IprevStatus(StrEnum):
    """How the confirmation ended (RFC 8601 section 2.7.3)."""

    PASS = "pass"  # noqa: S105  a name of the address has that address
    FAIL = "fail"  # the address has names, and none of them has the address
    TEMPERROR = "temperror"  # a lookup failed that may succeed later
    PERMERROR = "permerror"  # the address has no name


class IprevResult(Struct, frozen=True, kw_only=True):
    """What the reverse name check found. `name` is the confirmed name, and empty where there is none."""

    result: IprevStatus
    ip: Address
    name: str = ""
    reason: str = ""
    told: Facts = field(default_factory=dict)  # made once, as `stated` is: a client brings many messages
    stated: tuple[MethodResult, ...] = ()

    def __post_init__(self) -> None:
        stated = MethodResult(
            method="iprev",
            result=str(self.result),
            reason=self.reason,
            properties=(Property("policy", "iprev", str(self.ip)),),
            comment=self.name,
        )
        force_setattr(self, "stated", (stated,))
        force_setattr(self, "told", {"iprev.result": str(self.result), "iprev.name": self.name})

    def facts(self) -> Facts:
        return self.told

    def authres(self) -> tuple[MethodResult, ...]:
        return self.stated

    def report(self) -> Any:
        return {"result": self.result.value, "name": self.name, "reason": self.reason}


FACTS = (
    Fact(
        "iprev.result",
        FactType.STRING,
        Stage.RCPT,
        "Whether the client's address has a name that leads back to it; permerror: it has no name at all",
        "unavailable",
        (*(status.value for status in IprevStatus), "unavailable"),
    ),
    Fact(
        "iprev.name",
        FactType.STRING,
        Stage.RCPT,
        "The client's confirmed name; empty where there is none",
        "",
        spelling=Spelling.DOMAIN,
    ),
)
NAME_FACTS = frozenset({"iprev.name"})


class IprevCheck:
    """Looks up the names of the client's address, and the addresses of each."""

    name = "iprev"
    facts = FACTS

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._concluded: Conclusions[bytes, IprevResult] = Conclusions(resolver, size=CONCLUSIONS)

    async def __call__(self, subject: Subject) -> IprevResult:
        ip = bare_address(subject.connection.ip)
        return self._concluded.recall(ip.packed) or await self._conclude(ip)

    def known(self, subject: Subject) -> IprevResult | None:
        return self._concluded.recall(bare_address(subject.connection.ip).packed)

    async def _conclude(self, ip: Address) -> IprevResult:
        pointers = await self._resolver.query(ip.reverse_pointer, "PTR")
        names = host_names(pointers)
        rrtype = "A" if ip.version == 4 else "AAAA"
        answers = await together(self._resolver.query(name, rrtype) for name in names)
        found = judge(ip, pointers, dict(zip(names, answers, strict=True)))
        grounds = {(name, rrtype): answer for name, answer in zip(names, answers, strict=True)}
        self._concluded.keep(ip.packed, found, {(ip.reverse_pointer, "PTR"): pointers, **grounds})
        return found


def judge(ip: Address, pointers: Answer, forward: Mapping[str, Answer]) -> IprevResult:
    """What follows from the names of `ip` and the addresses of each name. Pure."""
    if pointers.is_temporary:
        return IprevResult(result=IprevStatus.TEMPERROR, ip=ip, reason=f"PTR lookup: {pointers.status.value}")
    if not pointers.records:
        return IprevResult(result=IprevStatus.PERMERROR, ip=ip, reason="the address has no name")
    for name, answer in forward.items():
        if ip in map(ip_address, answer.records):
            return IprevResult(result=IprevStatus.PASS, ip=ip, name=name)
    if any(answer.is_temporary for answer in forward.values()):
        return IprevResult(result=IprevStatus.TEMPERROR, ip=ip, reason="the addresses of its name cannot be looked up")
    return IprevResult(result=IprevStatus.FAIL, ip=ip, reason="no name of the address leads back to it")


def host_names(pointers: Answer) -> Sequence[str]:
    """The names to confirm: each once, and only what can be a host name, since the address's owner writes them."""
    names = dict.fromkeys(map(canonical_domain, pointers.records))
    return [name for name in names if name][:MAX_NAMES]


def confirmed_name(results: Mapping[str, Result]) -> str:
    """The client's confirmed name out of the results of all checks, or ""."""
    result = results.get(IprevCheck.name)
    return result.name if isinstance(result, IprevResult) else ""


def bare_address(ip: Address) -> Address:
    """The address that DNS knows: without the scope of a link, and IPv4 as such where it came mapped into IPv6."""
    if isinstance(ip, IPv4Address):
        return ip
    return ip.ipv4_mapped or IPv6Address(int(ip))
