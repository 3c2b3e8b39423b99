"""Claim: tells whether a field speaks in our name (RFC 8601 section 5). A claim that cannot be parsed is a claim.

Readers differ in what they make of a field that is not as RFC 8601 has it. So where the authserv-id stands clearly, it
decides; everywhere else every reading counts that some reader may have.
"""

import re

from gateway.authres.scanner import AuthresError, Scanner
from gateway.encodedwords import decode_words
from gateway.message import Field

OUR_PREFIXES = ("x-spam-", "x-mailward-")
AUTHENTICATION_RESULTS = "authentication-results"
ARC_AUTHENTICATION_RESULTS = "arc-authentication-results"

_name_characters_re = re.compile(rb"[^!-9;-~]")
_wrapping_re = re.compile(r'[\s"()\\\x00-\x1f\x7f]+')
_comment_mark_re = re.compile(r"\\.|[()]", re.DOTALL)


def apparent_name(field: Field) -> str:
    """The name of a field, also where it is none because other characters stand in it or before the colon."""
    if field.name:
        return field.name
    return _name_characters_re.sub(b"", field.raw.partition(b":")[0]).decode("ascii").lower()


def claims_us(field: Field, authserv_id: str) -> bool:
    """Whether this Authentication-Results field claims to be by `authserv_id`."""
    ours = authserv_id.lower()
    value = field.raw.partition(b":")[2]
    stated = _stated_id(value)
    if stated is not None:
        return stated.lower().rstrip(".") == ours
    return any(_may_name(text, ours) for text in (value.decode("utf-8", "replace"), decode_words(value)))


def _stated_id(value: bytes) -> str | None:
    """The authserv-id, or None where what stands at the beginning is not an authserv-id, a version and an end."""
    try:
        scanner = Scanner(value)
        scanner.skip()
        stated = scanner.value()
        if scanner.skip() and scanner.at_digit():
            scanner.digits()
    except AuthresError:
        return None
    return stated if scanner.at_end() or scanner.at(";") else None


def _may_name(text: str, ours: str) -> bool:
    """Whether our id stands before the first semicolon or begins what follows another, once comments, or the signs of
    comments, quotes and white space, are taken out."""
    for reading in (text, _without_comments(text)):
        first, *others = _wrapping_re.sub("", reading).lower().split(";")
        if ours in first or any(segment.startswith(ours) for segment in others):
            return True
    return False


def _without_comments(text: str) -> str:
    kept, start, depth = [], 0, 0
    for mark in _comment_mark_re.finditer(text):
        if mark[0] == "(":
            if depth == 0:
                kept.append(text[start : mark.start()])
            depth += 1
        elif mark[0] == ")" and depth > 0:
            depth -= 1
            start = mark.end()
    if depth == 0:
        kept.append(text[start:])
    return "".join(kept)
