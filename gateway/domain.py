"""Domain: turns a domain name as people and messages write it into the one form that is compared and asked for in DNS:
lower case, A-labels, no final dot (RFC 5890 section 2.3, RFC 9989 section 5.3.1).

IDNA is that of 2008 (RFC 5891): the standard library's codec of 2003 takes "strasse.example" for "straße.example",
which is another domain with another owner. Only case and Unicode's normal form are mapped (RFC 5895 section 2).
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

import idna

T = TypeVar("T")

MAX_DOMAIN = 253  # characters, RFC 1035 section 2.3.4 without the length octets of the first label and the root
MAX_LABEL = 63  # characters, RFC 1035 section 2.3.4; idna's work is quadratic in it
REMEMBERED = 4096  # names: a message says the same ones in many places, and so do those that follow it

# Underscores are no host name, but names with them are in use for mail and can be asked for.
_label = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_domain_re = re.compile(rf"{_label}(?:\.{_label})*\Z")


def canonical_domain(text: str) -> str:
    """The canonical form of a domain name, or "" where `text` is none."""
    name = text.removesuffix(".")
    return "" if len(name) > MAX_DOMAIN else _canonical(name)


def required_domain(text: str) -> str:
    """The canonical form of a domain name that an operator wrote. Raises ValueError that says that it is none."""
    if not (canonical := canonical_domain(text)):
        raise ValueError(f'"{text}" is not a domain name')
    return canonical


def is_within(name: str, parent: str) -> bool:
    """Whether a canonical name is `parent` or below it."""
    return name == parent or name.endswith(f".{parent}")


def configured_for(domain: str, table: Mapping[str, T]) -> T | None:
    """What a table has for a canonical domain: "example.org" stands for itself, ".example.org" for every name below it,
    the longest first."""
    if domain in table:
        return table[domain]
    dot = domain.find(".", 1)
    while dot > 0:
        if domain[dot:] in table:
            return table[domain[dot:]]
        dot = domain.find(".", dot + 1)
    return None


@lru_cache(REMEMBERED)
def _canonical(name: str) -> str:
    ascii_name = name.lower() if name.isascii() else ".".join(_a_label(label) for label in name.split("."))
    return ascii_name if len(ascii_name) <= MAX_DOMAIN and _domain_re.match(ascii_name) else ""


def _a_label(label: str) -> str:
    """One label in lower case with its U-label encoded; "" where RFC 5892 does not allow it."""
    if label.isascii():
        return label.lower()
    if len(label) > MAX_LABEL:
        return ""
    try:
        return idna.alabel(unicodedata.normalize("NFC", label.lower())).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return ""
