"""A message's journey without sockets: `python -m tests.bench.bench_journey` prints its profile.

A signed message of 4 KB on a new connection, all DNS in the cache, shipped rules, log and metrics on; the next hop says
yes.
"""

import asyncio
import contextlib
import cProfile
import logging
import os
import pstats
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import uvloop
from msgspec.structs import replace

from gateway.config import Settings
from gateway.connection import Connection, Role
from gateway.delivery.outcome import Outcome
from gateway.envelope import Envelope, Recipient, parse_forward_path, parse_reverse_path
from gateway.journey import Journey
from gateway.message import Stamped
from gateway.parts import Parts
from gateway.record import Record
from gateway.reply import Reply, reply
from gateway.serve import build_parts
from gateway.system.log import Format, LogSettings, MessageLog, start_logging
from gateway.system.metrics import Metrics
from gateway.system.spool import Spool
from tests.bench.measured import Measured
from tests.bench.timing import Effort, Task, alone, awaiting
from tests.support.dnstable import Question, TableResolver
from tests.support.mailbytes import wire
from tests.support.signing import rsa_key, signed

BATCH = 200  # messages
SHOWN = 35  # functions
OK = reply("250 2.0.0", "Ok")

SETTINGS = {
    "hostname": "mx.example.net",
    "domains": ["example.net"],
    "state_directory": "/nonexistent",
    "rules": {"site": "/nonexistent", "lists": "/nonexistent"},
    "route": {"default": {"hosts": ["smtp://127.0.0.1:25"]}},
}
ZONE: dict[Question, Sequence[Any]] = {
    ("example.org", "TXT"): [b"v=spf1 mx ip4:192.0.2.0/24 -all"],
    ("example.org", "MX"): [(10, "mail.example.org")],
    ("mail.example.org", "A"): ["198.51.100.1"],
    ("client.example.org", "A"): ["192.0.2.1"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["client.example.org"],
    ("_dmarc.example.org", "TXT"): [b"v=DMARC1; p=reject; rua=mailto:dmarc@example.org"],
}
MESSAGE = wire(
    "Received: from desk.example.org ([10.0.0.1]) by mail.example.org with ESMTP id 1; Mon, 1 Jan 2024 00:00:00 +0000\n"
    "From: Ann Example <ann@example.org>\nTo: Bob <bob@example.net>\nSubject: The minutes\n"
    "Message-ID: <1@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nMIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=utf-8\n\n" + ("All of us were of one mind about it, as far as I saw.\n" * 65)
)


class NextHop:
    """Takes everything at once, in no time."""

    name = "bench"
    shares_transactions = True

    def hop_for(self, domain: str) -> "NextHop":
        return self

    def open(self, connection: Connection, envelope: Envelope, client_name: str) -> "NextHop":
        return self

    async def recipient(self, recipient: Recipient) -> Reply:
        return OK

    async def send(self, envelope: Envelope, stamped: Stamped, *, spent: float) -> Outcome:
        assert sum(map(len, stamped.chunks())) == stamped.size
        return Outcome(reply=OK, next_hop="bench", answer=str(OK))

    async def close(self) -> None: ...


def build() -> Parts:
    zone = ZONE | {("s1._domainkey.example.org", "TXT"): [rsa_key().record]}
    message_log, metrics = MessageLog(LogSettings()), Metrics()

    def record(entry: Record) -> None:
        message_log.write(entry)
        metrics.count(entry)

    parts = build_parts(
        Settings.model_validate(SETTINGS),
        resolver=TableResolver(zone, warm=True),
        disk=ThreadPoolExecutor(1),
        clock=time.time,
        record=record,
    )
    hop: Any = NextHop()
    return replace(parts, routes=hop)


async def one(parts: Parts, octets: bytes) -> None:
    """What a session asks of a visit for one message."""
    address, hello = IPv4Address("192.0.2.1"), "client.example.org"
    connection = Connection(id="c1", ip=address, port=2525, role=Role.STRANGER, opened=time.time())
    visit = Journey(parts)
    await visit.connect(connection)
    await visit.helo(replace(connection, helo=hello, esmtp=True))
    await visit.mail(Envelope(id="c1.1", sender=parse_reverse_path("<ann@example.org>")))
    await visit.rcpt(Recipient(parse_forward_path("<bob@example.net>")))
    spool = Spool(threshold=1 << 18, directory=Path("/nonexistent"))
    spool.write(octets)
    answer = await visit.message(spool)
    spool.close()
    await visit.reset()
    assert answer is OK, answer


def measure(effort: Effort) -> Iterator[Measured]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, logging_to_nowhere():
        parts, octets = build(), signed(MESSAGE, rsa_key())
        values = alone(effort, Task(awaiting(runner, partial(one, parts, octets)), BATCH))
    yield Measured(name="journey of a signed 4 KB message, no sockets", unit="ms", values=values)


@contextlib.contextmanager
def logging_to_nowhere() -> Iterator[None]:
    log = start_logging(LogSettings(format=Format.JSON), on_drop=lambda _: None, fd=os.open(os.devnull, os.O_WRONLY))
    sys.excepthook = sys.__excepthook__  # an error of this benchmark is for the terminal
    try:
        yield
    finally:
        logging.getLogger().removeHandler(log)
        log.close()


def main() -> None:
    """List the functions that cost most, by the time in them and by that below them."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, logging_to_nowhere():
        batch = awaiting(runner, partial(one, build(), signed(MESSAGE, rsa_key())))
        batch(BATCH)  # caches are filled
        with cProfile.Profile() as profiler:
            batch(10 * BATCH)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(SHOWN).sort_stats("cumtime").print_stats(2 * SHOWN)


if __name__ == "__main__":
    main()
