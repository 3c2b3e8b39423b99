"""Rules replayed on the journal of a running gateway, which has judged messages of others and of ours."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journal.database import NoJournal
from gateway.journal.entry import Entry
from gateway.journal.reader import reading
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.rulefacts import written
from tests.support.supervised import until

ZONE = 'sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.9 -all"\n'
LETTER = b"From: Ann <ann@sender.example>\r\nSubject: %s\r\nX-Mailer: BulkMail 2\r\n\r\nHello\r\n"
REFUSING = """
[[rule]]
id = "refused-offers"
why = "x"
when = 'subject == "An offer"'
then = "reject"
"""
READING = """
[[rule]]
id = "mailer"
why = "x"
when = '"BulkMail 2" in header("X-Mailer") and spf.result == "pass"'
then = "reject"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    root = tmp_path_factory.mktemp("replay")
    route = f'[route.default]\nhosts = ["maildir://{root}/mail"]\n'
    with (
        dns_process(root / "dns", ZONE) as dns,
        running_gateway(root / "gateway", dns=dns, more=route, rules=REFUSING, journal="interval = 0.05") as running,
    ):
        yield running


def command(gateway: RunningGateway, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    called = [sys.executable, "-m", "gateway", "rules", name, "--config", str(gateway.config), *arguments]
    return subprocess.run(called, capture_output=True, text=True, timeout=60, check=False)


def entries(gateway: RunningGateway) -> list[Entry]:
    with reading(f"sqlite://{gateway.root}/journal.db") as reader, contextlib.suppress(NoJournal):
        return list(reader.since(0))
    return []


def send(gateway: RunningGateway, *messages: bytes, sender: str) -> list[str]:
    """The ids, once they are in the journal."""
    for message in messages:
        gateway.send(message, sender=sender)

    def noted() -> list[str] | None:
        found = [entry.id for entry in entries(gateway) if entry.sender == sender]
        return found if len(found) >= len(messages) else None

    ids: list[str] = until(noted, f"{len(messages)} messages in the journal")
    return ids


def test_the_rules_in_force_change_nothing_and_others_what_they_say(gateway: RunningGateway, tmp_path: Path) -> None:
    sender = "changes@sender.example"
    letter, offer = send(gateway, LETTER % b"A letter", LETTER % b"An offer", sender=sender)
    same = command(gateway, "replay", "--since", "1h")
    assert (same.returncode, same.stderr) == (0, "")
    other = REFUSING.replace("An offer", "A letter")
    done = command(gateway, "replay", "--since", "1h", "--rules", str(written(tmp_path / "next", other)), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    changed = {message["id"]: message for message in told["messages"]}
    assert (changed[letter]["then"], changed[letter]["now"], changed[letter]["decisive"]) == (
        "tag",
        "reject",
        "refused-offers",
    )
    assert offer not in changed, "it was refused before spamd was asked, so nobody knows what would follow"
    assert told["undecidable"] >= 1


def test_a_field_that_no_rule_asked_for_is_undecidable(gateway: RunningGateway, tmp_path: Path) -> None:
    [letter] = send(gateway, LETTER % b"x", sender="fields@sender.example")
    candidate = written(tmp_path / "next", REFUSING + READING)
    done = command(gateway, "replay", "--since", "1h", "--rules", str(candidate))
    assert done.returncode == 1
    assert "undecidable: rule mailer reads header.x-mailer, not recorded of" in done.stdout
    assert letter not in [line.split()[3] for line in done.stdout.splitlines() if "->" in line]
    explained = command(gateway, "explain", letter, "--rules", str(candidate))
    assert explained.returncode == 0
    assert "undecidable  mailer: reject" in explained.stdout


def test_attachments_that_no_rule_asked_for_are_undecidable(gateway: RunningGateway, tmp_path: Path) -> None:
    """They are looked for only where a rule reads them, so that none were found does not say that there were none."""
    [letter] = send(gateway, LETTER % b"x", sender="attachments@sender.example")
    asking = READING.replace('"BulkMail 2" in header("X-Mailer")', '"exe" in attachments.suffixes')
    explained = command(gateway, "explain", letter, "--rules", str(written(tmp_path / "next", asking)))
    assert "undecidable  mailer: reject" in explained.stdout


def test_a_message_is_explained_by_its_id_in_the_log(gateway: RunningGateway) -> None:
    sender = "explained@sender.example"
    send(gateway, LETTER % b"An offer", sender=sender)
    until(lambda: any(line["sender"] == sender for line in gateway.records()), "the line of the log")
    [line] = [line for line in gateway.records() if line["sender"] == sender]
    done = command(gateway, "explain", line["id"])
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"version {line['rules_digest']}, which was in force then" in lines
    at = lines.index("match refused-offers: reject x")
    assert lines[at + 1] == "yes subject == \"An offer\" (subject is 'An offer')"
    assert lines[-3:] == ["then reject by refused-offers", "verdict reject", "decided by refused-offers"]


@pytest.mark.suites
@pytest.mark.parametrize("kind", ["ham", "spam"])
def test_messages_of_others_are_judged_again_as_they_were(gateway: RunningGateway, suites: Path, kind: str) -> None:
    files = sorted(path for path in (suites / "corpus" / kind).rglob("*") if path.is_file())[:40]
    with gateway.client() as client:
        client.ehlo()
        for number, file in enumerate(files):
            octets = b"\r\n".join(file.read_bytes().splitlines()) + b"\r\n"
            assert client.mail(f"{kind}{number}@sender.example")[0] == 250
            assert client.rcpt("alice@example.org")[0] == 250
            client.data(octets)

    def noted() -> bool:
        return len({entry.sender for entry in entries(gateway) if entry.sender.startswith(kind)}) == len(files)

    until(noted, "all of them in the journal")
    done = command(gateway, "replay", "--since", "1h", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["changed"], told["undecidable"], told["undecidable_rules"]) == (0, 0, 0, [])
    assert told["verdicts"] >= 0.8 * len(files)
