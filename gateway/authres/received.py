"""Received: the field that says who brought a message (RFC 5321 section 4.4), and what earlier ones say about loops.

The form is Postfix's, since it is what SpamAssassin and people's scripts read best:
    from HELO (NAME [ADDRESS]) (using TLSv1.3 ...) by HOST (Mailward) with ESMTPS id ID for <RECIPIENT>; DATE
"""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from gateway.authres.folding import clean_field, plain
from gateway.connection import Connection, Tls
from gateway.envelope import Envelope
from gateway.message import Field, Message

NAME = "Received"
SOFTWARE = "Mailward"
UNKNOWN = "unknown"  # in place of a name: none was given, or the reverse name is missing or not confirmed

MAX_NAME = 255  # characters, RFC 5321 section 4.5.3.1.2; what else is shown is shorter

_unnamelike_re = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_plain_recipient_re = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,255}\Z")
_namelike = r"[A-Za-z0-9._:\[\]?-]+"
_receipt_re = re.compile(
    rf"from {_namelike} \({_namelike} \[{_namelike}\]\) (?:\(using [^()]*\([^()]*\)\) )?"
    rf"by (?P<host>{_namelike}) \({SOFTWARE}\) with [A-Z0-9]+ id (?P<ident>{_namelike})(?: for <[^<>\s]+>)?; [^;]+\Z"
)


def received_field(
    connection: Connection, envelope: Envelope, *, hostname: str, client_name: str, now: float, ident: str
) -> bytes:
    """Our Received field. `client_name` is the client's confirmed reverse name or ""; `now` is Unix time; `ident` is
    the id under which the log has the message.

    Each part is namelike, an address as `_literal` or `_for` has it, or a word of ours.
    """
    client = f"{namelike(client_name) or UNKNOWN} [{_literal(connection.ip)}]"
    protocol, recipient, date = _protocol(connection, envelope), _for(envelope), _date(int(now))
    return clean_field(
        (
            f"{NAME}: from {namelike(connection.helo) or UNKNOWN} ({client})",
            *((_using(connection.tls),) if connection.tls else ()),
            f" by {namelike(hostname)} ({SOFTWARE}) with {protocol} id {namelike(ident)}{'' if recipient else ';'}",
            f" {recipient}; {date}" if recipient else f" {date}",
        )
    )


def receipt_ident(field: Field, hostname: str) -> str | None:
    """The id in a Received field that `received_field` has written on this host; None in any other field. Others can
    write such a field too: only the topmost one is ours."""
    match = _receipt_re.match(field.text) if field.name == "received" else None
    return match["ident"] if match and match["host"] == namelike(hostname) else None


def loop_problem(message: Message, hostname: str, max_received: int, max_own: int) -> str | None:
    """Why this message is taken to loop (RFC 5321 section 6.3), or None: more Received fields than `max_received`, or
    more of them by this host than `max_own`."""
    received = message.named("received")
    if len(received) > max_received:
        return f"there are {len(received)} Received fields"
    if len(received) <= max_own:
        return None
    ours = f" by {namelike(hostname)} ({SOFTWARE}) ".lower().encode()
    own = sum(ours in b" ".join([b"", *field.value.lower().split(), b""]) for field in received)
    return f"{own} Received fields are of this host" if own > max_own else None


def namelike(text: str) -> str:
    """`text`, or its beginning, with a question mark for every character that no host name, address literal or id has:
    it can then end neither its clause nor a comment."""
    return _unnamelike_re.sub("?", text[:MAX_NAME])


@lru_cache(1)
def _date(second: int) -> str:
    """RFC 5322 section 3.3, in no locale."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _literal(ip: IPv4Address | IPv6Address) -> str:
    """An IPv6 address may have a zone, which is any text (RFC 4007 section 11)."""
    return plain(f"IPv6:{ip}")[:MAX_NAME] if isinstance(ip, IPv6Address) else str(ip)


@lru_cache(64)
def _using(tls: Tls) -> str:
    return f" (using {namelike(tls.version)} with cipher {namelike(tls.cipher)} ({tls.bits}/{tls.bits} bits))"


def _protocol(connection: Connection, envelope: Envelope) -> str:
    """The "with" word (RFC 3848, RFC 6531 section 4.3)."""
    if envelope.smtputf8:
        return "UTF8SMTPS" if connection.tls else "UTF8SMTP"
    return connection.protocol


def _for(envelope: Envelope) -> str:
    """Only a single recipient is named, since others could be blind copies (RFC 5321 section 7.6), and only if no
    reader can stumble over the address."""
    if len(envelope.recipients) != 1:
        return ""
    address = str(envelope.recipients[0].address)
    return f"for <{address}>" if _plain_recipient_re.match(address) else ""
