"""Rows: turns what a worker has noted into the rows of the journal. Pure.

Text that a database would refuse is cleaned (NUL, octets that are no UTF-8), and what is personal is redacted as the
site chose. The facts stay as rules saw them: they are kept as JSON in ASCII.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from gateway.journal.dmarc import evaluation
from gateway.journal.frame import Noted
from gateway.journal.glossary import Glossary
from gateway.journal.notation import to_ascii
from gateway.journal.personal import hidden_facts
from gateway.record import hundredths
from gateway.system.redaction import Redactable, Redaction, redactor

MESSAGE_LISTS = ("recipients", "rules", "shadow", "candidate_rules", "unrecorded")
DMARC_LISTS = ("rua", "dkim")
MAX_TEXT = 1000  # characters in a column; more is an attack or nobody's reading

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
        values = self._redacted_values(noted.values)
        hidden = self._hidden(noted)
        message = {
            **values,
            "milliseconds": hundredths(values["milliseconds"]),
            "author_domain": noted.facts.get("author.domain", ""),
            "reply_class": _reply_class(values["reply"]),
            "vocabulary": noted.glossary,
            "settled": int(noted.settled),
            "unrecorded": sorted({*hidden, *noted.cut}),
            "facts": to_ascii(self._kept(noted, hidden)),
        }
        found = evaluation(noted.values, noted.facts, noted.dmarc)
        if found is None:
            return Rows(_clean(message, MESSAGE_LISTS), None)
        dmarc = {**found, "id": values["id"], "began": values["began"], "source_ip": self._source(noted)}
        return Rows(_clean(message, MESSAGE_LISTS), _clean(dmarc, DMARC_LISTS))

    def _redacted_values(self, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing of its kind stands where a value is gone: rows of one batch have the same columns."""
        if not self._redacted:
            return known
        redacted = self._redact(dict(known))
        return {name: redacted[name] if name in redacted else type(value)() for name, value in known.items()}

    def _hidden(self, noted: Noted) -> frozenset[str]:
        return hidden_facts(self._names(noted), self._redacted) if self._redacted else frozenset()

    def _names(self, noted: Noted) -> set[str]:
        """Of every fact that would count as recorded."""
        return {*noted.facts, *self._absent(noted)}

    def _absent(self, noted: Noted) -> Mapping[str, Any]:
        return self._glossary.absent(noted.settled) if noted.glossary == self._glossary.digest else {}

    def _kept(self, noted: Noted, hidden: frozenset[str]) -> dict[str, Any]:
        """Without those that say nothing: what is in the vocabulary, and not in a row, did not apply."""
        absent = self._absent(noted)
        said = {name: value for name, value in noted.facts.items() if value != absent.get(name)}
        return {name: value for name, value in said.items() if name not in hidden} if hidden else said

    def _source(self, noted: Noted) -> str:
        """The address that may be reported; none is better than a wrong one."""
        return "" if Redactable.CLIENT_IP in self._redacted else str(noted.values["client_ip"])


def clean_text(text: str) -> str:
    """A text that both databases take, and of a bounded length."""
    if len(text) <= MAX_TEXT and text.isascii() and "\0" not in text:
        return text
    return text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _clean(row: Row, sequences: Iterable[str]) -> Row:
    """The row, every text in it cleaned, and every one of these sequences a list."""
    for name in sequences:
        row[name] = _clean_items(row[name]) if row[name] else []  # as most are
    together = "".join([value for value in row.values() if type(value) is str])
    if clean_text(together) == together:  # so is each alone: one look at all is what an ordinary row takes
        return row
    return {name: clean_text(value) if type(value) is str else value for name, value in row.items()}


def _clean_items(items: Iterable[Any]) -> list[Any]:
    return [
        clean_text(item) if type(item) is str else _clean_items(item) if type(item) is list else item for item in items
    ]


def _reply_class(reply: str) -> int:
    return int(reply[0]) if reply[:1] in ("2", "4", "5") else 0
