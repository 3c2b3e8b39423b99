"""mailward learn: what it tells spamd, what it records, and what it says where either fails."""

import asyncio
import contextlib
import io
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.journal.database import for_reading
from gateway.journal.feedback import Feedback, since
from tests.support.fakespamd import FakeSpamd, replying
from tests.support.journal import journal_at, record_of

NOBODY = 65534
OK = b"SPAMD/1.1 0 EX_OK\r\n"
LEARNED, NOTHING = OK + b"DidSet: local\r\n\r\n\r\n", OK + b"\r\n\r\n"
REFUSED = b"SPAMD/1.0 69 Service Unavailable: TELL commands are not enabled, set the --allow-tell switch.\r\n"
RECEIPT = (
    "Received: from mail.sender.example (unknown [192.0.2.7])\n by mx.example.org (Mailward) with ESMTP id {}\n"
    " for <bob@example.org>; Mon, 24 Nov 2025 16:00:00 +0000\n"
)
LETTER = "From: ann@sender.example\nSubject: {}\n\nText\n"


@dataclass
class Site:
    root: Path
    config: Path

    @property
    def place(self) -> str:
        return f"sqlite:///{self.root}/journal.db"

    def configure(self, *hosts: str, more: str = "") -> None:
        spamd = "".join(f'[[spamd.hosts]]\naddress = "{host}"\n' for host in hosts)
        self.config.write_text(
            f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{self.root}"\n'
            f'[route.default]\nhosts = ["maildir:///nowhere"]\n{more}\n{spamd}'
        )

    def letter(self, name: str, *receipts: str) -> Path:
        file = self.root / name
        file.write_text("".join(map(RECEIPT.format, receipts)) + LETTER.format(name))
        return file

    def feedback(self) -> list[Feedback]:
        with contextlib.closing(for_reading(self.place)) as database:
            return list(since(database, 0))

    async def learn(self, *arguments: object) -> int:
        command = ["learn", "--config", str(self.config), *map(str, arguments)]
        return await asyncio.to_thread(main, command)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Its journal has the message m1."""
    site = Site(tmp_path, tmp_path / "mailward.toml")
    site.configure()
    with journal_at(site.place) as journal:
        journal.write(record_of())
    return site


async def test_every_spamd_is_told_and_the_word_recorded(site, capsys) -> None:
    async with FakeSpamd(replying(LEARNED)) as one, FakeSpamd(replying(NOTHING)) as other:
        site.configure(one.address, other.address)
        assert await site.learn("--spam", site.letter("a", "m1"), site.letter("b")) == 0
        assert (one.requests, other.requests) == (3, 3)  # the first asks whether it takes lessons
        assert capsys.readouterr().out == (
            "2 messages\n"
            f"spamd {one.address}: 2 learned as spam, 0 known as spam before\n"
            f"spamd {other.address}: 0 learned as spam, 2 known as spam before\n"
            "  or it does not learn at all: use_bayes 0, or a database that it cannot write (its log says so)\n"
            "journal: 2 recorded; it has 1 of the messages\n"
        )
    first, second = site.feedback()
    assert (first.id, first.verdict, first.source, len(first.digest)) == ("m1", "spam", "learn", 64)
    assert (second.id, second.verdict) == ("", "spam")
    assert first.digest != second.digest


async def test_a_spamd_that_takes_no_lessons_is_told_nothing_and_the_remedy_said(site, capsys) -> None:
    async with FakeSpamd(replying(REFUSED)) as closed, FakeSpamd(replying(LEARNED)) as open_:
        site.configure(closed.address, open_.address)
        assert await site.learn("--ham", site.letter("a"), site.letter("b")) == 1
        assert closed.requests == 1
        told = capsys.readouterr().out.splitlines()
        assert told[1] == f"spamd {closed.address}: 0 learned as ham, 0 known as ham before, 2 failed"
        assert told[2] == "  it takes no lessons: start it as `spamd --allow-tell`"
        assert told[3] == f"spamd {open_.address}: 2 learned as ham, 0 known as ham before"
    assert len(site.feedback()) == 2


async def test_a_spamd_that_is_not_there_costs_one_attempt(site, capsys) -> None:
    site.configure("127.0.0.1:1")
    assert await site.learn("--spam", site.letter("a")) == 1
    assert "  unreachable: " in capsys.readouterr().out
    assert len(site.feedback()) == 1


async def test_a_spamd_that_fails_again_and_again_is_given_up(site, capsys) -> None:
    answers = iter([NOTHING, LEARNED])

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.write(next(answers, b"nonsense\r\n"))

    async with FakeSpamd(behave) as spamd:
        site.configure(spamd.address)
        letters = [site.letter(f"a{number}") for number in range(9)]
        assert await site.learn("--spam", "--json", *letters) == 1
        assert spamd.requests == 5
    [host] = json.loads(capsys.readouterr().out)["spamd"]
    assert host == {
        "address": spamd.address,
        "changed": 1,
        "unchanged": 0,
        "failed": 8,
        "reason": "nonsense: the answer is not spamd's",
    }


async def test_only_the_topmost_receipt_of_a_message_that_the_journal_has_is_believed(site) -> None:
    assert await site.learn("--spam", site.letter("a", "unknown", "m1")) == 0
    assert [said.id for said in site.feedback()] == [""]


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(site, capsys) -> None:
    (site.root / "empty").touch()
    files = [site.root / "missing", site.root / "empty", site.letter("a", "m1")]
    assert await site.learn("--spam", *files) == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"mailward learn: {site.root}/missing: No such file or directory",
        f"mailward learn: {site.root}/empty: it is empty",
    ]
    assert printed.out.startswith("1 message, 2 not read\n")
    assert [said.id for said in site.feedback()] == ["m1"]


async def test_a_message_comes_on_standard_input(site, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(site.letter("a", "m1").read_bytes())))
    assert await site.learn("--ham", "-") == 0
    assert [said.verdict for said in site.feedback()] == ["ham"]


async def test_what_was_said_is_taken_back(site, capsys) -> None:
    a, b = site.letter("a", "m1"), site.letter("b")
    await site.learn("--spam", a, b)
    assert await site.learn("--forget", a) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "journal: 1 taken back; it has 1 of the messages"
    assert [said.id for said in site.feedback()] == [""]
    assert await site.learn("--forget", b) == 0
    assert site.feedback() == []


async def test_what_was_said_before_is_not_recorded_again_and_a_change_of_mind_is(site, capsys) -> None:
    a, copy = site.letter("a", "m1"), site.letter("b", "m1")
    copy.write_bytes(a.read_bytes())
    for lesson in ("--spam", "--spam", "--ham", "--spam"):
        assert await site.learn(lesson, a, copy) == 0
    assert [said.verdict for said in site.feedback()] == ["spam", "ham", "spam"]
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("journal: ")]
    assert told[0] == "journal: 1 recorded, 1 said before; it has 2 of the messages"
    assert told[1] == "journal: 0 recorded, 2 said before; it has 2 of the messages"


async def test_without_a_journal_the_lesson_is_told_all_the_same(site, capsys) -> None:
    async with FakeSpamd(replying(LEARNED)) as spamd:
        site.configure(spamd.address, more="[journal]\nenabled = false")
        assert await site.learn("--spam", site.letter("a")) == 0
        assert capsys.readouterr().out.endswith("journal: no feedback was recorded, since [journal] enabled is false\n")
        site.configure(spamd.address, more='[journal]\nurl = "sqlite:////nonexistent/journal.db"')
        assert await site.learn("--spam", site.letter("a")) == 1
        assert "1 failed: there is no journal yet: the gateway makes it" in capsys.readouterr().out
        assert spamd.requests == 4


async def test_with_neither_there_is_nobody_to_tell(site, capsys) -> None:
    site.configure(more="[journal]\nenabled = false")
    assert await site.learn("--spam", site.letter("a")) == 2
    assert "there is nobody to tell" in capsys.readouterr().err


async def test_a_journal_that_another_writes_without_end_is_told(site, capsys, monkeypatch) -> None:
    monkeypatch.setattr("gateway.journal.database.BUSY", 0.01)
    with contextlib.closing(sqlite3.connect(site.root / "journal.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await site.learn("--spam", site.letter("a")) == 1
    assert "0 recorded; it has 0 of the messages; 1 failed: database is locked" in capsys.readouterr().out


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write everything."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_journal_of_somebody_else_is_told_with_whom_to_be(capsys) -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own is closed to others
        site = Site(Path(made), Path(made) / "mailward.toml")
        site.configure()
        with journal_at(site.place) as journal:
            journal.write(record_of())
        site.root.chmod(0o755)
        file = site.letter("a")
        with unprivileged():
            assert asyncio.run(site.learn("--spam", file)) == 1
    assert "(run it as the file's owner: runuser -u root -- ...)" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_leaves_no_file_of_its_own_beside_the_journal(site) -> None:
    os.chown(site.root, NOBODY, NOBODY)
    for file in site.root.glob("journal.db*"):
        os.chown(file, NOBODY, NOBODY)
    with contextlib.closing(sqlite3.connect(site.root / "journal.db")) as reading:  # so that they stay
        reading.execute("SELECT count(*) FROM messages").fetchall()
        assert asyncio.run(site.learn("--spam", site.letter("a"))) == 0
        assert {file.stat().st_uid for file in site.root.glob("journal.db*")} == {NOBODY}


def test_one_lesson_has_to_be_chosen(site, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["learn", str(site.letter("a"))])
    assert "one of the arguments --spam --ham --forget is required" in capsys.readouterr().err
