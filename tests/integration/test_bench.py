"""The benchmarks run, and the programs that bring and take their letters count right. No measurement is asserted."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import picture, processes, report
from tests.bench.__main__ import NAMES
from tests.bench.corpus import Corpus, make_corpus
from tests.bench.measured import Measured, at_most
from tests.bench.page import PAGE, filled
from tests.bench.report import Report
from tests.bench.series import Point
from tests.bench.traffic import Shape, Sink, bring, sink
from tests.support.spamd import free_port

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
LETTERS = 60
MACHINE = {"cores": "2", "date": "2026-01-01", "load before": "0", "processor": "x", "python": "3", "version": "1"}
REPORT = Report(
    machine=MACHINE,
    measured=[Measured(name="a thing", unit="ms", values=(1.0, 2.0, 3.0), goal=at_most(5))],
    points=[
        Point(
            system=system,
            kind="small",
            connections=connections,
            each=1,
            rate=(5.0, 7.0),
            cpu=(2.0, 2.0),
            p50=(4.0, 6.0),
            p99=(20.0, 40.0),
            lost=0,
            repeated=0,
            failures={"banner:421": 1},
            passed={"spf": 1.0},
        )
        for system in ("One", "Other")
        for connections in (1, 50)
    ],
)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return make_corpus(tmp_path / "corpus", "127.2.0.0", {"small": (7, 1000, 3000)})


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Sink]:
    with sink(tmp_path) as server:
        yield server


def test_a_benchmark_prints_its_table_and_writes_what_it_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--into", str(tmp_path), "dkim"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "| DKIM, 4 KB " in done.stdout
    [written] = tmp_path.glob("ours-*.json")
    found = json.loads(written.read_text())
    assert found["machine"]["cores"]
    assert all(len(one["values"]) == 3 for one in found["measured"])


def test_a_benchmark_that_does_not_exist_is_refused() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench", "nothing"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "there is no nothing" in done.stderr


def test_the_page_names_every_benchmark() -> None:
    page = PAGE.read_text()
    [listed] = re.findall(r"these alone: `([a-z ]+)`", page)
    assert listed.split() == NAMES


@needs_cc
@pytest.mark.parametrize("each", [1, 20])
def test_every_letter_is_brought_once_and_found_behind(corpus: Corpus, behind: Sink, each: int) -> None:
    run = bring(behind.port, corpus, behind, Shape(connections=8, each=each, seconds=60, letters=LETTERS), "run")
    assert (run.accepted, run.lost, run.repeated) == (LETTERS, 0, 0)
    assert len(run.milliseconds) == LETTERS
    assert not run.failures
    small = {len(path.read_bytes()) for path in (corpus.directory / "small").iterdir()}
    assert {taken.octets for _, taken in behind.taken("run")} == small


@needs_cc
def test_letters_that_nobody_takes_are_failures(corpus: Corpus, behind: Sink) -> None:
    run = bring(free_port(), corpus, behind, Shape(connections=3, seconds=60, letters=5), "run")
    assert run.accepted == 0
    assert run.failures.total() == 5


def test_time_of_children_that_have_ended_is_counted() -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))']); input()"
    with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE) as parent:
        before, spent = processes.cpu([parent.pid]), 0.0
        while spent - before < 50:  # milliseconds
            spent = processes.cpu(processes.tree(parent.pid))
            assert parent.poll() is None
        parent.communicate(b"\n")


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert report.read(report.write(REPORT, tmp_path, "any")) == REPORT


def test_the_picture_names_each_system(tmp_path: Path) -> None:
    picture.draw(REPORT.points, tmp_path / "drawn.svg")
    drawn = (tmp_path / "drawn.svg").read_text()
    assert ">One<" in drawn
    assert ">Other<" in drawn


def test_the_page_has_places_for_what_is_measured() -> None:
    page = filled(PAGE.read_text(), REPORT, REPORT)
    assert "| a thing | 2      | 1 to 3 | ms   | ≤ 5  | yes |" in page
    assert "| One " in page
    assert filled(page, REPORT, REPORT) == page
