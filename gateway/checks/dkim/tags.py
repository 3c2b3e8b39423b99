"""Tag lists: turns the octets of "name=value; name=value" into a mapping (RFC 6376 section 3.2).

The splitting is dkimpy's; it is linear, but lets through names and values that the grammar forbids, and so it is
followed by the grammar.
"""

import binascii
import re
from collections.abc import Mapping

from dkim.util import DuplicateTag, InvalidTagValueList, parse_tag_value

Tags = Mapping[str, bytes]

_name = rb"[A-Za-z][A-Za-z0-9_]*"
_names_re = re.compile(rb"(?:%b(?:;%b)*)?\Z" % (_name, _name))
_octets = b"\t\r\n" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))  # RFC 8616 allows UTF-8 in values
_white = b" \t\r\n"
_signature_value_re = re.compile(rb";[ \t\r\n]*b[ \t\r\n]*=([^;]*)")


class TagError(ValueError):
    """A tag list, or the value of one tag, that the grammar forbids; the text says which, for people."""


def parse_tags(octets: bytes) -> Tags:
    """Parse a tag list. Values lose the white space around them. Raises TagError."""
    try:
        found: dict[bytes, bytes] = parse_tag_value(octets)
    except DuplicateTag:
        raise TagError("a tag appears twice") from None
    except InvalidTagValueList:
        raise TagError("the tag list is malformed") from None
    names = b";".join(found)
    if octets.translate(None, _octets) or not _names_re.match(names):
        raise TagError("the tag list has characters that it must not have")
    return dict(zip(names.decode("ascii").split(";"), found.values(), strict=False))  # no names are one empty text


def unsigned(tag_list: bytes) -> bytes:
    """The tag list of a signature as it was when it was signed: without the value of b= and the white space around that
    value (RFC 6376 section 3.7)."""
    octets = b";" + tag_list
    value = _signature_value_re.search(octets)
    return octets[1 : value.start(1)] + octets[value.end(1) :] if value else tag_list


def unfolded(value: bytes) -> bytes:
    """The value without any white space, for the tags whose grammar ignores it everywhere."""
    return value.translate(None, _white)


def colon_list(value: bytes) -> tuple[bytes, ...]:
    """The items of a colon-separated list, each without the white space around it."""
    return tuple([item.strip(_white) for item in value.split(b":")])


def base64(value: bytes, tag: str) -> bytes:
    """Decode the base64 of a tag, whose padding the grammar leaves optional (section 2.10). Raises TagError."""
    digits = value.translate(None, _white).rstrip(b"=")
    try:
        octets = binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True)
    except binascii.Error:
        octets = b""
    if not octets:
        raise TagError(f"{tag}= is not base64")
    return octets


def number(value: bytes, tag: str, *, digits: int) -> int:
    """Decode a decimal number of at most `digits` digits. Raises TagError."""
    if not (value.isdigit() and len(value) <= digits):
        raise TagError(f"{tag}= is not a number of at most {digits} digits")
    return int(value)
