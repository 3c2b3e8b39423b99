"""The journal in tests: records as workers note them, written by the real writer and read by the real reader.

with journal_at(place) as journal:
    journal.write(record_of(id="m1"), record_of(id="m2"))
    [entry] = journal.reader.of("m1")
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from gateway.delivery.outcome import Outcome
from gateway.facts import FactValue, Stage
from gateway.journal.database import Database, for_keeping
from gateway.journal.frame import encode
from gateway.journal.glossary import Glossary
from gateway.journal.reader import Reader
from gateway.journal.rows import RowMaker
from gateway.journal.writer import Dropped, Writer
from gateway.record import Basis, Event, Record
from gateway.reply import reply
from gateway.system.redaction import Redactable, Redaction
from gateway.vocabulary import FACTS

NOW = 1_795_000_000.0
GLOSSARY = Glossary.of(FACTS)
KEY = "a key of the tests"
STORED = Outcome(
    reply=reply("250 2.0.0", "Stored"),
    next_hop="smtp://127.0.0.1:10025",
    answer="250 2.0.0 queued as 4F1CA1",
    queue_id="4F1CA1",
)
PATIENCE = 0.05  # seconds
BUSY = 0.01  # seconds

FOUND: Mapping[str, FactValue] = {
    "client.ip": ip_address("192.0.2.7"),
    "client.helo": "mail.sender.example",
    "sender.address": "ann@sender.example",
    "sender.domain": "sender.example",
    "recipients": ("alice@example.org", "bob@example.org"),
    "recipient.domain": "example.org",
    "recipient.count": 2,
    "author.address": "ann@sender.example",
    "author.domain": "sender.example",
    "author.name": "Ann",
    "subject": "A letter",
    "dkim.result": "pass",
    "dkim.domains": ("sender.example",),
    "dmarc.result": "fail",
    "dmarc.policy": "reject",
    "dmarc.published": "reject",
    "dmarc.domain": "sender.example",
    "dmarc.author": "sender.example",
    "spam.result": "scored",
    "spam.score": 1.5,
}
EVIDENCE: Mapping[str, Any] = {
    "record": "v=DMARC1; p=reject; aspf=s; fo=0:d; rua=mailto:dmarc@sender.example",
    "dkim": (("other.example", "s1", "pass", ""), ("sender.example", "s2", "fail", "the body was changed")),
    "spf": ("sender.example", "mfrom", "softfail", ""),
}


def record_of(
    event: Event = Event.MESSAGE,
    *,
    facts: Mapping[str, FactValue] = FOUND,
    settled: Stage = Stage.SCORED,
    dmarc: Mapping[str, Any] | None = None,
    **values: Any,
) -> Record:
    """A message that was delivered, unless it is said otherwise."""
    known: dict[str, Any] = {
        "id": "m1",
        "connection": "c1",
        "began": NOW,
        "stage": "delivered",
        "client_ip": "192.0.2.7",
        "client_name": "mail.sender.example",
        "helo": "mail.sender.example",
        "sender": "ann@sender.example",
        "recipients": ("alice@example.org", "bob@example.org"),
        "author": "ann@sender.example",
        "subject": "A letter",
        "message_id": "<1@sender.example>",
        "size": 4096,
        "action": "tag",
        "dmarc_override": "local_policy",
        "total": 1.5,
        "rules": ("one", "two"),
        "shadow": ("three",),
        "rules_digest": "c87be46badbb",
        "reply": "250 2.0.0 ok",
        "next_hop": "smtp://127.0.0.1:10025",
        "answer": "250 2.0.0 queued as Q1",
        "queue_id": "Q1",
        "milliseconds": {"spf": 1.5, "total": 20.0},
    }
    return Record(event=event, basis=Basis(facts=facts, settled=settled, dmarc=dmarc), **known | values)


@dataclass
class Journal:
    database: Database
    writer: Writer
    reader: Reader
    pauses: list[float]  # that the writer has made

    def write(self, *records: Record) -> tuple[int, Counter[Dropped]]:
        return self.writer.write([encode(record, GLOSSARY.digest) for record in records])


@contextmanager
def journal_at(
    place: str,
    *,
    redact: Mapping[Redactable, Redaction] = MappingProxyType({}),
    glossary: Glossary = GLOSSARY,
    patience: float = PATIENCE,
    on_pause: Callable[[], object] = lambda: None,
    pauses_at_most: int = 1000,
) -> Iterator[Journal]:
    """The one at that URL. The writer makes no real pauses: `on_pause` says what is to happen in one, `pauses_at_most`
    how many there is time for."""
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        on_pause()
        return len(pauses) < pauses_at_most

    database = for_keeping(place, busy=BUSY)
    maker = RowMaker(glossary, redact, KEY)
    writer = Writer(database, maker, glossary, patience=patience, pause=pause, clock=lambda: NOW)
    try:
        yield Journal(database, writer, Reader(database), pauses)
    finally:
        database.close()


def numbered(count: int, **values: Any) -> list[Record]:
    """Records m1, m2, ... of one second each."""
    first = record_of(**values)
    return [replace(first, id=f"m{number + 1}", began=NOW + number) for number in range(count)]
