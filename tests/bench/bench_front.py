"""The front alone: a message comes in by SMTP, and its visits say yes at once.

The front runs in a process of its own; its CPU time is the kernel's, so the client's work does not count.
"""

import asyncio
import itertools
import multiprocessing
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import uvloop

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
from tests.bench import processes
from tests.bench.measured import Measured
from tests.bench.timing import Effort

OK = reply("250 2.0.0", "OK")
CHUNK = 1 << 20  # octets of a chunk of BDAT


@dataclass(frozen=True, slots=True)
class Way:
    verb: str
    size: int
    connection: str


WAYS = {  # and how many messages
    Way("DATA", 4_000, "new"): 500,
    Way("DATA", 4_000, "persistent"): 1000,
    Way("DATA", 100_000, "persistent"): 200,
    Way("DATA", 10_000_000, "persistent"): 5,
    Way("BDAT", 4_000, "persistent"): 1000,
    Way("BDAT", 10_000_000, "persistent"): 5,
}


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


def serve(pipe: Pipe) -> None:
    uvloop.run(listen(pipe))


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


def measure(effort: Effort) -> Iterator[Measured]:
    pipe, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    pid, port = pipe.recv()
    drive(port, "DATA", message(4_000), 200, "new")
    values: dict[Way, list[float]] = {way: [] for way in WAYS}
    for _, (way, usual) in itertools.product(range(effort.rounds), WAYS.items()):
        octets, count, before = message(way.size), effort.calls(usual), processes.cpu([pid])
        drive(port, way.verb, octets, count, way.connection)
        values[way].append((processes.cpu([pid]) - before) / count)
    process.terminate()
    process.join()
    for way, found in values.items():
        name = f"front, {way.verb} of {way.size:,} octets, {way.connection} connection"
        yield Measured(name=name, unit="ms", values=tuple(found))
