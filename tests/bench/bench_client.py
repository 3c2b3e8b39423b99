"""Handing a 4 KB message to a next hop on a connection that is used again. The sink is in a process of its own.

Each way a transaction can go: held (RCPT asked, then straight to DATA), replayed (left after RCPT, MAIL and RCPT
again), and unverified (asked once, after the message).
"""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import cast

import uvloop

from gateway.delivery.downstream import SmtpRoute, Verification
from gateway.delivery.endpoint import Endpoint, Protocol
from tests.bench.measured import Measured
from tests.bench.timing import Effort, Task, alternate, awaiting
from tests.support.deliveries import CONNECTION, envelope, recipient, route, stamped

MESSAGE = stamped(b"Subject: bench\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56)
BATCH = 200  # messages
BEGUN = envelope()
BOB = recipient("bob@example.org")
SENT = envelope("bob@example.org")
WAYS = {
    "held": {"hold": 5.0},
    "replayed": {"hold": 0.0},
    "unverified": {"verification": Verification.NONE},
}


class Sink(asyncio.Protocol):
    """Answers each line of commands as a server with PIPELINING does, and forgets each message."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.in_message = False
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        if self.in_message:
            if data.endswith(b"\r\n.\r\n"):
                self.in_message = False
                self.transport.write(b"250 2.0.0 Ok: queued as X\r\n")
        elif data == b"DATA\r\n":
            self.in_message = True
            self.transport.write(b"354 go\r\n")
        elif data.startswith(b"EHLO"):
            self.transport.write(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 XFORWARD NAME ADDR PORT HELO\r\n")
        else:
            self.transport.write(b"250 2.1.0 Ok\r\n" * data.count(b"\r\n"))


def serve(pipe: Pipe) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def one(hop: SmtpRoute) -> None:
    delivery = hop.open(CONNECTION, BEGUN, "client.example.com")
    await delivery.recipient(BOB)
    outcome = await delivery.send(SENT, MESSAGE)
    await delivery.close()
    if not outcome.reply.is_success:
        raise RuntimeError(str(outcome))


def measure(effort: Effort) -> Iterator[Measured]:
    receiving, sending = multiprocessing.Pipe(duplex=False)
    sink = multiprocessing.get_context("spawn").Process(target=serve, args=(sending,), daemon=True)
    sink.start()
    endpoint = Endpoint(protocol=Protocol.SMTP, host="127.0.0.1", port=receiving.recv())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, contextlib.ExitStack() as stack:
        tasks = {}
        for way, manner in WAYS.items():
            hop = stack.enter_context(route(endpoint, max_messages=10**9, max_age=3600.0, **manner))  # type: ignore[arg-type]
            tasks[way] = Task(awaiting(runner, partial(one, hop)), BATCH)
        times = alternate(effort, **tasks)
    sink.terminate()
    sink.join()
    for way, values in times.items():
        yield Measured(name=f"client, 4 KB to a next hop, {way}", unit="ms", values=values)
