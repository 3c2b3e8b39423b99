"""Rows: turns what a worker has noted into the rows of the journal. Pure.

Text that a database would refuse is cleaned (NUL, octets that are no UTF-8), and what is personal is redacted as the
site chose. The facts stay as rules saw them: they are kept as JSON in ASCII.
"""

from collections.abc import Callable, Collection, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import Table, Text

from gateway.journal.dmarc import evaluation
from gateway.journal.frame import Noted
from gateway.journal.glossary import Glossary
from gateway.journal.notation import to_ascii
from gateway.journal.personal import hidden_facts
from gateway.journal.schema import dmarc, messages
from gateway.record import hundredths
from gateway.system.redaction import Redactable, Redaction, redactor

LISTS = ("recipients", "rules", "shadow", "candidate_rules", "unrecorded")
MAX_TEXT = 1000  # characters in a column; more is an attack or nobody's reading

Row = dict[str, Any]


def _texts_of(table: Table) -> Callable[[Row], tuple[str, ...]]:
    """What gives the texts in the columns of a row."""
    return itemgetter(*[column.name for column in table.c if isinstance(column.type, Text)])


_message_texts, _dmarc_texts = _texts_of(messages), _texts_of(dmarc)
_lists_of = itemgetter(*LISTS)


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
            "recipients": [*values["recipients"]],
            "rules": [*values["rules"]],
            "shadow": [*values["shadow"]],
            "candidate_rules": [*values["candidate_rules"]],
            "milliseconds": hundredths(values["milliseconds"]),
            "author_domain": noted.facts.get("author.domain", ""),
            "reply_class": _reply_class(values["reply"]),
            "vocabulary": noted.glossary,
            "settled": int(noted.settled),
            "unrecorded": sorted({*hidden, *noted.cut}),
            "facts": to_ascii(self._kept(noted, hidden)),
        }
        texts = [*_message_texts(message), *chain(*_lists_of(message))]
        return Rows(_clean(message, texts), self._reported(noted))

    def _reported(self, noted: Noted) -> Row | None:
        """The row of what is to be reported. No address of a client is better than a wrong one."""
        values = noted.values
        row = evaluation(values, noted.facts, noted.dmarc)
        if row is None:
            return None
        source = "" if Redactable.CLIENT_IP in self._redacted else values["client_ip"]
        row |= {"id": values["id"], "began": values["began"], "source_ip": source}
        return _clean(row, [*_dmarc_texts(row), *row["rua"], *chain(*row["dkim"])])

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


def clean_text(text: str) -> str:
    """A text that both databases take, and of a bounded length."""
    return text if _are_clean([text]) else text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _clean(row: Row, texts: Collection[str]) -> Row:
    """The row, cleaned; `texts` are those in its columns and lists."""
    return row if _are_clean(texts) else {name: _cleaned(value) for name, value in row.items()}


def _are_clean(texts: Collection[str]) -> bool:
    """Whether all may stay as they are: one look at all together is what an ordinary row takes."""
    together = "".join(texts)
    if "\0" in together or not (together.isascii() or _is_utf8(together)):
        return False
    return len(together) <= MAX_TEXT or max(map(len, texts)) <= MAX_TEXT


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # it has octets of something else
        return False
    return True


def _cleaned(value: Any) -> Any:
    if type(value) is str:
        return clean_text(value)
    return [*map(_cleaned, value)] if type(value) is list else value


def _reply_class(reply: str) -> int:
    return int(reply[0]) if reply[:1] in ("2", "4", "5") else 0
