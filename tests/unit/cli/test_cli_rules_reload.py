"""mailward rules reload: how the outcome is waited for, with services that have other outcomes than the real one."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import main

SERVICE = """
import signal, sys
from pathlib import Path
from gateway.system.servicefile import ServiceFile

service = ServiceFile(Path(sys.argv[1]))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
print("ready", flush=True)
for outcome in sys.argv[2:]:
    signal.sigwait({signal.SIGHUP})
    service.begin()
    service.end(outcome)
if not sys.argv[2:]:
    signal.sigwait({signal.SIGHUP})
else:
    signal.sigwait({signal.SIGTERM})
"""


@contextlib.contextmanager
def service(state: Path, *outcomes: str) -> Iterator[None]:
    """One whose reloads end so, and that ends itself at the first where there are none."""
    command = [sys.executable, "-c", SERVICE, str(state / "service"), *outcomes]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "mailward.toml"
    file.write_text(
        f'hostname = "mx.example.org"\ndomains = ["example.org"]\nstate_directory = "{tmp_path}"\n'
        f'[route.default]\nhosts = ["maildir://{tmp_path}/mail"]\n'
    )
    return file


@pytest.mark.parametrize(
    ("outcome", "status", "said"), [("done", 0, ""), ("failed", 1, "failed"), ("refused", 1, "refused")]
)
def test_outcome_of_the_service_is_the_exit_status(
    tmp_path: Path, config: Path, outcome: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with service(tmp_path, outcome):
        assert main(["rules", "reload", "--config", str(config)]) == status
    printed = capsys.readouterr()
    assert printed.out.startswith("in force: version ") is (status == 0)
    assert said in printed.err


def test_service_that_ends_is_told(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(tmp_path):
        assert main(["rules", "reload", "--config", str(config)]) == 1
    assert "the service has ended" in capsys.readouterr().err


def test_waiting_has_an_end(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with service(tmp_path, "done"):
        assert main(["rules", "reload", "--config", str(config)]) == 0
        assert main(["rules", "reload", "--config", str(config), "--timeout", "0.2"]) == 1
    assert "no outcome within 0.2 s" in capsys.readouterr().err
