"""Received-SPF: turns what SPF found into the trace field of RFC 7208 section 9.1, which no text can break out of.

No comment stands in it: its key-value pairs say all, and readers that do not parse a field but search it, such as
SpamAssassin's SPF plugin, find in it what we say and nothing that a sender says.
"""

import re

from msgspec import Struct

from gateway.authres.field import clean_value
from gateway.authres.folding import field

NAME = "Received-SPF"
KEYS = ("identity", "client-ip", "envelope-from", "helo", "mechanism", "problem", "receiver")

_atext = r"[A-Za-z0-9!#$%&'*+/?^_`{|}~-]"  # without "=", at which a simple reader would split
_dot_atom_re = re.compile(rf"{_atext}+(?:\.{_atext}+)*\Z")
_key_re = re.compile(rf"({'|'.join(KEYS)})\s*=", re.IGNORECASE)
_special_re = re.compile(r'(["\\])')


class ReceivedSpf(Struct, frozen=True, kw_only=True):
    """What the field says. `receiver` is who checked; `mechanism` and `problem` are left out where they are empty."""

    result: str  # a result word of ours
    identity: str  # "mailfrom" or "helo"
    client_ip: str
    envelope_from: str  # "" is the null reverse-path
    helo: str
    mechanism: str
    problem: str
    receiver: str


def build_received_spf(stated: ReceivedSpf) -> bytes:
    """The whole field with its CRLF. Texts may hold anything; what could speak in our name becomes a question mark."""
    values = (
        stated.identity,
        stated.client_ip,
        stated.envelope_from,
        stated.helo,
        stated.mechanism,
        stated.problem,
        stated.receiver,
    )
    pairs = [
        f"{key}={_written(value)}"
        for key, value in zip(KEYS, values, strict=True)
        if value or key not in ("mechanism", "problem")
    ]
    return field(NAME, f"{stated.result} {'; '.join(pairs)}")


def clean_text(text: str) -> str:
    """What the field says of a text: no semicolon, and no key before an equals sign, which SpamAssassin would find."""
    return _key_re.sub(r"\1?", clean_value(text))


def _written(text: str) -> str:
    """A dot-atom, or a quoted string (RFC 5322 sections 3.2.3 and 3.2.4)."""
    cleaned = clean_text(text)
    if _dot_atom_re.match(cleaned):
        return cleaned
    escaped = _special_re.sub(r"\\\1", cleaned)
    return f'"{escaped}"'
