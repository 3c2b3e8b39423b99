"""Facts: the named, typed values that checks report and rules read, and the stages at which they become known."""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from msgspec import Struct

FactValue = str | float | int | bool | tuple[str, ...] | IPv4Address | IPv6Address
Facts = Mapping[str, FactValue]


class Stage(IntEnum):
    """The stages of the journey at which rules run, in their order."""

    CONNECT = 1
    HELO = 2
    MAIL = 3
    RCPT = 4  # the DNS lists, iprev and spf have answered, where a rule up to here needs them
    AUTHENTICATED = 5  # the message is here, dkim, arc and dmarc have answered
    SCORED = 6  # spamd has answered


class FactType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "strings"  # a tuple of strings
    ADDRESS = "address"  # an IPv4Address or IPv6Address


class Spelling(StrEnum):
    """How the texts of a fact are always written, for people; what a rule compares them with must be written so."""

    ANY = "any text"  # as it came
    LOWER = "in lower case"
    DOMAIN = "a domain in lower case, with A-labels"
    SUFFIX = "what follows the dot, in lower case"
    DATE = "a date such as 2026-12-24"


class Fact(Struct, frozen=True):
    """The declaration of one fact.

    `absent` is the value that rules see where the fact does not apply or is not yet known; a rule never meets a
    missing fact. `values` lists the possible words of a string fact where they are known, so that the linter can
    object to a comparison that never holds; so does `spelling` for other texts. What is `on_demand` is found out only
    where a rule reads it.
    """

    name: str
    type: FactType
    stage: Stage
    meaning: str
    absent: FactValue
    values: tuple[str, ...] = ()
    on_demand: bool = False
    spelling: Spelling = Spelling.ANY


def families(names: Iterable[str]) -> frozenset[str]:
    """How the names of facts begin. Facts of one family come from the same place: what a check finds begins with its
    name."""
    return frozenset(name.partition(".")[0] for name in names)


def absent_facts(declared: Iterable[Fact]) -> dict[str, FactValue]:
    """Every declared fact with the value it has where it is absent: the ground that known facts are laid upon."""
    return {fact.name: fact.absent for fact in declared}


def plain(value: FactValue) -> Any:
    """A fact as JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, IPv4Address | IPv6Address) else value


def all_plain(facts: Facts) -> dict[str, Any]:
    return {name: plain(value) for name, value in facts.items()}
