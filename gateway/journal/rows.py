"""Rows: turns what a worker has noted into the rows of the journal. Pure.

Text that a database would refuse is cleaned (NUL, octets that are no UTF-8), and what is personal is redacted as the
site chose. The facts stay as rules saw them: they are kept as JSON in ASCII.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.journal.dmarc import evaluation
from gateway.journal.frame import Noted
from gateway.journal.glossary import Glossary
from gateway.journal.personal import hidden_facts
from gateway.system.redaction import Redactable, Redaction, redactor

MAX_TEXT = 1000  # characters in a column; more is an attack or nobody's reading

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode

Row = dict[str, Any]


class Rows(Struct, frozen=True):
    """What is written of one record."""

    message: Row
    dmarc: Row | None


class RowMaker:
    """Makes rows of the facts of `glossary`; of other versions' facts all are kept that came."""

    def __init__(self, glossary: Glossary, redact: Mapping[Redactable, Redaction], key: str) -> None:
        self._redacted = frozenset(redact)
        self._redact = redactor(redact, key)
        self._glossary = glossary

    def rows(self, noted: Noted) -> Rows:
        """Raises ValueError, TypeError, KeyError where the record is not one of ours."""
        redacted = self._redact(dict(noted.values))
        values = {name: redacted[name] if name in redacted else type(value)() for name, value in noted.values.items()}
        hidden = hidden_facts(self._names(noted), self._redacted)
        found = evaluation({**noted.values, "client_ip": self._source(noted)}, noted.facts, noted.dmarc)
        message = {
            **values,
            "milliseconds": {step: round(duration, 2) for step, duration in values["milliseconds"].items()},
            "author_domain": noted.facts.get("author.domain", ""),
            "reply_class": _reply_class(values["reply"]),
            "vocabulary": noted.glossary,
            "settled": int(noted.settled),
            "unrecorded": sorted(hidden.union(noted.cut)),
            "facts": _encode(self._kept(noted, hidden)).encode("ascii"),
        }
        dmarc = {**found, "id": values["id"], "began": values["began"]} if found else None
        return Rows(_clean(message), _clean(dmarc) if dmarc else None)

    def _names(self, noted: Noted) -> set[str]:
        """Of every fact that would count as recorded."""
        return {*noted.facts, *self._absent(noted)}

    def _absent(self, noted: Noted) -> Mapping[str, Any]:
        return self._glossary.absent(noted.settled) if noted.glossary == self._glossary.digest else {}

    def _kept(self, noted: Noted, hidden: frozenset[str]) -> dict[str, Any]:
        """Without those that say nothing: what is in the vocabulary, and not in a row, did not apply."""
        absent = self._absent(noted)
        return {
            name: value
            for name, value in noted.facts.items()
            if name not in hidden and (name not in absent or value != absent[name])
        }

    def _source(self, noted: Noted) -> str:
        """The address that may be reported; none is better than a wrong one."""
        return "" if Redactable.CLIENT_IP in self._redacted else str(noted.values["client_ip"])


def clean_text(text: str) -> str:
    """A text that both databases take, and of a bounded length."""
    if len(text) <= MAX_TEXT and text.isascii() and "\0" not in text:
        return text
    return text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """Every text in it cleaned, and every sequence a list."""
    return {
        name: clean(value) if value and (clean := _CLEANING.get(type(value))) else value for name, value in row.items()
    }


def _clean_items(items: Sequence[Any]) -> list[Any]:
    return [clean(item) if (clean := _CLEANING.get(type(item))) else item for item in items]


_CLEANING: Mapping[type, Callable[[Any], Any]] = {
    str: clean_text,
    dict: _clean,
    list: _clean_items,
    tuple: _clean_items,
}  # what came as JSON is of no other types that have text in them


def _reply_class(reply: str) -> int:
    return int(reply[0]) if reply[:1] in ("2", "4", "5") else 0
