"""Mentions: turns text that a reader is shown into the addresses and domains that stand in it, in whatever dress. To
compare and to judge by, never to send to. Linear in the length of the text, and pure.
"""

import re
import unicodedata
from collections.abc import Iterator

from gateway.comments import without_comments
from gateway.domain import canonical_domain

# What neither a domain name nor the text of an address has: white space, and for a domain all ASCII punctuation but ._-
_not_in_local = r'\s\x00-\x1f"(),:;<>@\[\]\\'
_not_in_domain = r"\s\x00-\x2c/\x3a-\x40\x5b-\x5e\x60\x7b-\x9f"
_address_re = re.compile(rf"([^{_not_in_local}]+)(?:@([^{_not_in_domain}]+))?")
_claim_re = re.compile(rf"@([^{_not_in_domain}]+)")
_word_re = re.compile(rf"[^{_not_in_domain}]+")
_dress_re = re.compile(r"[\s\x00-\x2b/=?\[-\^`{-\x9f]+")  # what is not in a domain, and does not end an address either
_hollow_label_re = re.compile(r"(?<![^.])xn--([A-Za-z0-9-]+)-(?![^.])", re.IGNORECASE)
_dots_re = re.compile(r"\.{2,}")
_UNDECODED = "\ufffd"  # in place of octets that are no UTF-8
_IDEOGRAPHIC_STOP = "\u3002"  # a dot to readers of domain names (RFC 5895 section 2)

# What is shown as nothing: controls, and Unicode's Default_Ignorable_Code_Point with the annotations beside it.
_invisible_re = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_joint_re = re.compile(r" ?([@.]) ?")


def readable(text: str) -> str:
    """The text as the eye takes it: compatible characters are one (a wide "@" is "@"), and invisible ones gone."""
    if text.isascii() and text.isprintable():  # as most is
        return text
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).replace(_IDEOGRAPHIC_STOP, ".")
    return _invisible_re.sub("", plain)


def addresses(text: str) -> Iterator[tuple[str, str]]:
    """The local part and the canonical domain of each address."""
    for match in _address_re.finditer(text):
        if domain := _domain(match[2] or ""):
            yield match[1].lstrip("'"), domain


def domains(text: str) -> Iterator[str]:
    """The canonical domains of addresses, and the domain names that stand there without one."""
    for match in _address_re.finditer(text):
        words = [match[2]] if match[2] else _word_re.findall(match[1])
        yield from filter(None, map(_domain, words))


def claims(text: str) -> Iterator[str]:
    """Every canonical domain that any reader of an address list could take for that of an author: what follows an "@",
    also where comments, white space, quotes or the like stand between, or within."""
    bare = " ".join(without_comments(text).split())
    readings = (text, _joint_re.sub(r"\1", bare), _dress_re.sub("", bare))
    words = dict.fromkeys(match[1] for reading in readings for match in _claim_re.finditer(reading))
    yield from filter(None, map(_domain_as_shown, words))


def has_undecoded_claim(text: str) -> bool:
    """Whether the name after an "@" has octets that are no UTF-8: each reader takes them for other letters."""
    return any(_UNDECODED in match[1] for match in _claim_re.finditer(text))


def _domain_as_shown(word: str) -> str:
    """Also of a name that is none, where readers pass over what is wrong: dots in a row, and an A-label of nothing but
    ASCII, which decodes to the label without its prefix."""
    return _domain(_hollow_label_re.sub(r"\1", _dots_re.sub(".", word)))


def _domain(word: str) -> str:
    """The canonical form of a name of at least two labels, the last of which is not a number; otherwise ""."""
    if "." not in word:  # as in most words of a name, which are not to take the place of domains that are remembered
        return ""
    name = canonical_domain(word.strip(".-"))
    _, dot, top = name.rpartition(".")
    return name if dot and len(top) > 1 and not top.isdigit() else ""
