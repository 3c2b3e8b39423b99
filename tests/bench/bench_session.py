"""CPU that the front alone needs for a message: its visits say yes at once. Run: python tests/bench/bench_session.py

The front runs in a process of its own; its CPU time is the kernel's, so the client's work does not count.
"""

import asyncio
import multiprocessing
import os
import socket
import sys
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from gateway.connection import Connection, Role
from gateway.door import SmtpDoor
from gateway.envelope import Envelope, Recipient
from gateway.message import Content
from gateway.reply import Reply, reply
from gateway.smtp.front import Front
from gateway.smtp.offer import Limits
from gateway.smtp.registry import Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system.acceptor import Acceptor
from gateway.system.board import Region
from gateway.system.listening import bind
from gateway.system.spool import Spool
from gateway.system.threads import DiskThreads

OK = reply("250 2.0.0", "OK")
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
ROUNDS = (
    ("DATA", 4_000, 3000, "new"),
    ("DATA", 4_000, 5000, "persistent"),
    ("DATA", 100_000, 1000, "persistent"),
    ("DATA", 10_000_000, 20, "persistent"),
    ("BDAT", 4_000, 5000, "persistent"),
    ("BDAT", 10_000_000, 20, "persistent"),
)
CHUNK = 1 << 20  # octets of a chunk of BDAT


class Yes:
    async def connect(self, connection: Connection) -> Reply | None:
        return None

    async def helo(self, connection: Connection) -> Reply | None:
        return None

    async def mail(self, envelope: Envelope) -> Reply:
        return OK

    async def rcpt(self, recipient: Recipient) -> Reply:
        return OK

    async def message(self, spool: Spool, cleaned: Content | None = None) -> Reply:
        return OK

    async def refused(self, reply: Reply) -> None:
        return None

    async def reset(self) -> None:
        return None


async def listen(pipe: Pipe) -> None:
    unlimited, directory = 10**12, Path("/tmp")
    settings = SessionSettings(max_messages=unlimited, max_octets=unlimited, max_all_recipients=unlimited)
    front = Front(
        Yes,
        settings,
        hostname="mx.example.net",
        tls=None,
        roles=lambda _: Role.STRANGER,
        spool=lambda: Spool(threshold=1 << 18, directory=directory),
        disk=DiskThreads(threads=8, waiting=200),
        sessions=Sessions(settings, Region.private()),
        limits=Limits(max_size=settings.max_size, recipients=settings.max_recipients),
        carried=frozenset,
    )
    sock = bind("127.0.0.1:0")
    acceptor = Acceptor(sock, SmtpDoor(front))
    pipe.send((os.getpid(), sock.getsockname()[1]))
    await asyncio.Event().wait()
    acceptor.close()


def serve(loop: str, pipe: Pipe) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(listen(pipe))


def cpu(pid: int) -> float:
    """Milliseconds that a process has run, with all its threads."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e6


def message(size: int) -> bytes:
    line = b"x" * 74 + b"\r\n"
    return b"Subject: bench\r\n\r\n" + line * (size // len(line))


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

    def send(self, verb: str, octets: bytes) -> None:
        envelope = b"MAIL FROM:<a@example.org> BODY=8BITMIME\r\nRCPT TO:<b@example.net>\r\n"
        if verb == "DATA":
            self.socket.sendall(envelope + b"DATA\r\n")
            self.replies(3)
            self.socket.sendall(octets + b".\r\n")
            return self.replies(1)
        chunks = [octets[start : start + CHUNK] for start in range(0, len(octets), CHUNK)]
        last = len(chunks) - 1
        words = (b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if i == last else b"") for i, chunk in enumerate(chunks))
        self.socket.sendall(envelope + b"".join(word + chunk for word, chunk in zip(words, chunks, strict=True)))
        return self.replies(2 + len(chunks))

    def quit(self) -> None:
        self.socket.sendall(b"QUIT\r\n")
        self.replies(1)
        self.file.close()
        self.socket.close()


def drive(port: int, verb: str, octets: bytes, count: int, connection: str) -> None:
    client = Client(port)
    for _ in range(count):
        client.send(verb, octets)
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
        drive(port, "DATA", message(4_000), 200, "new")
        for verb, size, count, connection in ROUNDS:
            octets, before = message(size), cpu(pid)
            drive(port, verb, octets, count, connection)
            spent = (cpu(pid) - before) / count
            print(f"{loop:8} {verb} {size:>10,} octets, {connection:10} {spent:8.3f} ms CPU a message")
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
