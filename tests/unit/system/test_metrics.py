"""Metrics: what is counted of records, and what remains of the numbers of workers that have ended."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gateway.record import Event, Record
from gateway.system.metrics import HostMetrics, JournalMetrics, Metrics

COUNT_TWICE = """
from gateway.record import Event, Record
from gateway.system.metrics import Metrics

metrics = Metrics()
record = Record(event=Event.MESSAGE, connection="C", began=0.0, stage="scored", client_ip="192.0.2.1",
                action="tag", reply="250 2.0.0 Ok", size=5000, milliseconds={"spf": 3.0})
metrics.count(record)
metrics.count(record)
metrics.connection_opened()
"""

KEEP_A_JOURNAL = """
from gateway.system.metrics import JournalMetrics

metrics = JournalMetrics()
metrics.taken(100)
metrics.written(60)
metrics.dropped("database", 10)
"""


def record(**known: Any) -> Record:
    base = {"event": Event.MESSAGE, "connection": "C", "began": 0.0, "stage": "scored", "client_ip": "192.0.2.1"}
    return Record(**{**base, **known})


def lines(page: bytes) -> set[str]:
    return {line for line in page.decode().splitlines() if not line.startswith("#")}


def test_message_is_counted_by_what_became_of_it() -> None:
    metrics = Metrics()
    metrics.count(
        record(
            action="reject",
            reply="550 5.7.1 no",
            size=100,
            results={"spf": "fail", "dkim": "none"},
            rules=("10-a",),
            shadow=("20-b",),
            next_hop="mx:25",
            answer="550 no",
            milliseconds={"spf": 3.0},
        )
    )
    assert lines(metrics.page()) >= {
        'mailward_messages_total{action="reject",reply="5xx"} 1.0',
        'mailward_results_total{check="spf",result="fail"} 1.0',
        'mailward_results_total{check="dkim",result="none"} 1.0',
        'mailward_rule_hits_total{mode="enforce",rule="10-a"} 1.0',
        'mailward_rule_hits_total{mode="shadow",rule="20-b"} 1.0',
        'mailward_downstream_total{hop="mx:25",reply="5xx"} 1.0',
        'mailward_step_seconds_bucket{le="0.001",step="spf"} 0.0',
        'mailward_step_seconds_bucket{le="0.005",step="spf"} 1.0',
        'mailward_message_octets_bucket{le="4096.0"} 1.0',
    }


@pytest.mark.parametrize(
    ("reply", "answer", "word"),
    [
        ("250 2.0.0 Ok", "250 2.0.0 Ok", "2xx"),
        ("451 4.3.0 later", "550 5.0.0 for us", "5xx"),
        ("451 4.4.1 later", "timeout: no greeting", "none"),
        ("250 2.0.0 Stored", "stored in /mail", "stored"),
    ],
)
def test_answer_of_the_next_hop_is_counted_as_it_was(reply: str, answer: str, word: str) -> None:
    metrics = Metrics()
    metrics.count(record(action="accept", reply=reply, next_hop="mx", answer=answer))
    assert f'mailward_downstream_total{{hop="mx",reply="{word}"}} 1.0' in lines(metrics.page())


def test_refused_commands_and_lost_clients_are_no_messages() -> None:
    metrics = Metrics()
    metrics.count(record(event=Event.REFUSED, stage="rcpt", reply="450 4.2.0 later"))
    metrics.count(record(event=Event.LOST, stage="data"))
    page = lines(metrics.page())
    assert page >= {
        'mailward_refusals_total{reply="4xx",stage="rcpt"} 1.0',
        'mailward_lost_total{stage="data"} 1.0',
    }
    assert not any(line.startswith("mailward_messages_total") for line in page)


def test_results_of_what_a_rule_refused_are_counted_and_of_what_others_refused_are_not() -> None:
    metrics = Metrics()
    found = {"event": Event.REFUSED, "stage": "rcpt", "reply": "550 5.7.1 no", "results": {"dnslists": "blocked"}}
    listed = {"listings": ("zen:pbl", "zen:sbl", "other:127.0.0.2"), "failed_lists": ("dead",)}
    metrics.count(record(**found, **listed, action="reject"))
    metrics.count(record(**found, **listed))
    assert lines(metrics.page()) >= {
        'mailward_results_total{check="dnslists",result="blocked"} 1.0',
        'mailward_dnslists_total{list="zen",result="listed"} 1.0',
        'mailward_dnslists_total{list="other",result="listed"} 1.0',
        'mailward_dnslists_total{list="dead",result="failed"} 1.0',
    }


def test_every_metric_is_explained() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
    journal = CollectorRegistry()
    JournalMetrics(journal)
    named = re.findall(rb"^# TYPE (\w+) ", Metrics().page() + generate_latest(journal), re.MULTILINE)
    assert [name for name in named if f"`{name.decode().removesuffix('_created')}" not in page] == []


def test_sessions_go_up_and_down() -> None:
    metrics = Metrics()
    metrics.connection_opened()
    metrics.connection_opened()
    metrics.connection_closed()
    assert lines(metrics.page()) >= {
        "mailward_connections_total 2.0",
        "mailward_sessions 1.0",
    }


@pytest.mark.parametrize("reply", ["", "999 what", "not a reply"])
def test_odd_reply_has_a_class_of_its_own(reply: str) -> None:
    metrics = Metrics()
    metrics.count(record(action="accept", reply=reply))
    assert 'mailward_messages_total{action="accept",reply="none"} 1.0' in lines(metrics.page())


@pytest.fixture
def host(tmp_path: Path) -> HostMetrics:
    host = HostMetrics(tmp_path / "metrics")
    host.clear()
    return host


def run_worker(host: HostMetrics, program: str = COUNT_TWICE) -> int:
    worker = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **host.environment()})
    assert worker.wait() == 0
    return worker.pid


def test_numbers_of_an_ended_worker_stay_and_its_files_go(host: HostMetrics, tmp_path: Path) -> None:
    expected = {
        'mailward_messages_total{action="tag",reply="2xx"} 4.0',
        'mailward_step_seconds_bucket{le="0.005",step="spf"} 4.0',
        'mailward_step_seconds_count{step="spf"} 4.0',
        'mailward_step_seconds_sum{step="spf"} 0.012',
    }
    pids = [run_worker(host), run_worker(host)]
    assert lines(host.page()) >= expected
    for pid in pids:
        host.worker_ended(pid, "drained")
    assert lines(host.page()) >= expected | {'mailward_worker_exits_total{cause="drained"} 2.0'}
    assert sorted(os.listdir(tmp_path / "metrics")) == ["counter_ended.db", "histogram_ended.db"]


def test_open_sessions_of_an_ended_worker_are_gone(host: HostMetrics) -> None:
    pid = run_worker(host)
    assert "mailward_sessions 1.0" in lines(host.page())
    host.worker_ended(pid, "killed")
    assert not any(line.startswith("mailward_sessions") for line in lines(host.page()))


def test_worker_that_never_counted_leaves_nothing(host: HostMetrics) -> None:
    host.worker_ended(4_000_000, "failed")
    assert 'mailward_worker_exits_total{cause="failed"} 1.0' in lines(host.page())


def test_what_a_worker_had_not_finished_of_its_files_goes_with_it(host: HostMetrics, tmp_path: Path) -> None:
    mine, another = (tmp_path / "metrics" / f"histogram_{pid}.new" for pid in (4_000_000, 4_000_001))
    for file in (mine, another):
        file.touch()
    host.worker_ended(4_000_000, "killed")
    assert (mine.exists(), another.exists()) == (False, True)


def test_files_of_an_earlier_run_are_removed(host: HostMetrics, tmp_path: Path) -> None:
    run_worker(host)
    (tmp_path / "metrics" / "counter_4000000.new").touch()
    HostMetrics(tmp_path / "metrics").clear()
    assert os.listdir(tmp_path / "metrics") == []


def test_refusals_for_a_limit_are_counted() -> None:
    metrics = Metrics()
    metrics.turned_away("address")
    assert 'mailward_turned_away_total{limit="address"} 1.0' in lines(metrics.page())


def test_what_a_journal_of_an_ended_process_had_taken_and_not_written_is_lost(
    host: HostMetrics, tmp_path: Path
) -> None:
    for how in ("killed", "killed"):
        host.journal_ended(run_worker(host, KEEP_A_JOURNAL), how)
    assert lines(host.page()) >= {
        "mailward_journal_taken_total 200.0",
        "mailward_journal_rows_total 120.0",
        'mailward_journal_dropped_total{reason="database"} 20.0',
        'mailward_journal_dropped_total{reason="killed"} 60.0',
        'mailward_journal_exits_total{how="killed"} 2.0',
    }
    assert sorted(os.listdir(tmp_path / "metrics")) == ["counter_ended.db", "histogram_ended.db"]


def test_what_a_worker_and_the_journal_dropped_is_one_number_for_each_reason(host: HostMetrics) -> None:
    program = "from gateway.system.metrics import Metrics\nMetrics().journal_entries_dropped(7)"
    pids = [run_worker(host, KEEP_A_JOURNAL), run_worker(host, program), run_worker(host, program)]
    assert len(pids) == 3
    assert lines(host.page()) >= {
        'mailward_journal_dropped_total{reason="queue"} 14.0',
        'mailward_journal_dropped_total{reason="database"} 10.0',
    }


def test_a_journal_that_never_counted_has_lost_nothing(host: HostMetrics) -> None:
    host.journal_ended(4_000_000, "failed")
    assert not any(line.startswith("mailward_journal_dropped") for line in lines(host.page()))
