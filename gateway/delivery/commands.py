"""Commands: turns an envelope and what is known of its client into command lines for a next hop. Pure.

RFC 5321 sections 4.1.1.2 and 4.1.1.3, RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN),
RFC 8689 (REQUIRETLS), and Postfix's XFORWARD and XCLIENT. A parameter goes out only where the next hop offers its
extension.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from gateway.connection import Connection, Role
from gateway.delivery.capabilities import Capabilities
from gateway.envelope import BodyType, Envelope, Recipient

MAX_COMMAND = 512  # octets with the CRLF: RFC 5321 section 4.5.3.1.4, and the limit of XFORWARD
MAX_VALUE = 255  # octets of an XFORWARD or XCLIENT attribute, as Postfix takes them
KEPT_NAMES = 512  # of clients, as they are encoded: most come again, also as HELO
KEPT_FORMS = 8  # of XFORWARD and XCLIENT: a server takes the same attributes each time
UNAVAILABLE = "[UNAVAILABLE]"
ATTRIBUTES = frozenset({"NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"})

_line_re = re.compile(r"[^\x00-\x1f\x7f]*\Z")
_not_xtext_re = re.compile(r"[^!-*,-<>-~]")
_half_octet_re = re.compile(r"\+[0-9A-F]?\Z")
_mail_parameter_re = re.compile(r"(?ai:RET=(?:FULL|HDRS)|ENVID=[!-<>-~]{1,100})\Z")
_rcpt_parameter_re = re.compile(r"(?ai:NOTIFY=[A-Z,]{1,32}|ORCPT=[!-<>-~]{1,500})\Z")


class Wording(IntEnum):
    """Which octets a message has, from the simplest: they decide what its next hop must be able to take."""

    SEVEN_BIT = 0
    EIGHT_BIT = 1  # needs 8BITMIME
    UTF8 = 2  # an internationalised message, RFC 6531: needs SMTPUTF8


class Client(Struct, frozen=True):
    """What a next hop is told of the true client of a transaction."""

    connection: Connection
    name: str  # the confirmed reverse name, or ""
    ident: str  # the message's id, for the next hop's log

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of XFORWARD and XCLIENT, by name, with what is not of our making encoded."""
        connection = self.connection
        return {
            "NAME": _name(self.name) or UNAVAILABLE,
            "ADDR": _address(connection.ip),
            "PORT": str(connection.port),
            "PROTO": "ESMTP" if connection.esmtp else "SMTP",
            "HELO": _name(connection.helo) or UNAVAILABLE,
            "IDENT": _encoded(self.ident),
            "SOURCE": "LOCAL" if connection.role is Role.INTERNAL else "REMOTE",
        }


def declared(envelope: Envelope) -> Wording:
    """What the client said of its message at MAIL."""
    if envelope.smtputf8:
        return Wording.UTF8
    return Wording.EIGHT_BIT if envelope.body is BodyType.EIGHT_BIT else Wording.SEVEN_BIT


def is_ascii(envelope: Envelope) -> bool:
    """No address of the envelope needs SMTPUTF8."""
    sender = envelope.sender
    return (sender is None or sender.is_ascii) and False not in [one.address.is_ascii for one in envelope.recipients]


def mail(envelope: Envelope, wording: Wording, size: int | None, offered: Capabilities) -> bytes:
    """MAIL FROM with the parameters that are due."""
    line = f"MAIL FROM:<{envelope.reverse_path}>"
    if size is not None and "SIZE" in offered:
        line += f" SIZE={size}"
    if wording >= Wording.EIGHT_BIT and "8BITMIME" in offered:
        line += " BODY=8BITMIME"
    if wording is Wording.UTF8 and "SMTPUTF8" in offered:
        line += " SMTPUTF8"
    if envelope.requiretls and "REQUIRETLS" in offered:
        line += " REQUIRETLS"
    if envelope.parameters and "DSN" in offered:
        line = " ".join((line, *filter(_mail_parameter_re.match, envelope.parameters)))
    return _line(line)


def rcpt(recipient: Recipient, offered: Capabilities) -> bytes:
    """RCPT TO, with NOTIFY and ORCPT if DSN is offered."""
    line = f"RCPT TO:<{recipient.address}>"
    if recipient.parameters and "DSN" in offered:
        line = " ".join((line, *filter(_rcpt_parameter_re.match, recipient.parameters)))
    return _line(line)


def xforward(client: Client, offered: Capabilities) -> tuple[bytes, ...]:
    """XFORWARD with each attribute that is taken, in as few commands as its length limit allows."""
    return _packed("XFORWARD", client, offered.xforward)


def xclient(client: Client, offered: Capabilities) -> tuple[bytes, ...]:
    """XCLIENT with each attribute that is taken; IDENT and SOURCE are XFORWARD's own."""
    return _packed("XCLIENT", client, offered.xclient)


def xtext(text: str) -> str:
    """Encode as RFC 3461 section 4 has it, so that no value can end its attribute or its line."""
    return _not_xtext_re.sub(_hexchar, text)


def _packed(verb: str, client: Client, taken: tuple[str, ...]) -> tuple[bytes, ...]:
    form = _form(verb, taken) if taken else ""
    if not form:
        return ()
    whole = form % client.attributes
    if len(whole) <= MAX_COMMAND - 2:  # as mostly
        return (f"{whole}\r\n".encode(),)  # no value needs to be looked at again: all are xtext or of our making
    return tuple(map(_line, _spread(whole)))


@lru_cache(KEPT_FORMS)
def _form(verb: str, taken: tuple[str, ...]) -> str:
    """The command with a place for each attribute that is taken; "" where there is none."""
    words = [f"{name}=%({name})s" for name in taken if name in ATTRIBUTES]
    return " ".join((verb, *words)) if words else ""


def _spread(whole: str) -> Iterator[str]:
    verb, *words = whole.split(" ")
    line = verb
    for word in words:
        if len(line) + 1 + len(word) > MAX_COMMAND - 2:
            yield line
            line = verb
        line += f" {word}"
    yield line


def _encoded(value: str) -> str:
    """As xtext, of at most MAX_VALUE characters, without half an encoded octet at the end."""
    encoded = xtext(value)
    return encoded if len(encoded) <= MAX_VALUE else _half_octet_re.sub("", encoded[:MAX_VALUE])


_name = lru_cache(KEPT_NAMES)(_encoded)


def _address(ip: IPv4Address | IPv6Address) -> str:
    return f"IPV6:{xtext(str(ip))}" if ip.version == 6 else str(ip)  # a scope may be anything


def _hexchar(match: re.Match[str]) -> str:
    return "".join(f"+{octet:02X}" for octet in match[0].encode())


def _line(line: str) -> bytes:
    if not line.isprintable() and _line_re.match(line) is None:  # the first is told in a third of the time
        raise ValueError(f"a control character stands in the command {line!r}")
    return f"{line}\r\n".encode()
