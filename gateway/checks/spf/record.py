"""SPF record: turns the text of a record into the terms that are evaluated (RFC 7208 sections 4.6.1, 5, 6 and 12).

pyspf knows the grammar of mechanisms; that of modifiers, and of the macros in both, is read here in linear time. What a
record says does not depend on the message, so that a parsed one serves all of them. Raises PermError.
"""

import re
from ipaddress import IPv4Address, IPv6Address

import spf
from msgspec import Struct

from gateway.checks.spf.macros import is_domain_spec, is_macro_string

PermError = spf.PermError

CURRENT_DOMAIN = "%{d}"  # what a, mx and ptr are about where they name no domain

_modifier_re = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)\Z", re.DOTALL)


class Mechanism(Struct, frozen=True):
    """One directive. `prefix` is that of a and mx, ip4 and ip6 for clients of this IP version; `network` is that of ip4
    and ip6, and None where it is of the other version."""

    text: str
    name: str
    result: str  # of its qualifier
    domain_spec: str
    prefix: int
    network: int | None = None


class Record(Struct, frozen=True):
    mechanisms: tuple[Mechanism, ...]
    redirect: str = ""


def parse_record(text: str, version: int) -> Record:
    """Parse a record for clients of IP `version`. Any syntax error in it is one of the whole (section 4.6)."""
    if not text.isprintable():  # pyspf's expressions let a line feed through at the end of a term
        raise PermError("a control character stands in the record")
    grammar = _Grammar(version)
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in text.split(" ")[1:]:
        if match := _modifier_re.match(term):
            _add_modifier(modifiers, match[1].lower(), match[2])
        elif term:
            mechanisms.append(grammar.mechanism(term))
    return Record(tuple(mechanisms), modifiers.get("redirect", ""))


def _add_modifier(modifiers: dict[str, str], name: str, value: str) -> None:
    """Check a modifier and note it. An explanation is never fetched: a stranger writes it, for the sender's eyes."""
    if name not in ("redirect", "exp"):
        if not is_macro_string(value):
            raise PermError("a modifier has an invalid macro", name)
    elif name in modifiers:
        raise PermError("a modifier stands there twice", name)
    elif not is_domain_spec(value):
        raise PermError("a modifier names no domain", name)
    else:
        modifiers[name] = value


class _Grammar(spf.query):  # type: ignore[misc]
    """pyspf's grammar of mechanisms, without a query."""

    def __init__(self, version: int) -> None:
        self.d = CURRENT_DOMAIN
        self.v, self.cidrmax = ("in-addr", 32) if version == 4 else ("ip6", 128)
        self.strict = True

    def mechanism(self, term: str) -> Mechanism:
        try:
            _, name, argument, prefix, result = self.validate_mechanism(term)
            network = self._network(name, argument)
        except ValueError:  # numbers too long for int(), and addresses that its expressions let through
            raise PermError("a term cannot be read", term) from None
        return Mechanism(term, name, result, argument, prefix, network)

    def expand_domain(self, argument: str) -> str:
        """Check a domain-spec and leave it as it is: it is expanded when its mechanism is evaluated."""
        if not is_domain_spec(argument):
            raise PermError("a term names no domain", argument)
        return argument

    def _network(self, name: str, argument: str) -> int | None:
        if name == "ip4" and self.cidrmax == 32:
            return int(IPv4Address(argument))
        if name == "ip6" and self.cidrmax == 128:
            return int(IPv6Address(argument))
        return None
