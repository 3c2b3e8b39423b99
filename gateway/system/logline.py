"""A log line: turns an event's time, level, text and values into one line of printable ASCII, bounded."""

import json
import re
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from gateway.record import Record

MAX_LINE = 8192  # characters; a longer line has its values cut, and cut again where that was not enough
MAX_RECORD = MAX_LINE - 100  # octets of a record that is written as it is: there is room for what stands before it
CUTS = ((500, 20), (100, 5))  # characters kept of a text, items kept of a list; more is an attack or nobody's reading

_bare_re = re.compile(r"[A-Za-z0-9@._:/+*%,<>-]+\Z")
_encode_fast = msgspec.json.Encoder(enc_hook=str).encode
_encode_all = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False, default=str).encode


class Style(StrEnum):
    """Where text lines go."""

    PLAIN = "plain"
    TERMINAL = "terminal"  # with colours
    JOURNAL = "journal"  # the journal has the time itself


_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}  # ECMA-48 SGR


def json_line(when: float, level: str, logger: str, event: str, values: Mapping[str, Any]) -> str:
    """One JSON object. Its strings are ASCII with everything else escaped, so it is one line whatever is in it."""
    head = {"time": _moment(when), "level": level, "logger": logger, "event": event}
    return _bounded({**head, **values, **head}, _encode)


def record_line(when: float, level: str, logger: str, record: Record) -> str:
    """The same of a record, made faster; "" where it is too long for that, or has what must be escaped."""
    try:
        octets = record.to_json()
    except UnicodeEncodeError:
        return ""
    if len(octets) > MAX_RECORD or b"\x7f" in octets or not octets.isascii():
        return ""
    return f'{{"time":"{_moment(when)}","level":"{level}","logger":"{logger}",{octets[1:].decode("ascii")}'


def text_line(when: float, level: str, logger: str, event: str, values: Mapping[str, Any], style: Style) -> str:
    """`time level logger: event key=value ...`, for people; what is not plain is written as a JSON string."""
    shown = f"\x1b[{_COLOURS.get(level, '0')}m{level}\x1b[0m" if style is Style.TERMINAL else level
    head = f"{shown} {logger}: " if style is Style.JOURNAL else f"{_moment(when)} {shown} {logger}: "
    return head + _bounded({"": event, **values}, _pairs)


def _bounded(values: dict[str, Any], encode: Callable[[dict[str, Any]], str]) -> str:
    line = encode(values)
    for characters, items in CUTS:
        if len(line) <= MAX_LINE:
            break
        line = encode(_cut(values, characters, items))
    return line


def _encode(value: Any) -> str:
    """The value in JSON of printable ASCII."""
    try:
        line = _encode_fast(value).decode("ascii")
    except UnicodeError:  # it escapes only what JSON demands
        return _encode_all(value)
    return _encode_all(value) if "\x7f" in line else line


def _pairs(values: dict[str, Any]) -> str:
    (_, event), *pairs = values.items()
    return " ".join((_encode(event)[1:-1].replace('\\"', '"'), *(f"{name}={_word(value)}" for name, value in pairs)))


def _moment(when: float) -> str:
    return f"{_second(int(when))}.{int(when % 1 * 1000):03d}Z"


@lru_cache(1)
def _second(when: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value if _bare_re.match(value) else _encode(value)
    if isinstance(value, list | tuple):
        return _word(",".join(map(str, value)))
    if isinstance(value, Mapping):
        return _word(",".join([f"{key}:{item}" for key, item in value.items()]))
    return _encode(value)


def _cut(value: Any, characters: int, items: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= characters else f"{value[:characters]}..."
    if isinstance(value, Mapping):
        return {name: _cut(item, characters, items) for name, item in value.items()}
    if isinstance(value, list | tuple):
        more = [f"and {len(value) - items} more"] if len(value) > items else []
        return [_cut(item, characters, items) for item in value[:items]] + more
    return value
