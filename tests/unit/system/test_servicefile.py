"""The service file: who the running service is, and how its reloads end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.system.servicefile import MAX_SIZE, ServiceFile, ServiceState, running_service


def test_state_is_told_while_the_service_holds_the_file(tmp_path: Path) -> None:
    service = ServiceFile(tmp_path / "service")
    assert running_service(tmp_path / "service") == ServiceState(os.getpid())
    service.begin()
    assert running_service(tmp_path / "service") == ServiceState(os.getpid(), begun=1)
    service.end("done")
    service.begin()
    assert running_service(tmp_path / "service") == ServiceState(os.getpid(), begun=2, ended=1, outcome="done")
    service.end("failed")
    assert running_service(tmp_path / "service") == ServiceState(os.getpid(), begun=2, ended=2, outcome="failed")


def test_nobody_runs_where_there_is_no_file(tmp_path: Path) -> None:
    assert running_service(tmp_path / "service") is None


def test_a_file_that_was_left_behind_is_nobody(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.system.servicefile import *; ServiceFile(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "service")], check=True)
    assert json.loads((tmp_path / "service").read_text())["begun"] == 0
    assert running_service(tmp_path / "service") is None


def test_a_second_service_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    first = ServiceFile(tmp_path / "service")
    with pytest.raises(BlockingIOError):
        ServiceFile(tmp_path / "service")
    first.begin()
    assert running_service(tmp_path / "service") == ServiceState(os.getpid(), begun=1)


def test_every_state_has_the_same_size(tmp_path: Path) -> None:
    service = ServiceFile(tmp_path / "service")
    service.begin()
    service.end("refused")
    assert (tmp_path / "service").stat().st_size == MAX_SIZE
