"""Codes: the answers of a DNS list, addresses out of 127.0.0.0/8 (RFC 5782 section 2.1), and patterns of them.

A pattern is written as Postfix writes it: "127.0.0.2", "127.0.[0..255].[1..3]", "127.0.0.[2;4;9..11]". `parse_pattern`
and `str` are inverses.
"""

import re
from ipaddress import IPv4Address
from itertools import chain

from msgspec import Struct

LOOPBACK = 127  # the first octet of every answer that a list gives
MAX_RANGES = 16  # in one octet

_number = r"[0-9]{1,3}"
_range = rf"{_number}(?:\.\.{_number})?"
_octet = rf"{_number}|\[{_range}(?:;{_range}){{0,{MAX_RANGES - 1}}}\]"
_pattern_re = re.compile(rf"({_octet})\.({_octet})\.({_octet})\.({_octet})\Z")

Ranges = tuple[tuple[int, int], ...]
"""The values of an octet: (first, last), both included."""


class CodePattern(Struct, frozen=True):
    """Which codes are meant, octet by octet."""

    octets: tuple[Ranges, Ranges, Ranges, Ranges]

    def __contains__(self, code: str) -> bool:
        return all(
            any(first <= value <= last for first, last in ranges)
            for ranges, value in zip(self.octets, IPv4Address(code).packed, strict=True)
        )

    def __str__(self) -> str:
        return ".".join(map(_written, self.octets))


def parse_pattern(text: str) -> CodePattern:
    """Raises ValueError that says how it must look."""
    match = _pattern_re.match(text)
    if match is None or match[1] != str(LOOPBACK):
        raise ValueError(f'"{text}" is no answer of a list, such as 127.0.0.2 or 127.0.[0..255].[1..3]')
    pattern = CodePattern((_ranges(match[1]), _ranges(match[2]), _ranges(match[3]), _ranges(match[4])))
    for first, last in chain.from_iterable(pattern.octets):
        if not first <= last <= 255:
            raise ValueError(f'"{text}" has a range that is none: {first}..{last}')
    return pattern


def _ranges(octet: str) -> Ranges:
    pieces = octet.strip("[]").split(";")
    ends = (piece.split("..") for piece in pieces)
    return tuple((int(both[0]), int(both[-1])) for both in ends)


def _written(ranges: Ranges) -> str:
    pieces = [f"{first}..{last}" if first != last else f"{first}" for first, last in ranges]
    return pieces[0] if pieces == [f"{ranges[0][0]}"] else f"[{';'.join(pieces)}]"


# What lists answer instead of a listing, whatever a site counts as one: 127.255.255.x (Spamhaus: a public resolver, a
# wrong key, too many questions), x.255 (dnswl.org, DBL), 127.0.0.1 (SURBL, URIBL).
REFUSALS = tuple(map(parse_pattern, ("127.255.255.[0..255]", "127.[0..255].[0..255].255", "127.0.0.[0..1]")))


def is_code(answer: str) -> bool:
    return IPv4Address(answer).packed[0] == LOOPBACK


def is_refusal(answer: str) -> bool:
    """Whether the answer says that there was none: an error code, or an address that is no code at all, such as that of
    the web server of a domain that was a list once."""
    return not is_code(answer) or any(answer in pattern for pattern in REFUSALS)
