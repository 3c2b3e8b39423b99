"""Offer: turns what we and every next hop can do into the answer to EHLO, and into what a client may then use.

RFC 5321 section 4.1.1.1, RFC 9422 (LIMITS). An answer is a promise: what it names holds for each message of the
connection, wherever it goes.
"""

from enum import StrEnum

from msgspec import Struct

from gateway.reply import Reply, reply

ALWAYS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "HELP")  # and SIZE


class Extension(StrEnum):
    """What is offered only where it can be kept, or where the site does not withhold it."""

    CHUNKING = "CHUNKING"  # RFC 3030
    DSN = "DSN"  # RFC 3461: where every next hop has it
    LIMITS = "LIMITS"  # RFC 9422
    REQUIRETLS = "REQUIRETLS"  # RFC 8689: over TLS, where every next hop has it and is known by its certificate


OF_NEXT_HOPS = frozenset({Extension.DSN, Extension.REQUIRETLS})
OVER_TLS = frozenset({Extension.REQUIRETLS})


class Limits(Struct, frozen=True, kw_only=True):
    """What a client will be refused for if it brings more of it; None is no limit."""

    max_size: int  # octets of a message
    recipients: int  # of a transaction
    domains: int | None = None  # of the recipients of a transaction
    transactions: int | None = None  # of a connection

    def __str__(self) -> str:
        named = {"MAILMAX": self.transactions, "RCPTMAX": self.recipients, "RCPTDOMAINMAX": self.domains}
        return " ".join(f"{name}={value}" for name, value in named.items() if value is not None)


class Offer(Struct, frozen=True):
    """What a client may use: no extension after HELO."""

    max_size: int
    extensions: frozenset[Extension] = frozenset()
    mail: frozenset[str] = frozenset()  # parameters of MAIL
    rcpt: frozenset[str] = frozenset()  # parameters of RCPT


class Greeting(Struct, frozen=True):
    """The answer to HELO or EHLO, and what it offers."""

    reply: Reply
    offer: Offer


def helo(hostname: str, limits: Limits) -> Greeting:
    return Greeting(reply("250", hostname), Offer(max_size=limits.max_size))


def ehlo(hostname: str, limits: Limits, extensions: frozenset[Extension], *more: str) -> Greeting:
    """`more` are keywords beside those that are always offered and those of the extensions."""
    words = {f"SIZE {limits.max_size}", *ALWAYS, *more}
    words |= {f"{word} {limits}" if word is Extension.LIMITS else word.value for word in extensions}
    return Greeting(reply("250", "\n".join((hostname, *sorted(words)))), offer(limits.max_size, extensions))


def offer(max_size: int, extensions: frozenset[Extension]) -> Offer:
    """What a client is offered that greets with EHLO."""
    mail, rcpt = {"SIZE", "BODY", "SMTPUTF8"}, set[str]()
    if Extension.DSN in extensions:
        mail |= {"RET", "ENVID"}
        rcpt |= {"NOTIFY", "ORCPT"}
    if Extension.REQUIRETLS in extensions:
        mail.add("REQUIRETLS")
    return Offer(max_size=max_size, extensions=extensions, mail=frozenset(mail), rcpt=frozenset(rcpt))
