"""The journal of a running gateway: every message, refusal and loss has its row, whatever signals come."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.database import NoJournal
from gateway.journal.entry import Entry
from gateway.journal.reader import reading
from gateway.vocabulary import FACTS
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.postgresql import PostgreSql
from tests.support.supervised import is_alive, until

SENDER, ALICE = "ann@sender.example", "alice@example.org"
LETTER = b"From: Ann <ann@sender.example>\r\nSubject: %s\r\nMessage-ID: <1@sender.example>\r\n\r\nHello\r\n"
ZONE = """
sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.9 -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@sender.example"
"""
QUICK = "interval = 0.05"


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), ZONE) as address:
        yield address


def route(root: Path) -> str:
    return f'[route.default]\nhosts = ["maildir://{root}/mail"]\n'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, dns: str) -> Iterator[RunningGateway]:
    """For tests that look for their own messages, by who sent them."""
    root = tmp_path_factory.mktemp("shared")
    with running_gateway(root / "gateway", dns=dns, more=route(root), journal=QUICK) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, dns: str) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path / "gateway", dns=dns, more=route(tmp_path), journal=QUICK) as running:
        yield running


def place(gateway: RunningGateway) -> str:
    return f"sqlite://{gateway.root}/journal.db"


def entries(where: str) -> list[Entry]:
    with reading(where) as reader, contextlib.suppress(NoJournal):
        return list(reader.since(0))
    return []


def entries_of(gateway: RunningGateway, count: int, *, sender: str = SENDER) -> list[Entry]:
    """The entries of that sender in the order of time, once there are so many."""

    def found() -> list[Entry] | None:
        of_sender = [entry for entry in entries(place(gateway)) if entry.sender == sender]
        return of_sender if len(of_sender) >= count else None

    noted: list[Entry] = until(found, f"{count} entries")
    return noted


def logged(gateway: RunningGateway) -> dict[str, dict[str, Any]]:
    """What the log says of transactions so far, by their ids."""
    events = ("message", "refused", "lost")
    return {line["id"]: line for event in events for line in gateway.records(event)}


def command(gateway: RunningGateway, *arguments: str) -> "subprocess.CompletedProcess[str]":
    called = [sys.executable, "-m", "gateway", "journal", "--config", str(gateway.config), *arguments]
    return subprocess.run(called, capture_output=True, text=True, timeout=60, check=False)


def test_messages_refusals_and_losses_have_their_rows(shared: RunningGateway) -> None:
    sender = "rows@sender.example"
    assert shared.send(LETTER % b"first", sender=sender).code == 250
    assert shared.send(LETTER % b"second", sender=sender, recipient="bob@elsewhere.example").code == 550
    with shared.client() as client:
        client.ehlo()
        assert client.mail(sender)[0] == client.rcpt(ALICE)[0] == 250
        client.rset()
    message, refused, lost = entries_of(shared, 3, sender=sender)
    assert (message.event, message.recipients, message.subject) == ("message", (ALICE,), "first")
    assert (refused.event, refused.stage, refused.recipients) == ("refused", "rcpt", ("bob@elsewhere.example",))
    assert (lost.event, lost.recipients) == ("lost", (ALICE,))
    until(lambda: {message.id, refused.id, lost.id} <= logged(shared).keys(), "the lines of the log")
    lines = logged(shared)
    for entry in (message, refused, lost):
        line = lines[entry.id]
        assert (entry.event, entry.reply, entry.rules_digest) == (
            line["event"],
            line.get("reply", ""),
            line["rules_digest"],
        )


def test_every_fact_of_a_message_is_recorded_and_of_a_refusal_those_that_were_known(shared: RunningGateway) -> None:
    sender = "facts@sender.example"
    shared.send(LETTER % b"first", sender=sender)
    shared.send(LETTER % b"second", sender=sender, recipient="bob@elsewhere.example")
    message, refused = entries_of(shared, 2, sender=sender)
    always, on_demand = ({fact.name for fact in FACTS if fact.on_demand is wanted} for wanted in (False, True))
    assert always <= message.facts.keys()
    assert on_demand.isdisjoint(message.facts), "no rule reads them, so that nobody has found them out"
    assert message.facts["dmarc.result"] == "pass"
    assert message.facts["spam.result"] == "skipped"
    assert "client.ip" in refused.facts
    assert not {"dmarc.result", "dkim.result", "spam.result"} & refused.facts.keys()


def test_what_dmarc_found_is_kept_for_reports(shared: RunningGateway) -> None:
    sender = "reports@sender.example"
    shared.send(LETTER % b"first", sender=sender)
    [entry] = entries_of(shared, 1, sender=sender)
    with reading(place(shared)) as reader:
        [found] = reader.evaluations_of(entry.id)
    assert (found.policy_domain, found.result, found.disposition) == ("sender.example", "pass", "pass")
    assert (found.spf_aligned, found.dkim_aligned, found.p) == ("pass", "fail", "reject")
    assert (found.source_ip, found.rua) == ("127.0.0.9", ("mailto:dmarc@sender.example",))


def test_a_message_that_is_refused_for_its_lines_has_its_row(shared: RunningGateway) -> None:
    sender = "lines@sender.example"
    with shared.client() as client:
        client.ehlo()
        assert client.mail(sender)[0] == client.rcpt(ALICE)[0] == 250
        assert client.docmd("DATA")[0] == 354
        client.send(b"Subject: a bare line feed\nin the header\r\n\r\n.\r\n")
        assert client.getreply()[0] >= 500
    [refused] = entries_of(shared, 1, sender=sender)
    assert (refused.event, refused.stage) == ("refused", "data")


def test_no_worker_and_no_supervisor_loads_the_library_of_the_database(shared: RunningGateway) -> None:
    sender = "library@sender.example"
    shared.send(LETTER % b"first", sender=sender)
    entries_of(shared, 1, sender=sender)
    for pid in (shared.process.pid, *shared.workers()):
        assert "sqlalchemy" not in Path(f"/proc/{pid}/maps").read_text()
    [journal] = shared.journal()
    assert "sqlalchemy" in Path(f"/proc/{journal}/maps").read_text(), "it cannot be seen in this way"


def test_the_command_shows_what_is_known_of_a_message(shared: RunningGateway) -> None:
    sender = "shown@sender.example"
    shared.send(LETTER % b"\x1b[2Jfirst", sender=sender)
    [entry] = entries_of(shared, 1, sender=sender)
    done = command(shared, "show", entry.id)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for line in (f"message {entry.id}", f"sender {sender}", "dmarc.result pass", "disposition pass"):
        assert line in " ".join(done.stdout.split())
    told = json.loads(command(shared, "show", "--json", entry.id).stdout)
    assert told["entries"][0]["facts"]["spf.result"] == "pass"
    assert told["dmarc"][0]["policy_domain"] == "sender.example"
    missing = command(shared, "show", "m0")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "the journal has nothing of m0; if it has just come, ask again in a few seconds" in missing.stderr


def test_the_end_of_the_gateway_writes_everything(tmp_path: Path, dns: str) -> None:
    slow = "interval = 3600\nbatch = 1000"
    with running_gateway(tmp_path / "gateway", dns=dns, more=route(tmp_path), journal=slow) as gateway:
        for _ in range(10):
            assert gateway.send(LETTER % b"x", sender=SENDER).code == 250
        assert gateway.stop() == 0
        assert len(entries(place(gateway))) == 10
        [ended] = gateway.records("journal ended")
        assert (ended["how"], gateway.log()[-1]["event"]) == ("ended", "stopped")


def test_the_journal_ends_by_itself_where_the_supervisor_is_killed(tmp_path: Path, dns: str) -> None:
    slow = "interval = 3600\nbatch = 1000"
    with running_gateway(tmp_path / "gateway", dns=dns, more=route(tmp_path), journal=slow) as gateway:
        gateway.send(LETTER % b"x", sender=SENDER)
        [journal] = until(gateway.journal, "the journal's process")
        gateway.process.kill()
        until(lambda: not is_alive(journal), "its end")
        assert len(entries(place(gateway))) == 1


def test_a_reload_puts_changed_settings_in_force_and_loses_nothing(gateway: RunningGateway) -> None:
    [before] = until(gateway.journal, "the journal's process")
    gateway.send(LETTER % b"before", sender=SENDER)
    entries_of(gateway, 1)
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace(QUICK, f'{QUICK}\nredact = {{ subject = "drop" }}'))
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for_record(event="reload")
    until(lambda: gateway.journal() not in ({before}, set()), "another process of the journal")
    gateway.send(LETTER % b"after", sender=SENDER)
    assert [entry.subject for entry in entries_of(gateway, 2)] == ["before", ""]
    assert [line["how"] for line in gateway.records("journal ended")] == ["ended"]


def test_a_killed_journal_is_replaced(gateway: RunningGateway) -> None:
    gateway.send(LETTER % b"first", sender=SENDER)
    entries_of(gateway, 1)
    [victim] = gateway.journal()
    os.kill(victim, signal.SIGKILL)
    until(lambda: not is_alive(victim), "its end")
    assert gateway.send(LETTER % b"second", sender=SENDER).code == 250
    assert len(entries_of(gateway, 2)) == 2
    assert gateway.wait_for_record(event="journal ended")["how"] == "killed"


def test_what_has_expired_is_removed_by_itself(gateway: RunningGateway) -> None:
    gateway.send(LETTER % b"old", sender=SENDER)
    entries_of(gateway, 1)
    brief = f"{QUICK}\nexpiry = 0.000001"  # of a day: a tenth of a second
    gateway.config.write_text(gateway.config.read_text().replace(QUICK, brief))
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: not entries(place(gateway)), "the removal")


def test_without_a_journal_there_is_none(tmp_path: Path, dns: str) -> None:
    with running_gateway(tmp_path / "gateway", dns=dns, more=route(tmp_path)) as gateway:
        assert gateway.send(LETTER % b"first", sender=SENDER).code == 250
        assert gateway.journal() == set()
        assert not Path(gateway.root / "journal.db").exists()
        done = command(gateway, "status")
        assert (done.returncode, done.stderr) == (2, "mailward journal: [journal] enabled is false\n")


def test_postgresql_serves_as_well(tmp_path: Path, dns: str, postgresql: PostgreSql) -> None:
    where = postgresql.emptied()
    journal = f'{QUICK}\nurl = "{where}"'
    with running_gateway(tmp_path / "gateway", dns=dns, more=route(tmp_path), workers=2, journal=journal) as gateway:
        for number in range(5):
            assert gateway.send(LETTER % b"%d" % number, sender=SENDER).code == 250
        gateway.stop()
        assert sorted(entry.subject for entry in entries(where)) == ["0", "1", "2", "3", "4"]
        assert "postgresql://mailward@/postgres" in command(gateway, "status").stdout


def test_the_command_tells_how_much_there_is_and_removes_what_is_old(gateway: RunningGateway) -> None:
    gateway.send(LETTER % b"first", sender=SENDER)
    entries_of(gateway, 1)
    status = json.loads(command(gateway, "status", "--json").stdout)
    assert (status["rows"], status["missing"], status["feedback"]) == (1, {}, 0)
    assert command(gateway, "purge").stdout == "0 rows removed\n"
    assert command(gateway, "purge", "--days", "0").stdout == "2 rows removed\n"
    assert entries(place(gateway)) == []
    assert gateway.send(LETTER % b"second", sender=SENDER).code == 250
    assert len(entries_of(gateway, 1)) == 1


def test_many_clients_at_once_have_each_their_row(tmp_path: Path, dns: str) -> None:
    with running_gateway(tmp_path / "gateway", dns=dns, more=route(tmp_path), workers=2, journal=QUICK) as gateway:
        clients = [gateway.client() for _ in range(8)]
        for number in range(40):
            client = clients[number % len(clients)]
            client.ehlo_or_helo_if_needed()
            client.sendmail(SENDER, ALICE, LETTER % b"%d" % number)
        for client in clients:
            client.quit()
        assert sorted(int(entry.subject) for entry in entries_of(gateway, 40)) == list(range(40))
