"""The acceptor: connections wait in the kernel while there is no room, and a shortage of the system is survived."""

import asyncio
import logging
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.system.acceptor import Acceptor
from gateway.system.listening import bind
from tests.support.loops import FACTORIES, on_both_loops
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[3]


class Greeter(asyncio.Protocol):
    def __init__(self, door: "ScriptedDoor") -> None:
        self._door = door

    async def begin(self, client: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self, client)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._door.sessions += 1
        cast(asyncio.Transport, transport).write(b"220 hello\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        self._door.left += 1


class ScriptedDoor:
    """Has the room and says the farewell that the test wants."""

    def __init__(self, *, room: int = 100, farewell: bytes = b"") -> None:
        self.room = room
        self.farewell = farewell
        self.asks_for_names = False
        self.callers: list[Any] = []
        self.sessions = 0
        self.asked = False  # whether there is room
        self.left = 0
        self.shortages = 0

    @property
    def has_room(self) -> bool:
        self.asked = True
        return self.sessions - self.left < self.room

    def run_short(self) -> None:
        self.shortages += 1

    def caller(self, peer: Any) -> Any:
        assert peer[0] == "127.0.0.1"
        return None if self.asks_for_names else peer

    async def introduced(self, client: socket.socket, peer: Any) -> Any:
        name = await asyncio.get_running_loop().sock_recv(client, 100)
        return name if name != b"nobody" else None

    def let_in(self, caller: Any) -> Greeter | bytes:
        self.callers.append(caller)
        return self.farewell or Greeter(self)


async def connect(acceptor_at: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*acceptor_at.getsockname())


@on_both_loops
async def test_connections_are_served() -> None:
    sock, door = bind("127.0.0.1:0"), ScriptedDoor()
    acceptor = Acceptor(sock, door)
    for _ in range(40):
        reader, writer = await connect(sock)
        assert await reader.readline() == b"220 hello\r\n"
        writer.close()
    await until(lambda: door.left == 40)
    acceptor.close()


@on_both_loops
async def test_without_room_they_wait_and_are_served_when_there_is_room_again() -> None:
    sock, door = bind("127.0.0.1:0"), ScriptedDoor(room=1)
    acceptor = Acceptor(sock, door)
    reader, writer = await connect(sock)
    assert await reader.readline() == b"220 hello\r\n"
    waiting, other = await connect(sock)
    answer = asyncio.create_task(waiting.readline())
    await asyncio.sleep(0.1)
    assert not answer.done()
    writer.close()
    assert await answer == b"220 hello\r\n"
    other.close()
    acceptor.close()


@on_both_loops
async def test_refused_client_is_told_why_and_gets_no_session() -> None:
    sock, door = bind("127.0.0.1:0"), ScriptedDoor(farewell=b"421 later\r\n")
    acceptor = Acceptor(sock, door)
    for _ in range(20):
        reader, writer = await connect(sock)
        assert await reader.read() == b"421 later\r\n"
        writer.close()
    assert not door.sessions
    acceptor.close()


@on_both_loops
async def test_client_is_who_the_connection_says_and_without_a_name_it_is_closed() -> None:
    sock, door = bind("127.0.0.1:0"), ScriptedDoor()
    door.asks_for_names = True
    acceptor = Acceptor(sock, door)
    for name, answer in ((b"ann", b"220 hello\r\n"), (b"nobody", b"")):
        reader, writer = await connect(sock)
        writer.write(name)
        assert await reader.read(100) == answer
        writer.close()
    assert door.callers == [b"ann"]
    acceptor.close()


@pytest.mark.parametrize("room", [0, 1])
@on_both_loops
async def test_closed_acceptor_accepts_nothing_more_whether_it_paused_or_not(room: int) -> None:
    sock, door = bind("127.0.0.1:0"), ScriptedDoor(room=room)
    where = sock.getsockname()
    acceptor = Acceptor(sock, door)
    await connect(sock)
    await until(lambda: door.sessions == room and door.asked)
    acceptor.close()
    acceptor.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*where)


async def test_lack_of_room_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    sock, door = bind("127.0.0.1:0"), ScriptedDoor(room=0)
    with caplog.at_level(logging.WARNING):
        acceptor = Acceptor(sock, door)
        for _ in range(3):
            await connect(sock)
            await asyncio.sleep(0.06)
        acceptor.close()
    assert caplog.text.count("connections wait to be accepted") == 1


# A process that may open thirty more files, and serves at the socket that it inherits. It writes its log, and in the
# end the seconds of CPU that it has used.
SERVER = """
import asyncio, os, resource, socket, sys, time
from gateway.system.acceptor import Acceptor
from tests.unit.system.test_acceptor import FACTORIES, ScriptedDoor

async def main():
    sock = socket.socket(fileno=int(sys.argv[2]))
    sock.setblocking(False)
    open_now = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 30, open_now + 30))
    door = ScriptedDoor(room=10**6)
    acceptor = Acceptor(sock, door)
    print("ready", flush=True)
    before = time.process_time()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(time.process_time() - before, door.sessions, door.shortages, flush=True)
    acceptor.close()

with asyncio.Runner(loop_factory=FACTORIES[sys.argv[1]]) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize("loop", FACTORIES)
def test_process_without_descriptors_serves_everyone_in_the_end(loop: str) -> None:
    sock = bind("127.0.0.1:0")
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", SERVER, loop, str(sock.fileno())]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, pass_fds=(sock.fileno(),)
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(sock.getsockname(), timeout=30)) for _ in range(80)]
        for client in clients:  # each leaves once it was served, and so makes room for one that waits
            assert client.recv(100) == b"220 hello\r\n"
            client.close()
        output, log = process.communicate("done\n", timeout=30)
    seconds, served, shortages = output.split()
    assert int(served) == 80
    assert int(shortages) >= 1
    assert log.count("\n") <= 2, log
    assert "Too many open files" in log
    assert float(seconds) < 2
