"""The tables [dnslist.NAME]: which DNS lists are asked, about what, and which of their answers count."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator

from gateway.checks.dnslists.codes import CodePattern, parse_pattern
from gateway.domain import required_domain
from gateway.settings import Section


class Kind(StrEnum):
    BLOCK = "block"
    ALLOW = "allow"


class About(StrEnum):
    """What a list is asked about."""

    CLIENT = "client"  # the client's address
    HELO = "helo"  # the name given at HELO
    SENDER = "sender"  # the domain of MAIL FROM


def _pattern(value: object) -> CodePattern:
    return value if isinstance(value, CodePattern) else parse_pattern(str(value))


ListName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Zone = Annotated[str, AfterValidator(required_domain)]
Pattern = Annotated[CodePattern, PlainValidator(_pattern)]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class DnsListSettings(Section):
    """A DNS block or allow list (RFC 5782), under a name of the site's choice that rules, log and replies show. None is
    asked unless it stands here: public lists have terms of use."""

    zone: Zone
    """The zone that is asked. Where it has a key in it, nobody is shown it, except that of an allow list of addresses:
    it stands in our Authentication-Results field."""

    kind: Kind = Kind.BLOCK
    """"block" or "allow". An entry in an allow list outweighs those in block lists."""

    about: About = About.CLIENT
    """What is looked up: "client", the client's address; "helo", the name it gave; "sender", the domain of MAIL FROM.
    Names can be forged, addresses cannot."""

    listed: tuple[Pattern, ...] = Field(default=(parse_pattern("127.0.0.[2..254]"),), min_length=1)
    """The answers that count as listed. Others out of 127.0.0.0/8 say nothing; error codes, such as 127.255.255.254,
    and addresses outside of it are failures of the list, whatever stands here."""

    names: dict[Pattern, Word] = Field(default_factory=dict)
    """Words for answers, by which rules can tell them apart: { "127.0.0.[10..11]" = "pbl" }."""

    timeout: float = Field(default=5.0, gt=0, le=30)
    """Seconds for an answer, then the list has failed. Recipients wait for it where a rule needs it."""
