"""SPF query: pyspf's check_host() (RFC 7208 section 4), fed with our DNS and rid of what hostile records could do.

With record.py the only importer of pyspf.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import spf

from gateway.checks.spf.macros import expand
from gateway.checks.spf.record import CURRENT_DOMAIN, Mechanism, Record
from gateway.checks.spf.result import Finding, SpfWord
from gateway.domain import is_within
from gateway.system.bridge import DeadlinePassed
from gateway.system.dns import Answer, is_name

MAX_RECORD = 4096  # octets; honest ones fit into 512 (section 3.4), and reading one on the loop stays below some ms
MAX_SHOWN = 120  # characters of a domain owner's text in log and header

_unprintable_re = re.compile(r"[^\x20-\x7e]")

LookUp = Callable[[str, str], Answer]
ParseRecord = Callable[[str, int], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is asked: may the client at `ip`, which said `helo`, use `domain`? An IPv4 address is not one mapped into
    IPv6, and an IPv6 address has no scope; `domain` is canonical."""

    ip: IPv4Address | IPv6Address
    helo: str
    local: str
    domain: str


def check_host(claim: Claim, look_up: LookUp, parse: ParseRecord) -> Finding:
    """Evaluate the claim (section 4). `look_up` may raise DeadlinePassed; nothing else is raised."""
    query = _Query(claim, look_up, parse)
    try:
        word, _, _ = query.check()
    except DeadlinePassed:
        return Finding(result=SpfWord.TEMPERROR, domain=claim.domain, problem="its lookups took too long")
    return Finding(
        result=SpfWord(word),
        domain=claim.domain,
        mechanism=_shown(query.mechanism or ""),
        problem=_shown(str(query.perm_error or query.prob)),
    )


class _Query(spf.query):  # type: ignore[misc]
    """One evaluation. pyspf keeps the limits on lookups, void lookups and MX records, and the order of results."""

    prob = ""
    p: str | None

    def __init__(self, claim: Claim, look_up: LookUp, parse: ParseRecord) -> None:
        super().__init__(i=str(claim.ip), s=f"{claim.local}@{claim.domain}", h=claim.helo)
        self.l = claim.local  # pyspf parts a quoted "@" of the local part from the rest of it
        self.d = self.o = claim.domain
        self._look_up = look_up
        self._parse = parse
        self._address = int(claim.ip)
        self._reverse_name = claim.ip.reverse_pointer
        self._void_terms: set[int] = set()

    def check0(self, text: str | None, recursion: int) -> tuple[str, int, str]:
        """Evaluate one record in the current domain (section 4.6.2). The code and the text serve pyspf's callers."""
        if not text:
            return (SpfWord.NONE, 250, "")
        record = self._parse(text, self.ipaddr.version)
        for mechanism in record.mechanisms:
            if self._matches(mechanism, recursion):
                if not recursion:
                    self.mechanism = mechanism.text
                return (mechanism.result, 250, "")
        if record.redirect:
            return self._redirected(record.redirect, recursion)
        return (SpfWord.NEUTRAL, 250, "")

    def _redirected(self, domain_spec: str, recursion: int) -> tuple[str, int, str]:
        """Section 6.1. The lookup is counted here, where it is made, and not where the modifier stands."""
        self.check_lookups()
        domain = self.expand(domain_spec)
        record = self.dns_spf(domain)
        if not record:
            raise spf.PermError("the domain of redirect has no SPF record", domain)
        result: tuple[str, int, str] = self.check1(record, domain, recursion)
        return result

    def _matches(self, mechanism: Mechanism, recursion: int) -> bool:
        if mechanism.network is not None:
            return self._is_within(mechanism.network, mechanism.prefix)
        if mechanism.name in ("all", "ip4", "ip6"):
            return mechanism.name == "all"
        self.check_lookups()
        domain = self.d if mechanism.domain_spec == CURRENT_DOMAIN else self.expand(mechanism.domain_spec)
        if mechanism.name == "include":
            return self._includes(domain, recursion)
        return _MATCHERS[mechanism.name](self, domain, mechanism.prefix)

    def _includes(self, domain: str, recursion: int) -> bool:
        """Section 5.2."""
        result = self.check1(self.dns_spf(domain), domain, recursion + 1)[0]
        if result == SpfWord.NONE:
            raise spf.PermError("an included domain has no SPF record", domain)
        return bool(result == SpfWord.PASS)

    def _matches_a(self, domain: str, prefix: int) -> bool:
        return any(self._is_at(address, prefix) for address in self.dns(domain, self.A))

    def _matches_mx(self, domain: str, prefix: int) -> bool:
        """Section 5.4: the exchanges are looked up in their order until one matches."""
        exchanges = self.dns(domain, "MX")
        if len(exchanges) > spf.MAX_MX:
            raise spf.PermError(f"more than {spf.MAX_MX} MX records", domain)
        return any(self._matches_a(host, prefix) for _, host in sorted(exchanges))

    def _matches_exists(self, domain: str, _: int) -> bool:
        return bool(self.dns(domain, "A"))

    def _matches_ptr(self, domain: str, _: int) -> bool:
        return any(self._leads_back(name) for name in self._pointers() if is_within(name, domain.lower()))

    def _pointers(self) -> Sequence[str]:
        """The client's names; none where DNS fails (section 5.5). They are the client's and not the domain's: neither
        they nor their addresses count as void lookups, or a client could turn a fail into a permerror."""
        return self._look_up(self._reverse_name, "PTR").records[: spf.MAX_PTR]

    def _leads_back(self, name: str) -> bool:
        """Whether a name of the client has its address. One that cannot be looked up is passed over (section 5.5)."""
        return any(self._is_at(address, self.cidrmax) for address in self._look_up(name, self.A).records)

    def getp(self) -> str:
        """The name for the macro p (section 7.3): best the domain itself, then one below it, then any."""
        if self.p is None:
            names = sorted(self._pointers(), key=self._closeness)
            self.p = next(filter(self._leads_back, names), "unknown")
        return self.p

    def _closeness(self, name: str) -> int:
        domain = self.d.lower()
        return 0 if name == domain else 1 if is_within(name, domain) else 2

    def expand(self, text: str, stripdot: bool = True) -> str:  # noqa: FBT001, FBT002  pyspf's signature
        return expand(text, lambda letter: self.getp() if letter == "p" else str(getattr(self, letter)))

    def dns_spf(self, domain: str) -> str | None:
        """The domain's one SPF record (section 4.5), or None."""
        records = [record for record in self.dns(domain, "TXT") if spf.RE_SPF.match(record)]
        if len(records) > 1:
            raise spf.PermError("there is more than one SPF record", domain)
        if not records:
            return None
        if len(records[0]) > MAX_RECORD:
            raise spf.PermError(f"the SPF record is larger than {MAX_RECORD} octets", domain)
        return str(spf.to_ascii(records[0]))

    def dns(self, name: str, qtype: str, cnames: Any = None, ignore_void: bool = False) -> tuple[Any, ...]:  # noqa: FBT001, FBT002
        """pyspf's one way to DNS: records as our resolver gives them. A name that DNS cannot hold has none."""
        if not is_name(name):
            return ()
        answer = self._look_up(name, qtype)
        if answer.is_temporary:
            raise spf.TempError(f"{qtype} lookup: {answer.status.value}", name)
        if not answer.records and not ignore_void:
            self._count_void(name)
        return answer.records

    def _count_void(self, name: str) -> None:
        """Section 4.6.4 counts terms, and pyspf would count lookups: some exchanges without an IPv6 address are no
        error of a domain. `lookups` is the number of the term."""
        self._void_terms.add(self.lookups)
        if len(self._void_terms) > spf.MAX_VOID_LOOKUPS:
            raise spf.PermError(f"more than {spf.MAX_VOID_LOOKUPS} terms without an answer", name)

    def _is_at(self, address: str, prefix: int) -> bool:
        return self._is_within(int(ip_address(address)), prefix)

    def _is_within(self, network: int, prefix: int) -> bool:
        return not (self._address ^ network) >> (self.cidrmax - prefix)


_MATCHERS: dict[str, Callable[[_Query, str, int], bool]] = {
    "a": _Query._matches_a,
    "mx": _Query._matches_mx,
    "exists": _Query._matches_exists,
    "ptr": _Query._matches_ptr,
}


def _shown(text: str) -> str:
    return _unprintable_re.sub("?", text[:MAX_SHOWN])
