"""Received: the field that says who brought a message (RFC 5321 section 4.4), and what earlier ones say about loops.

The form is Postfix's, since it is what SpamAssassin and people's scripts read best:
    from HELO (NAME [ADDRESS]) (using TLSv1.3 ...) by HOST (Mailward) with ESMTPS id ID for <RECIPIENT>; DATE
"""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from gateway.authres.folding import fold, plain
from gateway.connection import Connection, Tls
from gateway.envelope import Address, Envelope
from gateway.message import Field, Message

NAME = "Received"
SOFTWARE = "Mailward"
UNKNOWN = "unknown"  # in place of a name: none was given, or the reverse name is missing or not confirmed

MAX_NAME = 255  # characters, RFC 5321 section 4.5.3.1.2; what else is shown is shorter
REMEMBERED = 512  # clients, and recipients, of 4 KB each at most: most come again

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

    Each part is namelike, an address as `_literal` or `_for` has it, or a word of ours. Only a single recipient is
    named, since others could be blind copies (RFC 5321 section 7.6).
    """
    client = _from(connection.helo, client_name, str(connection.ip), connection.tls)
    protocol = _international(connection) if envelope.smtputf8 else connection.protocol
    by, date = f"{_by(hostname, protocol)} {namelike(ident)}", _date(int(now))
    recipient = _for(envelope.recipients[0].address) if len(envelope.recipients) == 1 else ""
    lines = (fold(by), fold(f" {recipient}; {date}")) if recipient else (fold(f"{by};"), f" {date}")
    return "\r\n".join((client, *lines, "")).encode("ascii")


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


@lru_cache(REMEMBERED)
def _from(helo: str, client_name: str, ip: str, tls: Tls | None) -> str:
    lines = [f"{NAME}: from {namelike(helo) or UNKNOWN} ({namelike(client_name) or UNKNOWN} [{_literal(ip)}])"]
    if tls:
        lines.append(
            f" (using {namelike(tls.version)} with cipher {namelike(tls.cipher)} ({tls.bits}/{tls.bits} bits))"
        )
    return "\r\n".join(map(fold, lines))


def _literal(ip: str) -> str:
    """An IPv6 address may have a zone, which is any text (RFC 4007 section 11)."""
    return plain(f"IPv6:{ip}")[:MAX_NAME] if ":" in ip else ip


@lru_cache(16)
def _by(hostname: str, protocol: str) -> str:
    """There is one name of ours, and there are five protocols."""
    return f" by {namelike(hostname)} ({SOFTWARE}) with {protocol} id"


def _international(connection: Connection) -> str:
    """The "with" word of RFC 6531 section 4.3."""
    return "UTF8SMTPS" if connection.tls else "UTF8SMTP"


@lru_cache(REMEMBERED)
def _for(address: Address) -> str:
    """Nothing where a reader could stumble over the address."""
    return f"for <{address}>" if _plain_recipient_re.match(str(address)) else ""
