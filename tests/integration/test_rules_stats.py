"""Statistics over the journal of a running gateway, and over the mail that it has delivered: the same rules hit the
same messages, whichever way they are counted."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from gateway.journal import feedback
from gateway.journal.database import NoJournal, for_writing
from gateway.journal.feedback import Feedback, Kind
from gateway.journal.reader import reading
from tests.support.gateway import RunningGateway, dns_process, running_gateway
from tests.support.journal import NOW
from tests.support.supervised import until

ZONE = 'sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.9 -all"\n'
LETTER = b"From: Ann <ann@sender.example>\r\nSubject: %s\r\nX-Mailer: BulkMail 2\r\n\r\nHello\r\n"
RULES = """
[[rule]]
id = "client"
why = "x"
when = 'client.ip in net("127.0.0.9") and client.helo == "mail.sender.example" and spf.result == "pass"'
then = "tag"

[[rule]]
id = "bulk"
why = "x"
when = '"BulkMail 2" in header("X-Mailer") and sender.domain == "sender.example" and recipient.domain == "example.org"'
score = 2.5

[[rule]]
id = "offers"
why = "x"
when = 'subject == "An offer" and received.count == 0'
then = "tag"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Three messages have come, of which one is an offer."""
    root = tmp_path_factory.mktemp("stats")
    route = f'[route.default]\nhosts = ["maildir://{root}/mail"]\n'
    with (
        dns_process(root / "dns", ZONE) as dns,
        running_gateway(root / "gateway", dns=dns, more=route, rules=RULES, journal="interval = 0.05") as running,
    ):
        for subject in (b"A letter", b"An offer", b"A letter"):
            assert running.send(LETTER % subject, sender="ann@sender.example").code == 250
        until(lambda: len(ids(running)) == 3, "three messages in the journal")
        yield running


def ids(gateway: RunningGateway) -> dict[str, str]:
    """And their subjects."""
    with reading(place(gateway)) as reader, contextlib.suppress(NoJournal):
        return {entry.id: entry.subject for entry in reader.since(0)}
    return {}


def place(gateway: RunningGateway) -> str:
    return f"sqlite://{gateway.root}/journal.db"


def stats(gateway: RunningGateway, *arguments: str) -> dict[str, Any]:
    called = [sys.executable, "-m", "gateway", "rules", "stats", "--config", str(gateway.config), "--json", *arguments]
    done = subprocess.run(called, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hits(found: dict[str, Any]) -> dict[str, int]:
    return {rule["rule"]: rule["hits"] for rule in found["rules"] if rule["hits"]}


def test_what_was_delivered_is_judged_as_what_came(gateway: RunningGateway) -> None:
    """The fields that we and the mail server have put on top are taken off again."""
    of_journal = stats(gateway)
    assert {"client": 3, "bulk": 3, "offers": 1}.items() <= hits(of_journal).items()
    of_mail = stats(gateway, "--ham", str(gateway.root.parent / "mail"))
    assert (of_mail["verdicts"], of_mail["known"]["ham"]) == (3, 3)
    assert hits(of_mail) == hits(of_journal)
    assert [rule["rule"] for rule in of_mail["rules"] if rule["undecidable"]] == []


def test_feedback_in_the_journal_says_how_right_rules_are(gateway: RunningGateway) -> None:
    said = {"An offer": Kind.SPAM, "A letter": Kind.HAM}
    words = [
        Feedback(began=NOW * 2, verdict=said[subject], source="learn", id=identity)
        for identity, subject in ids(gateway).items()
    ]
    with closing(for_writing(place(gateway))) as database:
        feedback.note(database, words)
    found = {rule["rule"]: rule for rule in stats(gateway, "--since", "1h")["rules"]}
    assert (found["offers"]["precision"], found["offers"]["recall"], found["offers"]["false_positives"]) == (
        1.0,
        1.0,
        0,
    )
    assert (found["client"]["precision"], found["client"]["false_positives"]) == (pytest.approx(1 / 3), 2)
