"""systemd's protocols, spoken to sockets of the test's own."""

import os
import socket
from pathlib import Path

import pytest

from gateway.system.systemd import Notifier, goes_to_journal, passed_sockets, watchdog_interval


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def test_readiness_comes_with_its_status(listener: socket.socket) -> None:
    Notifier(listener.getsockname()).ready("Workers: 2 ready")
    assert listener.recv(4096) == b"READY=1\nSTATUS=Workers: 2 ready"


def test_reloading_names_its_moment(listener: socket.socket) -> None:
    Notifier(listener.getsockname()).reloading("Reloading")
    lines = listener.recv(4096).decode().splitlines()
    assert lines[0] == "RELOADING=1"
    assert lines[1].removeprefix("MONOTONIC_USEC=").isdecimal()


def test_abstract_address_is_understood() -> None:
    name = f"mailward-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        Notifier(f"@{name}").watchdog()
        assert sock.recv(4096) == b"WATCHDOG=1"


def test_status_cannot_add_assignments(listener: socket.socket) -> None:
    Notifier(listener.getsockname()).status("one\nMAINPID=1")
    assert listener.recv(4096) == b"STATUS=one MAINPID=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_missing_manager_is_no_error(address: str) -> None:
    Notifier(address).stopping("Stopping")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_interval_is_in_seconds_and_for_the_named_process(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_interval(environ, 7) == seconds


@pytest.mark.parametrize(
    "environ",
    [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "8"}, {"LISTEN_FDS": "-1", "LISTEN_PID": "7"}],
)
def test_sockets_of_nobody_or_of_another_process_are_not_taken(environ: dict[str, str]) -> None:
    assert passed_sockets(environ, 7) == ()


def test_descriptors_that_do_not_listen_are_not_taken() -> None:
    """Whatever this process has from 3 on; none of it listens, and most of it is not even open."""
    assert passed_sockets({"LISTEN_FDS": "9" * 30, "LISTEN_PID": "7"}, 7) == ()


def test_journal_is_known_by_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        there = os.fstat(stream.fileno())
        assert goes_to_journal(stream.fileno(), {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"})
        assert not goes_to_journal(stream.fileno(), {"JOURNAL_STREAM": f"{there.st_dev}:1"})
        assert not goes_to_journal(stream.fileno(), {})
