"""Functions: what conditions may call. Each is pure, total and linear in its arguments, and stands in one table."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import re2
from msgspec import Struct

from gateway.domain import canonical_domain
from gateway.headerfacts import field_name_re, header_fact
from gateway.tomlfile import did_you_mean

MAX_REGEX_MEMORY = 1 << 20  # octets that one regular expression may take; RE2 refuses larger ones

MAPPED = 0xFFFF  # the first 96 bits of an IPv6 address that stands for one of IPv4 (RFC 4291 section 2.5.5.2)

_beyond_re2_re = re.compile(r"\(\?<?[=!]|\\[1-9]|\(\?P=|\(\?>|[+*?}]\+")

Lists = Mapping[str, frozenset[str]]
Prepare = Callable[[str, Lists], object]


class Kind(StrEnum):
    """The types within conditions: those of facts, and those that only literals and functions have."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "strings"
    ADDRESS = "address"
    NUMBERS = "numbers"  # a tuple of numbers
    LIST = "list"  # of a file: what listed() gives
    NETWORKS = "networks"  # what net() gives
    UNKNOWN = "unknown"  # of a part that was found wrong; it goes with anything, so that one fault is told once


class Called(StrEnum):
    """When a function is called."""

    ON_MESSAGES = "on messages"  # with values, each time that a condition is evaluated
    AT_LOAD = "at load"  # with one or more quoted texts; conditions hold what it gave
    FOR_FACT = "for a fact"  # at load, with quoted texts; conditions read the fact that it gave


class WrongLiteral(ValueError):
    """A literal that its function cannot take; the text says why, `hint` what would do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Parameter(Struct, frozen=True):
    """One parameter. `prepare` turns a quoted text into what the function takes, once, when rules are loaded."""

    name: str
    kinds: tuple[Kind, ...]
    prepare: Prepare | None = None
    literal: bool = False  # nothing but a quoted text will do


class Function(Struct, frozen=True):
    """One function.

    Where the result is a boolean and the first argument a tuple of texts, it is true if it is true for any of them.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Kind
    meaning: str
    example: str
    call: Callable[..., object]
    called: Called = Called.ON_MESSAGES

    @property
    def signature(self) -> str:
        names = ", ".join(parameter.name for parameter in self.parameters)
        return f"{self.name}({names}{', ...' if self.called is Called.AT_LOAD else ''})"


class Networks:
    """A set of networks in which an address is looked up in a time that depends on the prefix lengths alone."""

    __slots__ = ("_by_version",)

    def __init__(self, *networks: IPv4Network | IPv6Network) -> None:
        grouped: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            grouped[network.version].setdefault(shift, set()).add(int(network.network_address) >> shift)
        self._by_version = {version: tuple(found.items()) for version, found in grouped.items()}

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        version, number = address.version, int(address)
        if version == 6 and number >> 32 == MAPPED:
            version, number = 4, number & 0xFFFF_FFFF
        for shift, found in self._by_version[version]:  # noqa: SIM110  any() with a generator takes twice as long
            if number >> shift in found:
                return True
        return False


def any_of(call: Callable[..., object]) -> Callable[..., bool]:
    """The function that is true if `call` is true for any of the texts that it is given first."""
    return lambda texts, *rest: any(call(text, *rest) for text in texts)


def _under(domain: str, parent: str | frozenset[str]) -> bool:
    """Of an address its domain counts."""
    if isinstance(parent, str):
        if parent == "" or not domain.endswith(parent):
            return False
        return len(domain) == len(parent) or domain[-len(parent) - 1] in ".@"
    domain = domain.rpartition("@")[2]
    while domain:
        if domain in parent:
            return True
        domain = domain.partition(".")[2]
    return False


def _domain(address: str) -> str:
    return address.rpartition("@")[2] if "@" in address else ""


def _matches(text: str, regex: Any) -> bool:
    return regex.search(text.encode("utf-8", "replace")) is not None


def _prepare_domain(text: str, lists: Lists) -> str:
    """A pattern or an address is refused, since the domain that is meant is another text."""
    domain = canonical_domain(text.removeprefix("."))
    if not domain:
        likely = canonical_domain(text.rpartition("@")[2].strip("*. "))
        raise WrongLiteral(f'"{text}" is not a domain', f'did you mean "{likely}"?' if likely else "")
    return domain


def _prepare_regex(text: str, lists: Lists) -> object:
    options = re2.Options()
    options.max_mem = MAX_REGEX_MEMORY
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if isinstance(error, re2.error) else "it is no Unicode text"
        hint = "RE2 has no look-around and no back references" if _beyond_re2_re.search(text) else ""
        raise WrongLiteral(f"not a regular expression of RE2: {_decoded(reason)}", hint) from error


def _decoded(reason: object) -> str:
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _prepare_network(text: str, lists: Lists) -> IPv4Network | IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        try:
            hint = f'did you mean "{ipaddress.ip_network(text, strict=False)}"?'
        except ValueError:
            hint = 'such as "192.0.2.0/24"'
        raise WrongLiteral(f'"{text}" is not a network', hint) from error


def _prepare_field(text: str, lists: Lists) -> str:
    if not field_name_re.match(text):
        raise WrongLiteral(f'"{text}" is not the name of a header field', 'such as "X-Mailer"')
    return text


def _prepare_list(text: str, lists: Lists) -> frozenset[str]:
    if text not in lists:
        advice = did_you_mean(text, lists) or "a list is a file of that name in lists/"
        raise WrongLiteral(f'there is no list "{text}"', advice)
    return lists[text]


def _union(*lists: frozenset[str]) -> frozenset[str]:
    return lists[0] if len(lists) == 1 else frozenset().union(*lists)


_TEXTS = (Kind.STRING, Kind.STRINGS)

FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for function in (
        Function(
            name="under",
            parameters=(Parameter("domain", _TEXTS), Parameter("parent", (Kind.STRING, Kind.LIST), _prepare_domain)),
            result=Kind.BOOLEAN,
            meaning="the domain, or that of the address, is the parent or below it; the parent may be a list, then: "
            "any domain of it",
            example='under(author.domain, "example.org")',
            call=_under,
        ),
        Function(
            name="matches",
            parameters=(Parameter("text", _TEXTS), Parameter("regex", (Kind.STRING,), _prepare_regex, literal=True)),
            result=Kind.BOOLEAN,
            meaning="the regular expression (RE2 syntax, linear time) is found in the text; `(?i)` ignores case",
            example='matches(subject, r"(?i)\\bunpaid invoice\\b")',
            call=_matches,
        ),
        Function(
            name="startswith",
            parameters=(Parameter("text", _TEXTS), Parameter("beginning", (Kind.STRING,))),
            result=Kind.BOOLEAN,
            meaning="the text begins so",
            example='startswith(client.helo, "[")',
            call=str.startswith,
        ),
        Function(
            name="endswith",
            parameters=(Parameter("text", _TEXTS), Parameter("end", (Kind.STRING,))),
            result=Kind.BOOLEAN,
            meaning="the text ends so",
            example='endswith(recipients, "@example.org")',
            call=str.endswith,
        ),
        Function(
            name="lower",
            parameters=(Parameter("text", (Kind.STRING,)),),
            result=Kind.STRING,
            meaning="the text in lower case",
            example='"free offer" in lower(subject)',
            call=str.lower,
        ),
        Function(
            name="domain",
            parameters=(Parameter("address", (Kind.STRING,)),),
            result=Kind.STRING,
            meaning="what follows the last @ of an address; empty where there is none",
            example='domain(author.address) == "example.org"',
            call=_domain,
        ),
        Function(
            name="len",
            parameters=(Parameter("texts", _TEXTS),),
            result=Kind.NUMBER,
            meaning="how many characters a text has, or how many texts there are",
            example="len(dkim.domains) > 3",
            call=len,
        ),
        Function(
            name="net",
            parameters=(Parameter("network", (Kind.STRING,), _prepare_network, literal=True),),
            result=Kind.NETWORKS,
            meaning="these networks, to look for an address in",
            example='client.ip in net("192.0.2.0/24", "2001:db8::/32")',
            call=Networks,
            called=Called.AT_LOAD,
        ),
        Function(
            name="header",
            parameters=(Parameter("name", (Kind.STRING,), _prepare_field, literal=True),),
            result=Kind.STRINGS,
            meaning="the values of all fields of that name, decoded, at most 1,000 octets each and 20 fields",
            example='matches(header("X-Mailer"), r"(?i)\\bbulk ?mailer\\b")',
            call=header_fact,
            called=Called.FOR_FACT,
        ),
        Function(
            name="listed",
            parameters=(Parameter("name", (Kind.STRING,), _prepare_list, literal=True),),
            result=Kind.LIST,
            meaning="the entries of the list of that name, in lower case",
            example='author.domain in listed("partners")',
            call=_union,
            called=Called.AT_LOAD,
        ),
    )
}
