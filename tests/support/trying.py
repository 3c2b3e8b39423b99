"""`mailward try` as a process, in a directory of its own."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.spamd import free_port

COMMAND = (sys.executable, "-m", "gateway")
START = 90.0  # seconds; spamd reads its rules, and the workers import everything
STOP = 30.0  # seconds
ROOT = Path(__file__).parents[2]


@dataclass
class Trial:
    state: Path
    address: str
    process: "subprocess.Popen[bytes]"

    @property
    def printed(self) -> str:
        return (self.state.parent / "printed").read_text()

    @property
    def log(self) -> str:
        return (self.state.parent / "log").read_text()

    def send(self, message: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*COMMAND, "send", "-", "--to", self.address, *arguments]
        return subprocess.run(command, input=message, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)

    def children(self) -> set[int]:
        """The processes that it has started: spamd with its children, and the workers."""
        return _descendants(self.process.pid)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP)


@contextlib.contextmanager
def trying(
    directory: Path, *, address: str | None = None, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[Trial]:
    """Run it until the end of the block, from when it is ready. `prefix` is what runs the command."""
    address = address or f"127.0.0.1:{free_port()}"
    state = directory / "state"
    command = [*prefix, *COMMAND, "try", "--state", str(state), "--listen", address]
    with (directory / "log").open("wb") as log, (directory / "printed").open("wb") as printed:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=log, cwd=ROOT, env={**os.environ, **(env or {})}
        )
    trial = Trial(state, address, process)
    try:
        _wait_until_ready(trial)
        yield trial
    finally:
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                trial.end()
        _kill(process)


def shell(script: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run lines as somebody who pastes them does."""
    return subprocess.run(["sh", "-ec", script], capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


def command_line() -> str:
    """What stands in a shell for the command `mailward`."""
    return shlex.join(COMMAND)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until_ready(trial: Trial) -> None:
    deadline = time.monotonic() + START
    while ": ready " not in trial.log:
        if trial.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not start:\n{trial.printed}\n{trial.log}")
        time.sleep(0.05)


def _descendants(pid: int) -> set[int]:
    try:
        children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return children.union(*map(_descendants, children))


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Whatever is still there, so that a test that fails leaves nothing running."""
    if process.poll() is None:
        left = _descendants(process.pid)
        process.kill()
        process.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
