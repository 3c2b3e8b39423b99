"""Notation: JSON as the journal has it, in frames and in columns: turns values into octets, and back. Pure.

Texts may have octets that are no UTF-8, as lone surrogates: the fast way takes none of these, the slower one does.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import DecodeError, ValidationError, convert
from msgspec.json import Decoder, Encoder

T = TypeVar("T")

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
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _escaped(value)


def from_json(octets: bytes | str) -> Any:
    """Raises ValueError, RecursionError."""
    try:
        return _decode(octets)
    except DecodeError:
        return json.loads(octets)


def reader(shape: type[T]) -> Callable[[bytes], T]:
    """What makes values of that shape of octets. It raises MsgspecError, ValueError, RecursionError."""
    decode = Decoder(shape).decode

    def read(octets: bytes) -> T:
        try:
            return decode(octets)
        except ValidationError:
            raise
        except DecodeError:
            return convert(json.loads(octets), shape)

    return read
