"""Claim: tells whether a field speaks in our name (RFC 8601 section 5). A claim that cannot be parsed is a claim.

Readers differ in what they make of a field that is not as RFC 8601 has it. So where the authserv-id stands clearly, it
decides; everywhere else every reading counts that some reader may have.
"""

import re

from gateway.authres.scanner import AuthresError, Scanner
from gateway.comments import without_comments
from gateway.encodedwords import decode_words, hides_words
from gateway.message import Field

OUR_PREFIXES = ("x-spam-", "x-mailward-")
AUTHENTICATION_RESULTS = "authentication-results"
ARC_AUTHENTICATION_RESULTS = "arc-authentication-results"
RECEIVED_SPF = "received-spf"

_name_characters_re = re.compile(rb"[^!-9;-~]")
_wrapping_re = re.compile(r'[\s"()\\\x00-\x1f\x7f]+')


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
    return hides_words(value) or any(_may_name(text, ours) for text in _readings(value))


def claims_our_receipt(field: Field, authserv_id: str) -> bool:
    """Whether this Received-SPF field claims to be by `authserv_id`: by its receiver key, or by its comment, which
    begins with the name and a colon (RFC 7208 section 9.1)."""
    ours = authserv_id.lower()
    value = field.raw.partition(b":")[2]
    return hides_words(value) or any(_is_receipt_of(text, ours) for text in _readings(value))


def _readings(value: bytes) -> tuple[str, str]:
    """A value as it stands, and as readers have it that decode encoded words."""
    return value.decode("utf-8", "replace"), decode_words(value)


def _is_receipt_of(text: str, ours: str) -> bool:
    readings = (_wrapping_re.sub("", reading).lower() for reading in (text, without_comments(text)))
    return any(f"receiver={ours}" in plain or plain.partition(":")[0].endswith(ours) for plain in readings)


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
    for reading in (text, without_comments(text)):
        plain = _wrapping_re.sub("", reading).lower()
        if ours in plain.partition(";")[0] or f";{ours}" in plain:
            return True
    return False
