"""SPF query: pyspf's check_host() (RFC 7208 section 4), fed with our DNS and rid of what hostile records could do.

With record.py the only importer of pyspf.
"""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

import spf
from msgspec import Struct

from gateway.checks.spf.macros import expand
from gateway.checks.spf.record import CURRENT_DOMAIN, Mechanism, PermError, Record
from gateway.checks.spf.result import (
    MAX_EXCHANGES,
    MAX_LOOKUPS,
    MAX_POINTERS,
    MAX_VOID_LOOKUPS,
    Finding,
    SpfWord,
    Term,
    shown,
)
from gateway.domain import is_within
from gateway.system.bridge import DeadlinePassed
from gateway.system.dns import Answer, is_name

MAX_RECORD = 4096  # octets; honest ones fit into 512 (section 3.4), and reading one on the loop stays below some ms

LookUp = Callable[[str, str], Answer]
ParseRecord = Callable[[str, int], Record]

_BY_VERSION = {4: ("A", "in-addr", 32, AF_INET), 6: ("AAAA", "ip6", 128, AF_INET6)}
_WORDS: Mapping[str, SpfWord] = {str(word): word for word in SpfWord}


class Claim(Struct, frozen=True, kw_only=True):
    """What is asked: may the client at `ip`, which said `helo`, use `domain`? An IPv4 address is not one mapped into
    IPv6, and an IPv6 address has no scope; `domain` is canonical."""

    ip: IPv4Address | IPv6Address
    helo: str
    local: str
    domain: str


def check_host(claim: Claim, look_up: LookUp, parse: ParseRecord) -> Finding:
    """Evaluate the claim (section 4). `look_up` may raise DeadlinePassed, which is a result; nothing is raised but what
    it raises besides."""
    query = _Query(claim, look_up, parse)
    try:
        word, _, _ = query.check()
        problem = shown(str(query.perm_error or query.prob))
    except DeadlinePassed:
        word, problem = SpfWord.TEMPERROR, "its lookups took too long"
    trail = tuple([(shown(domain), shown(term)) for domain, term in query.trail])
    return Finding(
        result=_WORDS[word],
        domain=claim.domain,
        mechanism=trail[-1][1] if query.mechanism else "",  # it ends the trail
        problem=problem,
        trail=trail,
        lookups=query.lookups,
        void_lookups=len(query.void_terms),
        address_bits=query.address_bits,
    )


class _Query(spf.query):  # type: ignore[misc]
    """One evaluation. pyspf keeps the order of results. `trail` leads from the first record to the term that is being
    evaluated or has decided; `void_terms` has the number of each term that had a void lookup; `address_bits` is what
    Finding has, as far as macros do not ask for the client."""

    prob = ""
    p: str | None = None
    strict = True
    verbose = False
    libspf_local = None
    address_bits = 0

    def __init__(self, claim: Claim, look_up: LookUp, parse: ParseRecord) -> None:
        """What is read of what pyspf's own sets; that one takes apart texts that were put together for it."""
        self.h, self.l = claim.helo, claim.local
        self.d = self.o = claim.domain
        self.s = f"{claim.local}@{claim.domain}"
        self.ipaddr = claim.ip
        self.A, self.v, self.cidrmax, self._family = _BY_VERSION[claim.ip.version]
        self._look_up = look_up
        self._parse = parse
        self._address = int(claim.ip)
        self.trail: list[Term] = []
        self.void_terms: set[int] = set()

    @property
    def i(self) -> str:
        """The address for the macro i (section 7.3)."""
        exploded = self.ipaddr.exploded
        return exploded if self.cidrmax == 32 else ".".join(exploded.replace(":", "").upper())

    def check0(self, text: str | None, recursion: int) -> tuple[str, int, str]:
        """Evaluate one record in the current domain (section 4.6.2). The code and the text serve pyspf's callers."""
        if not text:
            return (SpfWord.NONE, 250, "")
        try:
            record = self._parse(text, self.ipaddr.version)
        except PermError:
            self.trail.append((self.d, ""))
            raise
        for mechanism in record.mechanisms:
            if self._matches(mechanism, recursion):
                if not recursion:
                    self.mechanism = self.trail[-1][1]
                return (mechanism.result, 250, "")
        if record.redirect:
            return self._redirected(record.redirect, recursion)
        return (SpfWord.NEUTRAL, 250, "")

    def _redirected(self, domain_spec: str, recursion: int) -> tuple[str, int, str]:
        """Section 6.1. The lookup is counted here, where it is made, and not where the modifier stands."""
        self.trail.append((self.d, f"redirect={domain_spec}"))
        self.check_lookups()
        domain = self.expand(domain_spec)
        record = self.dns_spf(domain)
        if not record:
            raise PermError("the domain of redirect has no SPF record", domain)
        result: tuple[str, int, str] = self.check1(record, domain, recursion)
        return result

    def _matches(self, mechanism: Mechanism, recursion: int) -> bool:
        """Whether a mechanism matches; if so the trail leads to it, and into the record that it includes."""
        if mechanism.network is not None:
            matches = self._is_within(mechanism.network, mechanism.prefix)
        elif mechanism.name in _NEEDING_LOOKUPS:
            return self._matches_by_lookup(mechanism, recursion)
        else:
            matches = mechanism.name == "all"
        if matches:
            self.trail.append((self.d, mechanism.text))
        return matches

    def _matches_by_lookup(self, mechanism: Mechanism, recursion: int) -> bool:
        """Where DNS fails, or a limit is passed, the trail ends with the mechanism at which that was."""
        length = len(self.trail)
        self.trail.append((self.d, mechanism.text))
        self.check_lookups()
        domain = self.d if mechanism.domain_spec == CURRENT_DOMAIN else self.expand(mechanism.domain_spec)
        matches = _NEEDING_LOOKUPS[mechanism.name](self, domain, mechanism.prefix, recursion)
        if not matches:
            del self.trail[length:]
        return matches

    def check_lookups(self) -> None:
        """Count a term that needs a lookup (section 4.6.4)."""
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            raise PermError(f"more than {MAX_LOOKUPS} terms need a lookup")

    def _includes(self, domain: str, _: int, recursion: int) -> bool:
        """Section 5.2."""
        result = self.check1(self.dns_spf(domain), domain, recursion + 1)[0]
        if result == SpfWord.NONE:
            raise PermError("an included domain has no SPF record", domain)
        return bool(result == SpfWord.PASS)

    def _matches_a(self, domain: str, prefix: int, _: int = 0) -> bool:
        return any(self._is_at(address, prefix) for address in self.dns(domain, self.A))

    def _matches_mx(self, domain: str, prefix: int, _: int) -> bool:
        """Section 5.4: the exchanges are looked up in their order until one matches."""
        exchanges = self.dns(domain, "MX")
        if len(exchanges) > MAX_EXCHANGES:
            raise PermError(f"more than {MAX_EXCHANGES} MX records", domain)
        return any(self._matches_a(host, prefix) for _, host in sorted(exchanges))

    def _matches_exists(self, domain: str, *_: int) -> bool:
        return bool(self.dns(domain, "A"))

    def _matches_ptr(self, domain: str, *_: int) -> bool:
        return any(self._leads_back(name) for name in self._pointers() if is_within(name, domain.lower()))

    def _pointers(self) -> Sequence[str]:
        """The client's names; none where DNS fails (section 5.5). They are the client's and not the domain's: neither
        they nor their addresses count as void lookups, or a client could turn a fail into a permerror."""
        self.address_bits = self.cidrmax
        return self._look_up(self.ipaddr.reverse_pointer, "PTR").records[:MAX_POINTERS]

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
            raise PermError("there is more than one SPF record", domain)
        if not records:
            return None
        if len(records[0]) > MAX_RECORD:
            raise PermError(f"the SPF record is larger than {MAX_RECORD} octets", domain)
        return str(spf.to_ascii(records[0]))

    def dns(self, name: str, qtype: str, cnames: Any = None, ignore_void: bool = False) -> tuple[Any, ...]:  # noqa: FBT001, FBT002
        """pyspf's one way to DNS: records as our resolver gives them. A name that DNS cannot hold has none, and is not
        counted."""
        answer = self._look_up(name, qtype)
        if answer.is_temporary:
            raise spf.TempError(f"{qtype} lookup of {name}: {answer.status.value}")
        if not answer.records and self.lookups and not ignore_void and is_name(name):
            self._count_void(name)
        return answer.records

    def _count_void(self, name: str) -> None:
        """Section 4.6.4 counts terms, and pyspf would count lookups: some exchanges without an IPv6 address are no
        error of a domain. `lookups` is the number of the term, from 1 on: the first record is none."""
        self.void_terms.add(self.lookups)
        if len(self.void_terms) > MAX_VOID_LOOKUPS:
            raise PermError(f"more than {MAX_VOID_LOOKUPS} terms without an answer", name)

    def _is_at(self, address: str, prefix: int) -> bool:
        return self._is_within(int.from_bytes(inet_pton(self._family, address), "big"), prefix)

    def _is_within(self, network: int, prefix: int) -> bool:
        """Whether the client is in a network. The first bit that differs tells that it is not, whatever follows it."""
        difference = self._address ^ network
        matches = not difference >> (self.cidrmax - prefix)
        bits = prefix if matches else self.cidrmax - difference.bit_length() + 1
        if bits > self.address_bits:
            self.address_bits = bits
        return matches


_NEEDING_LOOKUPS: dict[str, Callable[[_Query, str, int, int], bool]] = {
    "include": _Query._includes,
    "a": _Query._matches_a,
    "mx": _Query._matches_mx,
    "exists": _Query._matches_exists,
    "ptr": _Query._matches_ptr,
}
