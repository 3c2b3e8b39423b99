"""The banner service under the real supervisor, as processes of their own, and what a test wants to do with them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 20.0  # seconds in which anything that a test waits for must have happened
ROOT = Path(__file__).resolve().parents[2]

_ready_re = re.compile(r" ready listen=\S*:(\d+) status=\S*:(\d+)")


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives as soon as that is true. Fails when it has not become true in time."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited too long for: {what}"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Supervised:
    """A running supervisor. The context ends it with everything it has started."""

    def __init__(
        self,
        directory: Path,
        *,
        prefix: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.directory = directory
        self._seen: set[int] = set()
        chosen = {"workers": 2, "heartbeat_seconds": 0.1, "status_listen": "127.0.0.1:0", **settings}
        command = [sys.executable, "-m", "tests.support.banner", str(directory), "--settings", json.dumps(chosen)]
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, *command],
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def __enter__(self) -> "Supervised":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            print(self.log())
        self._note_workers()
        self.process.kill()
        self.process.wait()
        for pid in self._seen:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def log(self) -> str:
        return self._log.read_text()

    def has_logged(self, *texts: str) -> bool:
        return all(text in self.log() for text in texts)

    def ready(self) -> "Supervised":
        match = until(lambda: _ready_re.search(self.log()), "readiness")
        self.port, self._status_port = int(match[1]), int(match[2])
        self._note_workers()
        return self

    @property
    def pid(self) -> int:
        """The supervisor's; a `prefix` must become it by exec."""
        return self.process.pid

    def workers(self) -> set[int]:
        """The workers that accept connections now: asks until each has answered often enough to be believed."""
        pids = set()
        for _ in range(20):
            with self.connect() as client:
                pids.add(client.pid)
        self._seen |= pids
        return pids

    def children(self) -> set[int]:
        self._note_workers()
        return {pid for pid in self._seen if is_alive(pid)}

    def connect(self) -> "Client":
        return Client(self.port)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def get(self, path: str) -> tuple[int, str]:
        """The status and text of a page of the supervisor."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._status_port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def _note_workers(self) -> None:
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        self._seen |= {int(pid) for pid in children.split()}


class Client:
    """A connection to the banner service; `pid` is the worker that answers it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file = self._socket.makefile("rwb")
        self.pid = int(self._file.readline())

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def say(self, line: str) -> None:
        self._file.write(f"{line}\n".encode())
        self._file.flush()

    def hear(self) -> str:
        """The next line; "" at the end of the connection."""
        try:
            return self._file.readline().decode().strip()
        except ConnectionError:
            return ""

    def close(self) -> None:
        self._file.close()
        self._socket.close()
