"""What is written to the journal is read from it, on SQLite and on PostgreSQL alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select, update

from gateway.facts import Stage
from gateway.journal import feedback
from gateway.journal.database import JournalError, NoJournal, for_keeping, for_reading, name, try_to_write
from gateway.journal.feedback import Feedback, Kind
from gateway.journal.frame import encode
from gateway.journal.glossary import Glossary
from gateway.journal.reader import PAGE, Reader, reading
from gateway.journal.retention import CHUNK, DAY, Retention
from gateway.journal.schema import MIGRATIONS, VERSION, messages, metadata, schema_version, vocabularies
from gateway.journal.writer import Dropped
from gateway.record import Event
from gateway.system.redaction import Redactable, Redaction
from gateway.vocabulary import FACTS
from tests.support.journal import EVIDENCE, FOUND, GLOSSARY, NOW, Journal, journal_at, numbered, record_of

HOSTILE = [
    "'; DROP TABLE messages; --",
    '" OR 1=1',
    "\0",
    "a\0b",
    "\udcff\udc80",
    "%s %(name)s :name ? $1 {0}",
    "\\x00 \\' \\\\",
    "\x1b[2J\r\n\u2028",
    "\U0010ffff\ufffe",
    "x" * 1200,
]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a journal?%41.db"
    return str(request.getfixturevalue("postgresql").emptied())


@pytest.fixture
def journal(place: str) -> Iterator[Journal]:
    with journal_at(place) as journal:
        yield journal


def ids(reader: Reader, moment: float = 0) -> list[str]:
    return [entry.id for entry in reader.since(moment)]


def test_an_entry_says_what_the_record_said(journal: Journal) -> None:
    record = record_of(panic=True)
    assert journal.write(record) == (1, {})
    [entry] = journal.reader.of("m1")
    for field in ("event", "id", "began", "client_ip", "sender", "recipients", "subject", "size", "action", "total"):
        assert getattr(entry, field) == getattr(record, field), field
    for field in ("rules", "shadow", "rules_digest", "panic", "reply", "answer", "queue_id", "milliseconds", "stage"):
        assert getattr(entry, field) == getattr(record, field), field
    assert entry.author_domain == "sender.example"


def test_every_fact_that_was_recorded_is_there_with_its_type(journal: Journal) -> None:
    journal.write(record_of())
    [entry] = journal.reader.of("m1")
    absent = {fact.name: fact.absent for fact in FACTS if not fact.on_demand}
    assert entry.facts == {**absent, **FOUND}
    assert entry.shown == dict(FOUND)
    assert entry.unrecorded == ()


def test_a_fact_that_is_found_out_on_demand_is_there_only_where_it_was_asked_for(journal: Journal) -> None:
    journal.write(record_of(id="m1"), record_of(id="m2", facts={**FOUND, "attachments.result": "complete"}))
    [unasked], [asked] = journal.reader.of("m1"), journal.reader.of("m2")
    assert "attachments.result" not in unasked.facts
    assert asked.facts["attachments.result"] == "complete"


def test_facts_that_were_not_found_out_are_not_there(journal: Journal) -> None:
    found = {"client.ip": FOUND["client.ip"], "spf.result": "none"}
    journal.write(record_of(Event.REFUSED, facts=found, settled=Stage.MAIL, id="m2", total=None))
    [entry] = journal.reader.of("m2")
    assert entry.total is None
    assert {"client.ip", "spf.result", "tls.version", "sender.address"} <= entry.facts.keys()
    assert not {"iprev.result", "dkim.result", "spam.score", "recipients"} & entry.facts.keys()


def test_a_fact_that_was_cut_is_shown_and_does_not_count_as_recorded(journal: Journal) -> None:
    journal.write(record_of(facts={**FOUND, "spam.symbols": ("S" * 100,) * 1000}))
    [entry] = journal.reader.of("m1")
    assert "spam.symbols" not in entry.facts
    assert entry.shown["spam.symbols"]
    assert entry.unrecorded == ("spam.symbols",)


def test_a_fact_that_was_redacted_does_not_count_as_recorded(place: str) -> None:
    redact = {Redactable.SENDER: Redaction.HASH, Redactable.RECIPIENTS: Redaction.DROP}
    with journal_at(place, redact=redact) as journal:
        journal.write(record_of())
        [entry] = journal.reader.of("m1")
    assert entry.recipients == ()
    assert len(entry.sender) == 16
    assert not {"sender.address", "recipients"} & entry.facts.keys()
    assert entry.facts["sender.domain"] == "sender.example"
    assert entry.unrecorded == ("recipients", "sender.address")


def test_a_fact_that_was_declared_later_does_not_count_as_recorded(place: str) -> None:
    before = Glossary.of(fact for fact in FACTS if fact.name != "spam.flag")
    with journal_at(place, glossary=before) as journal:
        journal.writer.write([encode(record_of(id="old"), before.digest)])
    with journal_at(place) as journal:
        journal.write(record_of(id="new"))
        [old], [new] = journal.reader.of("old"), journal.reader.of("new")
    assert new.facts.keys() - old.facts.keys() == {"spam.flag"}


def test_nothing_counts_as_recorded_where_nobody_knows_what_was(journal: Journal) -> None:
    journal.write(record_of())
    with journal.database.transaction() as connection:
        connection.execute(vocabularies.delete())
    [entry] = Reader(journal.database).of("m1")
    assert entry.facts == {}


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_or_is_refused(journal: Journal, text: str) -> None:
    values = dict.fromkeys(("helo", "sender", "author", "subject", "message_id", "reply", "answer", "queue_id"), text)
    facts = {"subject": text, "spam.symbols": (text, text), f"header.{text}": (text,), "author.domain": text}
    evidence = {**EVIDENCE, "dkim": ((text, text, "fail", text),), "spf": (text, "mfrom", "fail", text)}
    record = record_of(facts=facts, dmarc=evidence, recipients=(text,), rules=(text,), **values)
    assert journal.write(record, record_of(id="m2")) == (2, {})
    [entry] = journal.reader.of("m1")
    assert {name: entry.facts[name] for name in facts} == facts
    [evaluation] = journal.reader.evaluations_of("m1")
    assert evaluation.dkim[0][2] == "fail"
    assert ids(journal.reader) == ["m1", "m2"]
    assert journal.reader.of(text) == []


def test_entries_come_in_the_order_of_time_and_all_of_them(journal: Journal) -> None:
    count = PAGE + 50
    records = numbered(count)
    journal.write(*records[500:])
    journal.write(*records[:500])
    assert ids(journal.reader) == [f"m{number + 1}" for number in range(count)]
    assert ids(journal.reader, NOW + count - 2) == [f"m{count - 1}", f"m{count}"]


def test_entries_of_one_moment_are_each_read_once(journal: Journal) -> None:
    records = [replace(record, began=NOW) for record in numbered(2 * PAGE + 1)]
    for start in range(0, len(records), 500):
        journal.write(*records[start : start + 500])
    assert len(set(ids(journal.reader))) == len(ids(journal.reader)) == len(records)


def test_reading_stops_where_the_reader_does(journal: Journal) -> None:
    journal.write(*numbered(10))
    assert [entry.id for entry in islice(journal.reader.since(0), 3)] == ["m1", "m2", "m3"]
    assert journal.write(record_of(id="m11")) == (1, {})


def test_all_entries_of_an_id_are_found(journal: Journal) -> None:
    journal.write(record_of(Event.REFUSED, reply="550 no"), record_of(), record_of(id="m12"), record_of(id="m"))
    assert [entry.event for entry in journal.reader.of("m1")] == ["refused", "message"]
    assert journal.reader.of("m1%") == []


def test_what_reports_need_is_kept_apart(journal: Journal) -> None:
    journal.write(record_of(dmarc=EVIDENCE), record_of(id="m2"), record_of(id="m3", dmarc=EVIDENCE, began=NOW + 5))
    assert [evaluation.id for evaluation in journal.reader.evaluations_since(0)] == ["m1", "m3"]
    [evaluation] = journal.reader.evaluations_since(NOW + 1)
    assert (evaluation.policy_domain, evaluation.p, evaluation.fo) == ("sender.example", "reject", "0:d")
    assert evaluation.rua == ("mailto:dmarc@sender.example",)
    assert evaluation.dkim == (
        ("other.example", "s1", "pass", ""),
        ("sender.example", "s2", "fail", "the body was changed"),
    )


def test_an_entry_that_the_database_refuses_is_dropped_alone(journal: Journal) -> None:
    rows = [record_of(id="m1"), record_of(id="m2", size=1 << 70), record_of(id="m3")]
    assert journal.write(*rows) == (2, {Dropped.REFUSED: 1})
    assert ids(journal.reader) == ["m1", "m3"]


def test_an_entry_that_nobody_understands_is_dropped_alone(journal: Journal) -> None:
    endless = encode(record_of(milliseconds={"total": 1e308}), GLOSSARY.digest)
    good = [encode(record_of(id=name), GLOSSARY.digest) for name in ("m1", "m2")]
    assert journal.writer.write([good[0], b"nonsense", endless, good[1]]) == (2, {Dropped.BROKEN: 2})
    assert ids(journal.reader) == ["m1", "m2"]


def test_what_was_dropped_is_told_with_what_comes_after_it(journal: Journal) -> None:
    journal.writer.write([b"nonsense", encode(record_of(), GLOSSARY.digest, missing=40)])
    journal.write(record_of(id="m2"))
    assert {(gap.reason, gap.entries) for gap in journal.reader.gaps_since(0)} == {("queue", 40), ("broken", 1)}
    assert journal.reader.extent().missing == {"queue": 40, "broken": 1}
    journal.write(record_of(id="m3"))
    assert journal.reader.extent().missing == {"queue": 40, "broken": 1}


def test_a_batch_is_not_written_twice_where_the_answer_to_its_commit_was_lost(place: str) -> None:
    with journal_at(place, patience=60) as journal:
        whole = journal.database.transaction
        lost = iter([True])

        @contextmanager
        def losing_one_answer() -> Iterator[Connection]:
            with whole() as connection:
                yield connection
            if next(lost, False):
                raise JournalError("the connection is gone")

        journal.database.transaction = losing_one_answer  # type: ignore[method-assign]
        assert journal.write(*numbered(3)) == (3, {})
        assert len(journal.pauses) == 1
        assert ids(journal.reader) == ["m1", "m2", "m3"]


def test_extent_tells_how_much_there_is(journal: Journal) -> None:
    journal.write(*numbered(3))
    extent = journal.reader.extent()
    assert (extent.rows, extent.first, extent.last, extent.missing) == (3, NOW, NOW + 2, {})
    assert extent.octets > 4096


def test_an_empty_journal_has_no_extent(place: str) -> None:
    with journal_at(place) as journal:
        journal.write()
        extent = journal.reader.extent()
    assert (extent.rows, extent.first, extent.last, extent.feedback) == (0, None, None, 0)


def test_what_has_expired_is_removed_a_little_at_a_time(journal: Journal) -> None:
    old = [replace(record, began=NOW - 31 * DAY) for record in numbered(CHUNK + 5, dmarc=EVIDENCE)]
    journal.write(*old)
    journal.write(record_of(id="young", dmarc=EVIDENCE))
    said = Feedback(began=NOW - 31 * DAY, verdict=Kind.SPAM, source="learn", id="m1")
    feedback.note(journal.database, [said, replace(said, began=NOW)])
    retention = Retention(journal.database, days=30, clock=lambda: NOW)
    assert retention.remove_some() == 2 * CHUNK + 1
    assert len(ids(journal.reader)) == 6
    assert retention.remove_all() == 10
    assert ids(journal.reader) == ["young"]
    assert [evaluation.id for evaluation in journal.reader.evaluations_since(0)] == ["young"]
    assert journal.reader.extent().feedback == 1
    assert retention.remove_all() == 0


def test_feedback_is_kept(journal: Journal) -> None:
    said = [
        Feedback(began=NOW, verdict=Kind.HAM, source="learn", id="m1"),
        Feedback(began=NOW + 1, verdict=Kind.SPAM, source="/srv/spam", digest=feedback.digest([b"ab", b"c"])),
    ]
    feedback.note(journal.database, said)
    feedback.note(journal.database, [])
    feedback.note(journal.database, [replace(said[0], began=NOW + 2, id="\0", source="\udc80")])
    found = list(feedback.since(journal.database, NOW))
    assert found[:2] == said
    assert (found[2].id, found[2].source) == ("\ufffd", "?")
    assert len(list(feedback.since(journal.database, NOW + 1))) == 2


def test_a_journal_of_a_newer_version_is_refused(place: str) -> None:
    with journal_at(place) as journal:
        journal.write(record_of())
        with journal.database.transaction() as connection:
            connection.execute(update(schema_version), {"version": VERSION + 1})
    with pytest.raises(JournalError, match="of a newer Mailward"), reading(place) as reader:
        reader.of("m1")
    with journal_at(place) as journal:
        assert journal.write(record_of(id="m2")) == (0, {Dropped.DATABASE: 1})


def test_a_journal_of_an_older_version_is_brought_up_to_date(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with journal_at(place) as journal:
        journal.write(record_of())
        with journal.database.transaction() as connection:
            connection.execute(update(schema_version), {"version": VERSION - 1})
    with pytest.raises(JournalError, match="older schema"), reading(place) as reader:
        reader.of("m1")
    step = "UPDATE messages SET subject = 'brought up to date'"
    monkeypatch.setitem(MIGRATIONS, VERSION - 1, (step,))
    with journal_at(place) as journal:
        journal.write(record_of(id="m2"))
        assert [entry.subject for entry in journal.reader.since(0)] == ["brought up to date", "A letter"]
        with journal.database.transaction() as connection:
            assert connection.execute(select(schema_version.c.version)).scalar_one() == VERSION


def test_where_nobody_has_written_there_is_no_journal(place: str) -> None:
    for attempt in (lambda: try_to_write(place), lambda: list(Reader(for_reading(place)).since(0))):
        with pytest.raises(NoJournal):
            attempt()


def test_trying_to_write_changes_nothing(journal: Journal, place: str) -> None:
    journal.write(record_of())
    try_to_write(place)
    assert ids(journal.reader) == ["m1"]


def test_two_processes_may_write_one_after_the_other(place: str) -> None:
    """As when one is renewed, or two hosts share a database."""
    with journal_at(place) as one, journal_at(place) as other:
        one.write(record_of(id="m1"))
        other.write(record_of(id="m2"))
        one.write(record_of(id="m3"))
        assert ids(other.reader) == ["m1", "m2", "m3"]


def test_tables_have_what_the_readers_look_for(journal: Journal) -> None:
    """Those that are purged by time, and found by id, do not have to be read as a whole."""
    indexed = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for index in table.indexes
        for column in index.columns
    }
    assert {
        ("messages", "began"),
        ("messages", "id"),
        ("dmarc", "began"),
        ("gaps", "began"),
        ("feedback", "id"),
    } <= indexed
    assert messages.c.number.primary_key


def test_a_password_is_not_shown() -> None:
    shown = name("postgresql://mailward:secret@db.example/journal")
    assert "secret" not in shown
    assert "db.example/journal" in shown


def test_a_database_that_is_there_again_is_written_to(place: str) -> None:
    database = for_keeping(place)
    database.close()
    with database.transaction() as connection:
        assert connection.execute(select(schema_version.c.version)).scalar_one() == VERSION
    database.close()
