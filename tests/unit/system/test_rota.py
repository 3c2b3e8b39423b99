"""The rota: a connection wakes one of the processes that wait, they take turns, and none waits for one that left."""

import asyncio
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from gateway.system.listening import bind
from gateway.system.rota import STRETCH, Rota
from tests.support.loops import FACTORIES, on_both_loops
from tests.support.waiting import PATIENCE, until

CONNECTIONS = 100


class Listeners:
    """Processes that wait at a socket."""

    def __init__(self, sock: socket.socket, loop: str, stack: ExitStack) -> None:
        self._socket = sock
        self._loop = loop
        self._stack = stack
        told, self._tell = os.pipe()
        self._told = stack.enter_context(os.fdopen(told))
        stack.callback(os.close, self._tell)
        self.pids: list[int] = []

    def add(self, *arguments: str) -> None:
        fds = (self._socket.fileno(), self._tell)
        command = [sys.executable, "-m", "tests.support.listener", self._loop, *map(str, fds), *arguments]
        process = subprocess.Popen(command, pass_fds=fds)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        assert self._hear() == process.pid
        self.pids.append(process.pid)

    def knock(self) -> int:
        """Connect when all of them wait; the pid of who accepts."""
        deadline = time.monotonic() + PATIENCE
        while any(_state(pid) != "S" for pid in self.pids):
            assert time.monotonic() < deadline
        socket.create_connection(self._socket.getsockname()).close()
        return self._hear()

    def _hear(self) -> int:
        ready, _, _ = select.select([self._told], [], [], PATIENCE)
        assert ready, "none of them says a word"
        return int(self._told.readline())

    def wakings(self) -> int:
        """How often they stopped to wait, all together."""
        return sum(int(_status(pid)["voluntary_ctxt_switches"]) for pid in self.pids)


@contextmanager
def listening(loop: str) -> Iterator[Listeners]:
    with closing(bind("127.0.0.1:0")) as sock, ExitStack() as stack:
        yield Listeners(sock, loop, stack)


@pytest.mark.parametrize("loop", FACTORIES)
def test_a_connection_wakes_one_of_those_that_wait(loop: str) -> None:
    with listening(loop) as listeners:
        for _ in range(4):
            listeners.add()
        before = listeners.wakings()
        for _ in range(CONNECTIONS):
            listeners.knock()
        assert listeners.wakings() - before < 2 * CONNECTIONS  # else it would be four times as many


@pytest.mark.parametrize("loop", FACTORIES)
def test_they_take_turns(loop: str) -> None:
    with listening(loop) as listeners:
        for _ in range(3):
            listeners.add()
        accepted = Counter(listeners.knock() for _ in range(6 * STRETCH))
        assert min(accepted[pid] for pid in listeners.pids) >= STRETCH


@pytest.mark.parametrize("loop", FACTORIES)
def test_a_few_connections_do_not_all_come_to_one(loop: str) -> None:
    """They may stay for long."""
    with listening(loop) as listeners:
        for _ in range(2):
            listeners.add()
        accepted = Counter(listeners.knock() for _ in range(20))
        assert min(accepted[pid] for pid in listeners.pids) >= 4


@on_both_loops
async def test_after_a_pause_one_has_a_place_in_the_line_again() -> None:
    loop = asyncio.get_running_loop()
    with closing(bind("127.0.0.1:0")) as sock:
        rota = Rota(sock, lambda: None)
        for _ in range(3):
            loop.call_later(0.001, rota.begin)  # there uvloop has not yet registered it when it comes to the line
            await until(lambda: _is_in_line(sock))
            rota.end()
            assert not _is_in_line(sock)


@pytest.mark.parametrize("loop", FACTORIES)
def test_nobody_waits_for_one_that_was_woken_and_left(loop: str) -> None:
    with listening(loop) as listeners:
        for _ in range(3):
            listeners.add("--leave")
        listeners.add()
        assert listeners.knock() == listeners.pids[-1]


def _is_in_line(sock: socket.socket) -> bool:
    """Whether an epoll instance of ours has it registered as one that is woken alone."""
    noted = "".join(path.read_text() for path in Path("/proc/self/fdinfo").iterdir() if path.exists())
    registered = re.findall(rf"^tfd: +{sock.fileno()} +events: +([0-9a-f]+)", noted, re.MULTILINE)
    return any(int(events, 16) & select.EPOLLEXCLUSIVE for events in registered)


def _state(pid: int) -> str:
    return _status(pid)["State"][0]


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
