"""Notation: JSON as the journal has it, in frames and in columns: turns values into octets, and back. Pure.

Texts may have octets that are no UTF-8, as lone surrogates: the fast way takes none of these, the slower one does.
"""

import json
from typing import Any

from msgspec import DecodeError
from msgspec.json import Decoder, Encoder

_encode = Encoder(enc_hook=str).encode  # addresses are texts
_decode = Decoder().decode
_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str).encode


def to_json(value: Any) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _escaped(value).encode("ascii")


def to_ascii(value: Any) -> bytes:
    """The same in ASCII alone."""
    octets = to_json(value)
    return octets if octets.isascii() else _escaped(value).encode("ascii")


def to_text(value: Any) -> str:
    """The same as a text."""
    return to_json(value).decode()


def from_json(octets: bytes | str) -> Any:
    """Raises ValueError, RecursionError."""
    try:
        return _decode(octets)
    except DecodeError:
        return json.loads(octets)
