"""Redaction: turns personal values of a log record into a keyed hash, into their domain, or into nothing."""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

HASH_CHARACTERS = 16  # of 64: 64 bits, enough to tell the addresses of one site apart
MIN_KEY = 16  # characters

_address_re = re.compile(r"[^\s<>()\[\],;:\"']{1,64}@[^\s<>()\[\],;:\"']{1,255}")


class Redactable(StrEnum):
    """The values of a record that say something about a person."""

    SENDER = "sender"
    RECIPIENTS = "recipients"
    AUTHOR = "author"
    SUBJECT = "subject"
    MESSAGE_ID = "message_id"
    CLIENT_IP = "client_ip"
    CLIENT_NAME = "client_name"
    HELO = "helo"


class Redaction(StrEnum):
    """What stands in the log instead of a value."""

    HASH = "hash"  # a keyed hash: equal values can be followed, and nobody without the key can try out addresses
    DOMAIN = "domain"  # only what follows the last @
    DROP = "drop"  # nothing


Redactor = Callable[[dict[str, Any]], dict[str, Any]]
Change = Callable[[str], str]

_FREE_TEXT = ("reply", "answer")  # servers like to name the recipient in them, and block lists' refusals the client
_NAMED = (Redactable.CLIENT_IP, Redactable.CLIENT_NAME)  # what stands in such texts as it is, besides mail addresses


def require_key(choice: Mapping[Redactable, Redaction], key: str) -> None:
    """Raises ValueError where what is to be hashed has no key worth that name."""
    if Redaction.HASH in choice.values() and len(key) < MIN_KEY:
        raise ValueError(f'redact_key must have at least {MIN_KEY} characters where redact uses "hash"')


def redactor(choice: Mapping[Redactable, Redaction], key: str) -> Redactor:
    """A function that gives a record's names and values as they may be written."""
    changes: dict[str, Change] = {name.value: _change(how, key.encode()) for name, how in choice.items()}
    in_text = changes.get(Redactable.RECIPIENTS) or changes.get(Redactable.SENDER)

    def redact(values: dict[str, Any]) -> dict[str, Any]:
        kept = dict(values)
        for name, change in changes.items():
            if name in kept:
                kept[name] = _changed(kept[name], change)
        named = {values[name]: kept[name] for name in _NAMED if name in changes and values.get(name)}
        for name in _FREE_TEXT:
            if name in kept:
                kept[name] = _without(kept[name], named, in_text)
        return {name: value for name, value in kept.items() if value not in ("", ())}

    return redact if changes else unchanged


def unchanged(values: dict[str, Any]) -> dict[str, Any]:
    """The redactor of a site that has nothing redacted."""
    return values


def _without(text: str, named: Mapping[str, str], in_text: Change | None) -> str:
    """A text without these values and, where that is wanted, without mail addresses."""
    for value, instead in named.items():
        text = text.replace(value, instead)
    return _address_re.sub(lambda match: in_text(match[0]), text) if in_text else text


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, tuple):
        return tuple(shown for shown in map(change, value) if shown)
    return change(str(value))


def _change(how: Redaction, key: bytes) -> Change:
    if how is Redaction.HASH:
        return lambda text: _hashed(text, key)
    return _domain if how is Redaction.DOMAIN else _nothing


def _hashed(text: str, key: bytes) -> str:
    digest = hmac.new(key, text.lower().encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
    return digest[:HASH_CHARACTERS]


def _domain(text: str) -> str:
    return f"@{text.rpartition('@')[2]}" if "@" in text else ""


def _nothing(_: str) -> str:
    return ""
