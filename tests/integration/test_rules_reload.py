"""`mailward rules reload` and the service that runs: what is in force, what is refused, what only is recorded."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, dns_process, running_gateway

LETTER = b"From: ann@sender.example\r\nSubject: A letter\r\n\r\nDear Alice,\r\n"
REJECT = "[[rule]]\nid = 'site'\nwhy = 'x'\nwhen = 'subject == \"A letter\"'\nthen = 'reject'\n"
TAG = REJECT.replace("reject", "tag")


def reload(gateway: RunningGateway) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gateway", "rules", "reload", "--config", str(gateway.config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def metrics(gateway: RunningGateway) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.status_port}/metrics") as page:
        return str(page.read().decode())


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    (tmp_path / "next").mkdir()
    more = f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    with (
        dns_process(tmp_path / "dns", "$TTL 300\n") as dns,
        running_gateway(tmp_path / "gateway", dns=dns, more=more, rules=TAG) as running,
    ):
        config = running.config.read_text()
        running.config.write_text(config.replace("[rules]\n", f'[rules]\ncandidate = "{tmp_path}/next"\n'))
        yield running


def test_rules_come_into_force_or_are_refused_with_all_errors(gateway: RunningGateway, tmp_path: Path) -> None:
    site, candidate = gateway.root / "rules.d" / "site.toml", tmp_path / "next" / "10.toml"
    assert gateway.send(LETTER, sender="ann@sender.example").code == 250
    before = gateway.wait_for_record(1)["rules_digest"]
    assert f'mailward_rules_info{{digest="{before}",profile=""}} 1.0' in metrics(gateway)

    for old in (gateway.root / "rules.d").iterdir():
        old.unlink()
    site.write_text(REJECT)
    done = reload(gateway)
    assert (done.returncode, done.stderr) == (0, "")
    digest = done.stdout.removeprefix("in force: version ").strip()
    assert gateway.send(LETTER, sender="ann@sender.example").code == 550
    assert gateway.wait_for_record(2)["rules_digest"] == digest != before
    assert f'mailward_rules_info{{digest="{digest}",profile=""}} 1.0' in metrics(gateway)

    site.write_text(REJECT.replace("subject", "subjct") + TAG.replace("why", "wy"))
    refused = reload(gateway)
    assert refused.returncode == 2
    assert [line.split(":")[1] for line in refused.stderr.splitlines()] == ["4", "7", "8"]
    assert gateway.send(LETTER, sender="ann@sender.example").code == 550

    site.write_text(TAG)
    candidate.write_text(REJECT.replace("reject", "rejct"))
    told = reload(gateway)
    assert told.returncode == 0
    assert told.stderr == f'{candidate}:5:1: then is not "rejct" (did you mean "reject"?) (in candidate rules)\n'
    candidate.write_text(REJECT)
    assert reload(gateway).returncode == 0
    assert gateway.send(LETTER, sender="ann@sender.example").code == 250
    record = gateway.wait_for_record(4)
    assert (record["action"], record["candidate_action"]) == ("tag", "reject")


def test_without_a_service_nothing_is_told(gateway: RunningGateway) -> None:
    gateway.stop()
    done = reload(gateway)
    assert done.returncode == 1
    assert done.stderr.startswith("mailward rules reload: no service runs with this configuration")
