"""CPU that the front alone needs for a message: its visits say yes at once. Run: python tests/bench/bench_session.py

The front runs in a process of its own; its CPU time is the kernel's, so the client's work does not count.
"""

import asyncio
import multiprocessing
import os
import socket
import sys
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.connection import Connection, Role
from gateway.envelope import Envelope, Recipient
from gateway.reply import Reply, reply
from gateway.session import SmtpSession
from gateway.smtp.front import Front
from gateway.smtp.registry import Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system.spool import Spool

OK = reply("250 2.0.0", "OK")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
ROUNDS = (
    (4_000, 3000, "new"),
    (4_000, 5000, "persistent"),
    (100_000, 1000, "persistent"),
    (10_000_000, 20, "persistent"),
)


class Yes:
    async def connect(self, connection: Connection) -> Reply | None:
        return None

    async def helo(self, connection: Connection) -> Reply | None:
        return None

    async def mail(self, envelope: Envelope) -> Reply:
        return OK

    async def rcpt(self, recipient: Recipient) -> Reply:
        return OK

    async def message(self, spool: Spool) -> Reply:
        return OK

    async def refused(self, reply: Reply) -> None:
        return None

    async def reset(self) -> None:
        return None


async def listen(pipe: Pipe) -> None:
    front = Front(
        Yes,
        SessionSettings(max_messages=10**9),
        hostname="mx.example.net",
        tls=None,
        roles=lambda _: Role.STRANGER,
        spool=lambda: Spool(threshold=1 << 18, directory=Path("/tmp")),
        sessions=Sessions(limit=1000),
    )
    server = await asyncio.get_running_loop().create_server(partial(SmtpSession, front), "127.0.0.1", 0)
    pipe.send((os.getpid(), server.sockets[0].getsockname()[1]))
    await server.serve_forever()


def serve(loop: str, pipe: Pipe) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(listen(pipe))


def cpu(pid: int) -> float:
    """Milliseconds that a process has run."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def message(size: int) -> bytes:
    line = b"x" * 74 + b"\r\n"
    return b"Subject: bench\r\n\r\n" + line * (size // len(line)) + b".\r\n"


class Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.replies(1)
        self.socket.sendall(b"EHLO client.example\r\n")
        self.replies(1)

    def replies(self, count: int) -> None:
        while count:
            count -= self.file.readline()[3:4] == b" "

    def send(self, octets: bytes) -> None:
        self.socket.sendall(b"MAIL FROM:<a@example.org> BODY=8BITMIME\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        self.replies(3)
        self.socket.sendall(octets)
        self.replies(1)

    def quit(self) -> None:
        self.socket.sendall(b"QUIT\r\n")
        self.replies(1)
        self.file.close()
        self.socket.close()


def drive(port: int, octets: bytes, count: int, connection: str) -> None:
    client = Client(port)
    for _ in range(count):
        client.send(octets)
        if connection == "new":
            client.quit()
            client = Client(port)
    client.quit()


def main() -> None:
    for loop in LOOPS:
        pipe, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=serve, args=(loop, theirs), daemon=True)
        process.start()
        pid, port = pipe.recv()
        drive(port, message(4_000), 200, "new")
        for size, count, connection in ROUNDS:
            octets, before = message(size), cpu(pid)
            drive(port, octets, count, connection)
            print(f"{loop:8} {size:>10,} octets, {connection:10} {(cpu(pid) - before) / count:8.3f} ms CPU a message")
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
