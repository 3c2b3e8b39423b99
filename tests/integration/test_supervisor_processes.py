"""The supervisor and its workers as real processes, with a trivial service in the workers."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.supervised import Supervised, is_alive, until

Start = Callable[..., Supervised]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return lambda **settings: Supervised(tmp_path, **settings)


def test_every_worker_serves_the_one_port(start: Start) -> None:
    with start().ready() as gateway:
        assert gateway.workers() <= gateway.children()
        assert len(gateway.children()) == 2
        assert gateway.get("/healthz")[0] == 200


def test_killed_worker_is_replaced(start: Start) -> None:
    with start().ready() as gateway:
        victim = gateway.children().pop()
        os.kill(victim, signal.SIGKILL)
        until(lambda: gateway.has_logged(f"worker={victim} cause=killed"), "the death to be noticed")
        until(lambda: gateway.get("/healthz")[0] == 200, "a new worker")
        assert victim not in gateway.children()
        assert len(gateway.children()) == 2


def test_worker_whose_loop_stands_still_is_replaced(start: Start) -> None:
    with start(silence_seconds=0.6).ready() as gateway, gateway.connect() as client:
        client.say("block")
        until(lambda: gateway.has_logged(f"worker={client.pid} cause=silent"), "the silence to be noticed")
        until(lambda: gateway.get("/healthz")[0] == 200, "a new worker")
        assert not is_alive(client.pid)


@pytest.mark.parametrize("event_loop", ["uvloop", "asyncio"])
def test_reload_replaces_every_worker_and_refuses_no_connection(start: Start, event_loop: str) -> None:
    with start(event_loop=event_loop).ready() as gateway:
        before = gateway.children()
        refused: list[OSError | ValueError] = []
        served: set[int] = set()
        over = threading.Event()

        def knock() -> None:
            while not over.is_set():
                try:
                    with gateway.connect() as client:
                        served.add(client.pid)
                        client.say("echo")
                        if client.hear() != "echo":
                            raise ValueError("the connection was cut")
                except (OSError, ValueError) as error:
                    refused.append(error)

        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            gateway.signal(signal.SIGHUP)
            until(lambda: gateway.has_logged("reload outcome=done"), "the reload")
            until(lambda: all(f"worker={pid} cause=drained" in gateway.log() for pid in before), "the old ones to end")
            until(lambda: served - before, "a new worker to be asked")
        finally:
            over.set()
            knocking.join()
        assert not refused
        assert gateway.children().isdisjoint(before)


def test_reload_lets_sessions_under_way_finish(start: Start) -> None:
    with start().ready() as gateway, gateway.connect() as client:
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.has_logged("reload outcome=done"), "the reload")
        client.say("still here")
        assert client.hear() == "still here"


def test_broken_configuration_is_refused_and_the_workers_stay(start: Start, tmp_path: Path) -> None:
    with start().ready() as gateway:
        before = gateway.children()
        (tmp_path / "broken").touch()
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.has_logged("banner.toml:1:1: broken", "outcome=refused"), "the refusal")
        assert gateway.children() == before


def test_reload_stops_where_a_new_worker_does_not_start(start: Start, tmp_path: Path) -> None:
    with start().ready() as gateway:
        before = gateway.children()
        (tmp_path / "failing").touch()
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.has_logged("outcome=failed"), "the end of the reload")
        assert gateway.workers() <= before
        assert gateway.get("/healthz")[0] == 200


def test_start_fails_where_workers_do_not_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "failing").touch()
    with start() as gateway:
        assert gateway.wait() == 1


def test_start_fails_where_the_port_is_taken(start: Start, tmp_path: Path) -> None:
    with start().ready() as gateway:
        (tmp_path / "second").mkdir()
        with Supervised(tmp_path / "second", status_listen=f"127.0.0.1:{gateway.port}") as second:
            assert second.wait() == 1
            assert second.has_logged(f"cannot listen at 127.0.0.1:{gateway.port}")


def test_stop_waits_for_work_and_refuses_new_connections(start: Start) -> None:
    with start(drain_seconds=10).ready() as gateway, gateway.connect() as client:
        client.say("work 0.5")
        gateway.signal(signal.SIGTERM)
        until(lambda: _is_refused(gateway), "the port to close")
        assert gateway.get("/healthz")[0] == 503
        assert client.hear() == "work 0.5"
        client.close()
        assert gateway.wait() == 0
        assert gateway.has_logged("stopped")


def test_drain_gives_up_idle_sessions_at_its_deadline(start: Start) -> None:
    with start(drain_seconds=0.2).ready() as gateway, gateway.connect() as client:
        gateway.signal(signal.SIGTERM)
        assert client.hear() == ""
        assert gateway.wait() == 0


def test_second_signal_hurries_the_drain_and_work_still_finishes(start: Start) -> None:
    with start(drain_seconds=600).ready() as gateway, gateway.connect() as idle, gateway.connect() as busy:
        busy.say("work 1")
        gateway.signal(signal.SIGTERM)
        until(lambda: _is_refused(gateway), "the port to close")
        gateway.signal(signal.SIGINT)
        assert idle.hear() == ""
        assert busy.hear() == "work 1"
        busy.close()
        assert gateway.wait() == 0


def test_worker_that_does_not_drain_is_killed_at_the_deadline(start: Start) -> None:
    with start(drain_seconds=0.1, finish_seconds=0.5).ready() as gateway, gateway.connect() as client:
        client.say("work 600")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert gateway.has_logged(f"worker={client.pid} cause=overdue")


def test_third_signal_kills(start: Start) -> None:
    with start(drain_seconds=600).ready() as gateway, gateway.connect() as client:
        client.say("work 600")
        gateway.signal(signal.SIGTERM)
        until(lambda: _is_refused(gateway), "the port to close")
        for warning in ("hurrying", "killing"):
            gateway.signal(signal.SIGTERM)
            until(lambda warning=warning: gateway.has_logged(warning), "the signal to be seen")
        assert gateway.wait() == 0
        assert not is_alive(client.pid)


def test_workers_end_when_the_supervisor_is_killed_and_work_still_finishes(start: Start) -> None:
    with start().ready() as gateway, gateway.connect() as busy, gateway.connect() as idle:
        workers = gateway.children()
        busy.say("work 0.5")
        os.kill(gateway.pid, signal.SIGKILL)
        assert idle.hear() == ""
        assert busy.hear() == "work 0.5"
        busy.close()
        until(lambda: not any(map(is_alive, workers)), "the workers to end")


def test_metrics_of_all_workers_stand_on_one_page_and_outlive_them(start: Start) -> None:
    with start().ready() as gateway:
        for _ in range(10):
            gateway.connect().close()
        until(lambda: "mailward_connections_total 10.0" in gateway.get("/metrics")[1], "the count")
        gateway.signal(signal.SIGHUP)
        until(lambda: gateway.log().count("cause=drained") == 2, "the old workers to end")
        status, page = gateway.get("/metrics")
        assert status == 200
        assert "mailward_connections_total 10.0" in page
        assert 'mailward_workers{state="ready"} 2.0' in page
        assert 'mailward_worker_exits_total{cause="drained"} 2.0' in page
        assert "mailward_sessions 0.0" in page


def test_other_pages_are_not_found(start: Start) -> None:
    with start(workers=1).ready() as gateway:
        assert gateway.get("/")[0] == 404


def _is_refused(gateway: Supervised) -> bool:
    try:
        gateway.connect().close()
    except (OSError, ValueError):
        return True
    return False
