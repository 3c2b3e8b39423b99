"""Hostile mail in the journal: whatever a client writes, its row is written, its neighbours are, and the facts are read
as rules saw them."""

from pathlib import Path

import pytest

from gateway.journal.frame import MAX_FRAME, encode
from gateway.journal.writer import Dropped
from gateway.record import Event
from tests.support.dnstable import TableResolver
from tests.support.journal import EVIDENCE, GLOSSARY, journal_at, record_of
from tests.support.journeys import LETTER, walking

SQL = b"'); DROP TABLE messages; --"
SUBJECTS = {
    "sql": SQL,
    "nul": b"a\0b",
    "latin": b"caf\xe9 \xff\xfe",
    "encoded nul": b"=?utf-8?q?a=00b?=",
    "encoded surrogate": b"=?utf-8?q?=ED=A0=80=ED=BF=BF?=",
    "encoded utf-16": b"=?utf-16?b?ANgA3A==?=",
    "terminal": b"\x1b]0;title\x07\x1b[2J",
    "placeholders": b"%s %(x)s :id ? $1 {0} \\",
    "not a character": "\uffff\U0010ffff\u202e".encode(),
    "long": b"x" * 60_000,
    "words": b" ".join([b"=?utf-8?q?=F0=9F=92=A9?="] * 2000),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/journal.db"
    return str(request.getfixturevalue("postgresql").emptied())


async def test_every_letter_has_its_row_and_its_facts(place: str, tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({})) as walk:
        await walk.connect(helo="'; --")
        for octets in SUBJECTS.values():
            head = LETTER.replace(b"A letter", octets).replace(b"<1@", b"<%s@" % octets[:200])
            await walk.send(head, "o'brien@example.org", sender='"\' OR 1=1 --"@sender.example')
        records = [record for record in walk.records if record.event is Event.MESSAGE]
    assert len(records) == len(SUBJECTS)
    assert all(len(encode(record, GLOSSARY.digest)) <= MAX_FRAME for record in records)
    with journal_at(place) as journal:
        assert journal.write(*records) == (len(records), {})
        entries = list(journal.reader.since(0))
    assert [entry.id for entry in entries] == [record.id for record in records]
    for record, entry in zip(records, entries, strict=True):
        assert record.basis is not None
        for name, value in record.basis.facts.items():
            assert name in entry.unrecorded or entry.facts[name] == value, name
        assert entry.recipients == ("o'brien@example.org",)
    assert [entry.unrecorded for entry in entries[:3]] == [(), (), ()]


@pytest.mark.parametrize(
    ("written", "broken"),
    [
        (b'"author.domain":"sender.example"', b'"author.domain":{"a":1}'),
        (b'"dmarc.domain":"sender.example"', b'"dmarc.domain":["a"]'),
        (b'"spf":["sender.example"', b'"spf":[["a"]'),
        (b'"dkim":[["other.example"', b'"dkim":[[{"a":1}'),
        (b'"dkim":[[', b'"dkim":[null,['),
    ],
)
def test_a_frame_whose_values_no_database_takes_costs_no_other_entry(place: str, written: bytes, broken: bytes) -> None:
    frames = [encode(record_of(id=name, dmarc=EVIDENCE), GLOSSARY.digest) for name in ("m1", "m2", "m3")]
    assert written in frames[1]
    frames[1] = frames[1].replace(written, broken, 1)
    with journal_at(place) as journal:
        assert journal.writer.write(frames) == (2, {Dropped.BROKEN: 1})
        assert [entry.id for entry in journal.reader.since(0)] == ["m1", "m3"]


async def test_thousands_of_recipients_and_names_are_bounded(place: str, tmp_path: Path) -> None:
    names = b", ".join(b'"%d" <a%d@sender.example>' % (number, number) for number in range(300))
    recipients = [f"{'r' * 50}{number}@{'long.' * 30}example.org" for number in range(100)]
    async with walking(tmp_path, TableResolver({}), domains=[".example.org"]) as walk:
        await walk.connect()
        await walk.send(LETTER.replace(b"Ann <ann@sender.example>", names), *recipients)
        record = walk.recorded()
    with journal_at(place) as journal:
        assert journal.write(record) == (1, {})
        [entry] = journal.reader.of(record.id)
    assert "recipients" in entry.unrecorded
    assert "recipients" not in entry.facts
    assert entry.facts["recipient.count"] == 100
