"""SPF macros: turns the domain-spec of a term, with its macros, into a domain name (RFC 7208 section 7). Pure.

Everything is linear in the record and in what is expanded.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

MAX_NAME = 253  # characters of an expanded domain; labels are cut off from the left (section 7.3)
MAX_PARTS = 999  # a domain never has more labels, so that a larger number in a macro says the same

_MACRO = r"%(?:([%_-])|\{([SLODIPHV])(0*[1-9][0-9]*)?(R?)([-.+,/_=]*)\})"
_macro_re = re.compile(_MACRO, re.IGNORECASE)
_macro_string_re = re.compile(rf"(?:[!-$&-~]|{_MACRO})*\Z", re.IGNORECASE)
_final_macro_re = re.compile(rf"{_MACRO}\Z", re.IGNORECASE)
_top_label_re = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z", re.IGNORECASE)

_BREAK = "\0"  # stands in no sender, domain or HELO name
_LITERALS = {"%": "%", "_": " ", "-": "%20"}


def is_macro_string(text: str) -> bool:
    """Whether `text` is a macro-string of those letters that are allowed outside of explanations (section 7.1)."""
    return _macro_string_re.match(text) is not None


def is_domain_spec(text: str) -> bool:
    """Whether `text` is a domain-spec: a macro-string that ends with a macro, or with a dot and a top label that is not
    all digits (section 7.1)."""
    if not is_macro_string(text):
        return False
    _, dot, last = text.removesuffix(".").rpartition(".")
    if dot and _top_label_re.match(last) and not last.isdigit():
        return True
    start = text.rfind("%{") if text.endswith("}") else len(text) - 2
    return _final_macro_re.search(text, max(start, 0)) is not None


def expand(text: str, value: Callable[[str], str]) -> str:
    """Expand the macros of a domain-spec; `value` gives what a lower-case letter stands for."""
    if "%" in text:
        text = _macro_re.sub(lambda match: _expansion(match, value), text)
    return _shortened(text.removesuffix("."))


def _expansion(match: re.Match[str], value: Callable[[str], str]) -> str:
    literal, letter, digits, reverse, delimiters = match.groups()
    if literal:
        return _LITERALS[literal]
    expanded = _transformed(value(letter.lower()), digits or "", bool(reverse), delimiters)
    return quote(expanded, safe="~", errors="replace") if letter.isupper() else expanded


def _transformed(text: str, digits: str, reverse: bool, delimiters: str) -> str:  # noqa: FBT001
    if not (digits or reverse or delimiters):
        return text
    split_at = dict.fromkeys(map(ord, delimiters or "."), _BREAK)
    parts = text.translate(split_at).split(_BREAK)
    if reverse:
        parts.reverse()
    return ".".join(parts[-_number(digits) :])


def _number(digits: str) -> int:
    """How many parts are wanted; zero is all of them."""
    significant = digits.lstrip("0")
    return MAX_PARTS if len(significant) > 3 else int(significant or 0)


def _shortened(name: str) -> str:
    if len(name) <= MAX_NAME:
        return name
    return name[-MAX_NAME - 1 :].partition(".")[2]
