"""Envelope: one mail transaction; turns the paths of MAIL and RCPT into addresses (RFC 5321 sections 3.3, 4.1.2)."""

import re
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from gateway.domain import canonical_domain
from gateway.facts import Fact, FactType, FactValue, Spelling, Stage

MAX_PATH = 256  # octets with the angle brackets, RFC 5321 section 4.5.3.1.3
MAX_LOCAL_PART = 64  # octets, RFC 5321 section 4.5.3.1.1
KEPT_SENDERS = 512  # whose paths were parsed: many come again

# Of what is not ASCII (RFC 6531 section 3.3) no control, line or direction character, and no stray octet of bad UTF-8.
_international = r"\xa1-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\U0010ffff"
_atext = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_international}-]"
_dot_string = rf"{_atext}+(?:\.{_atext}+)*"
_quoted_string = rf'"(?:[\x20\x21\x23-\x5b\x5d-\x7e{_international}]|\\[\x20-\x7e])*"'
_domain = rf"(?:[A-Za-z0-9_.{_international}-]+|\[[A-Za-z0-9:.]+\])"
_source_route = rf"(?:@{_domain}(?:,@{_domain})*:)?"
_mailbox_re = re.compile(rf"{_source_route}({_dot_string}|{_quoted_string})@({_domain})\Z")
_quoted_pair_re = re.compile(r"\\(.)")
_dot_string_re = re.compile(rf"{_dot_string}\Z")


class BodyType(StrEnum):
    """The BODY parameter of MAIL (RFC 6152); BINARYMIME is never offered."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


class Address(Struct, frozen=True, gc=False):
    """A mailbox. `local` is the local part as it must be written on the wire; `domain` is in lower case with
    A-labels, and empty for <postmaster> alone (RFC 5321 section 4.1.1.3)."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def bare_local(self) -> str:
        """The local part without quotes and in lower case, to compare with."""
        if self.local.startswith('"'):
            return _quoted_pair_re.sub(r"\1", self.local[1:-1]).lower()
        return self.local.lower()

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii() and self.domain.isascii()


class Recipient(Struct, frozen=True, gc=False):
    """One accepted RCPT, with its DSN parameters (RFC 3461) as they came."""

    address: Address
    parameters: tuple[str, ...] = ()


class Envelope(Struct, frozen=True, gc=False):
    """One mail transaction (RFC 5321 section 3.3). A sender of None is the null reverse-path."""

    id: str  # unique among all workers, printable, at most 24 characters; it stands in the log, Received and XFORWARD
    sender: Address | None
    recipients: tuple[Recipient, ...] = ()
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    size: int | None = None  # octets, as declared (RFC 1870)
    requiretls: bool = False  # to be handed on over TLS with a known host only, by those who do the same (RFC 8689)
    parameters: tuple[str, ...] = ()  # DSN's RET and ENVID as they came

    @property
    def reverse_path(self) -> str:
        """The sender as it stands between the angle brackets of MAIL FROM; "" for the null reverse-path."""
        return str(self.sender) if self.sender else ""

    def facts(self) -> dict[str, FactValue]:
        sender = self.sender
        return {
            "sender.address": str(sender).lower() if sender else "",
            "sender.domain": sender.domain if sender else "",
            "sender.null": sender is None,
            "recipients": tuple([str(r.address).lower() for r in self.recipients]),
            "recipient.domain": self.recipients[0].address.domain if self.recipients else "",
            "recipient.count": len(self.recipients),
        }


FACTS = (
    Fact(
        "sender.address",
        FactType.STRING,
        Stage.MAIL,
        "MAIL FROM in lower case; empty for <>",
        "",
        spelling=Spelling.LOWER,
    ),
    Fact(
        "sender.domain",
        FactType.STRING,
        Stage.MAIL,
        "The domain of MAIL FROM; empty for <>",
        "",
        spelling=Spelling.DOMAIN,
    ),
    Fact("sender.null", FactType.BOOLEAN, Stage.MAIL, "MAIL FROM was <>: a bounce or a notification", False),  # noqa: FBT003
    Fact(
        "recipients",
        FactType.STRINGS,
        Stage.RCPT,
        "The accepted recipients so far, in lower case",
        (),
        spelling=Spelling.LOWER,
    ),
    Fact(
        "recipient.domain",
        FactType.STRING,
        Stage.RCPT,
        "The domain of the first recipient",
        "",
        spelling=Spelling.DOMAIN,
    ),
    Fact("recipient.count", FactType.NUMBER, Stage.RCPT, "The number of accepted recipients so far", 0),
)


class PathError(ValueError):
    """A path that RFC 5321 does not allow; the text says what is wrong with it, for the client."""


@lru_cache(KEPT_SENDERS)
def parse_reverse_path(text: str) -> Address | None:
    """Parse what follows MAIL FROM: with its angle brackets; None is the null reverse-path. Raises PathError."""
    inner = _inside_brackets(text)
    return _parse_mailbox(inner) if inner else None


def parse_forward_path(text: str) -> Address:
    """Parse what follows RCPT TO: with its angle brackets. A source route is dropped (RFC 5321 section 4.1.1.3), so it
    cannot carry mail anywhere. Raises PathError."""
    inner = _inside_brackets(text)
    if inner.lower() == "postmaster":
        return Address(local=inner, domain="")
    return _parse_mailbox(inner)


def _inside_brackets(text: str) -> str:
    if not (text.startswith("<") and text.endswith(">")):
        raise PathError("the path must stand in angle brackets")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_PATH:
        raise PathError(f"the path is longer than {MAX_PATH} octets")
    return text[1:-1]


def _parse_mailbox(text: str) -> Address:
    match = _mailbox_re.match(text)
    if match is None:
        raise PathError("the path is not a mailbox of the form local-part@domain")
    local, domain = match.groups()
    domain = domain.lower()
    if len(local.encode()) > MAX_LOCAL_PART:
        raise PathError(f"the local part is longer than {MAX_LOCAL_PART} octets")
    if not domain.startswith("["):
        domain = canonical_domain(domain)
    if not domain:
        raise PathError("what follows the @ is not a domain")
    return Address(local=_shortest(local) if local.startswith('"') else local, domain=domain)


def _shortest(local: str) -> str:
    """A quoted local part that needs no quotes loses them: both spell the same mailbox (RFC 5321 section 4.1.2)."""
    bare = _quoted_pair_re.sub(r"\1", local[1:-1])
    return bare if _dot_string_re.match(bare) else local
