"""Tallies: what is counted is at once what another process reads, in the library's own layout."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.system.tallies import KINDS, RESERVED, Tallies


def seen_by_others(directory: Path) -> set[str]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))
    return set(generate_latest(registry).decode().splitlines())


def seen_by_itself(tallies: Tallies) -> set[str]:
    registry = CollectorRegistry()
    registry.register(tallies)
    return set(generate_latest(registry).decode().splitlines())


def test_others_see_a_number_at_once_and_as_this_process_sees_it(tmp_path: Path) -> None:
    tallies = Tallies(str(tmp_path))
    counter, gauge = tallies.counter("c", "Counted", "why", "what"), tallies.gauge("g", "Now", how="livesum")
    histogram = tallies.histogram("h", "Spread", (0.5, 2), "step")
    for _ in range(3):
        counter.add("a", 'b"')
        gauge.add()
    gauge.add(amount=-1)
    for value in (0.25, 0.5, 0.75, 7):
        histogram.observe(value, "x")
    expected = {
        "# HELP c_total Counted",
        "# TYPE c_total counter",
        'c_total{what="b\\"",why="a"} 3.0',
        "# TYPE g gauge",
        "g 2.0",
        "# TYPE h histogram",
        'h_bucket{le="0.5",step="x"} 2.0',
        'h_bucket{le="2.0",step="x"} 3.0',
        'h_bucket{le="+Inf",step="x"} 4.0',
        'h_count{step="x"} 4.0',
        'h_sum{step="x"} 8.5',
    }
    assert seen_by_others(tmp_path) >= expected
    assert seen_by_itself(tallies) >= expected


def test_numbers_without_labels_are_there_before_anything_was_counted(tmp_path: Path) -> None:
    tallies = Tallies(str(tmp_path))
    tallies.counter("c", "Counted")
    tallies.counter("d", "Counted", "why")
    tallies.histogram("h", "Spread", (1,))
    expected = {"c_total 0.0", 'h_bucket{le="1.0"} 0.0', "h_count 0.0", "h_sum 0.0"}
    assert seen_by_others(tmp_path) >= expected
    assert seen_by_itself(tallies) >= expected


@pytest.mark.parametrize("files", ["in memory", "in files"])
def test_more_numbers_than_there_was_room_for_are_all_kept(files: str, tmp_path: Path) -> None:
    tallies = Tallies(str(tmp_path) if files == "in files" else "")
    counter = tallies.counter("c", "m" * 1000, "why")
    names = [str(number) for number in range(2 * RESERVED // 1000)]
    for name in names:
        counter.add(name)
    for name in names:
        counter.add(name)
    expected = {f'c_total{{why="{name}"}} 2.0' for name in names}
    assert seen_by_itself(tallies) >= expected
    if files == "in files":
        assert (tmp_path / f"counter_{os.getpid()}.db").stat().st_size > RESERVED
        assert seen_by_others(tmp_path) >= expected


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_count_at_once_lose_nothing_while_the_file_grows(tmp_path: Path) -> None:
    tallies = Tallies(str(tmp_path))
    counter, growing = tallies.counter("c", "Counted"), tallies.counter("d", "m" * 1000, "why")

    begun, enough = Barrier(4), Event()

    def count() -> int:
        begun.wait()
        counted = 0
        while not enough.is_set():
            counter.add()
            counted += 1
        return counted

    with ThreadPoolExecutor(3) as threads:
        counts = [threads.submit(count) for _ in range(3)]
        begun.wait()
        for number in range(4 * RESERVED // 1000):
            growing.add(str(number))
        enough.set()
    (seen,) = (line for line in seen_by_others(tmp_path) if line.startswith("c_total "))
    assert float(seen.split()[1]) == sum(done.result() for done in counts)


def test_a_file_that_is_there_goes_on_with_its_numbers(tmp_path: Path) -> None:
    for amount in (2, 3):
        Tallies(str(tmp_path)).counter("c", "Counted", "why").add(str(amount))
        Tallies(str(tmp_path)).counter("c", "Counted", "why").add("both", amount=amount)
    assert seen_by_others(tmp_path) >= {
        'c_total{why="both"} 5.0',
        'c_total{why="2"} 1.0',
        'c_total{why="3"} 1.0',
    }


def test_no_room_for_the_files_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Tallies(str(tmp_path / "nowhere"))


def test_others_may_look_while_the_files_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file is an error to the library, and whoever asks for the metrics would get none."""
    looks = []
    reserve = os.posix_fallocate

    def look_and_reserve(fd: int, begin: int, size: int) -> None:
        looks.append(seen_by_others(tmp_path))
        reserve(fd, begin, size)
        looks.append(seen_by_others(tmp_path))

    monkeypatch.setattr(os, "posix_fallocate", look_and_reserve)
    Tallies(str(tmp_path)).counter("c", "Counted").add()
    assert len(looks) == 2 * len(KINDS)
    assert "c_total 1.0" in seen_by_others(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".db"}
