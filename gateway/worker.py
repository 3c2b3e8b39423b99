"""The worker: the frame of a process that serves mail. Turns inherited sockets and signals into a service's life."""

import argparse
import asyncio
import gc
import logging
import signal
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from gateway.supervisor import SupervisorSettings
from gateway.system.board import Board, Region
from gateway.system.lifeline import Word, WorkerEnd
from gateway.system.listening import Listener, Opening, adopt

# Objects made and not given up, after which the collector looks for cycles among them. Those of running sessions are
# none: to look at them took 4 % of a worker's time at Python's own 700. A session leaves no cycle behind, but where its
# handshake fails.
YOUNG_OBJECTS = 10_000

log = logging.getLogger("mailward.worker")


class Service(Protocol):
    """What a worker runs."""

    async def serve(self, listeners: Sequence[Listener]) -> None:
        """Begin to accept connections at these listening sockets, and return. They are shared with other processes:
        close them to stop accepting, never shut them down."""
        ...

    async def drain(self, seconds: float) -> None:
        """Accept nothing more and return when all work is done. Transactions that are before their final dot after
        `seconds` are given up; what is past it always finishes. It may be cancelled and called again with fewer."""
        ...

    async def close(self) -> None:
        """Give back everything. Called once, at the end, also where serve has failed."""
        ...


Build = Callable[[], Awaitable[Service]]


class Inheritance(Struct, frozen=True):
    """What the supervisor leaves to a worker, by file descriptor numbers."""

    sockets: tuple[tuple[int, Opening], ...]
    lifeline: int
    board: int
    region: int  # of the board: the number of the one that is for this worker
    journal: int | None = None  # its end of the feed of the journal

    def join_board(self) -> Region:
        """Raises OSError, ValueError."""
        return Board.join(self.board).region(self.region)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that the supervisor adds to the worker's command."""
    parser.add_argument("--sockets", required=True, type=_sockets, help=argparse.SUPPRESS)
    for name in ("--lifeline", "--board", "--region"):
        parser.add_argument(name, required=True, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--journal", type=int, help=argparse.SUPPRESS)


def inheritance(options: argparse.Namespace) -> Inheritance:
    return Inheritance(options.sockets, options.lifeline, options.board, options.region, options.journal)


def run_worker(build: Build, settings: SupervisorSettings, inherited: Inheritance) -> int:
    """Build the service and serve until told to end or until the supervisor is gone. Returns the exit status."""
    with asyncio.Runner(loop_factory=_loop_factory(settings.event_loop)) as runner:
        runner.run(_live(build, settings, inherited))
    return 0


async def _live(build: Build, settings: SupervisorSettings, inherited: Inheritance) -> None:
    lifeline = WorkerEnd(adopt(inherited.lifeline))
    orders = Orders()
    orders.listen()
    lifeline.on_end(orders.end)
    listeners = [Listener(adopt(fd), opening) for fd, opening in inherited.sockets]
    beating = asyncio.create_task(lifeline.beat(settings.heartbeat_seconds))
    try:
        async with asyncio.timeout(settings.start_seconds):
            service = await build()
        gc.freeze()  # what is built by now stays: without this each full collection walks it, and stops us for 20 ms
        gc.set_threshold(YOUNG_OBJECTS)
        await _serve(service, listeners, lifeline, orders, settings.drain_seconds)
    finally:
        beating.cancel()
        orders.listen_no_more()


async def _serve(
    service: Service, listeners: Sequence[Listener], lifeline: WorkerEnd, orders: "Orders", drain_seconds: float
) -> None:
    try:
        await service.serve(listeners)
        lifeline.say(Word.READY)
        await orders.drain.wait()
        await _drain(service, orders, drain_seconds)
    finally:
        await service.close()


async def _drain(service: Service, orders: "Orders", seconds: float) -> None:
    """Drain in `seconds`, or at once when told to hurry."""
    draining = asyncio.ensure_future(service.drain(seconds))
    hurried = asyncio.ensure_future(orders.hurry.wait())
    await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if draining.done():
        return draining.result()
    draining.cancel()
    await asyncio.wait((draining,))
    return await service.drain(0)


class Orders:
    """What the worker has been told: to drain, and to hurry with that."""

    def __init__(self) -> None:
        self.drain = asyncio.Event()
        self.hurry = asyncio.Event()

    def listen(self) -> None:
        """The supervisor speaks by SIGTERM; SIGHUP and SIGINT are for it, whoever else gets them."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def listen_no_more(self) -> None:
        """Nothing is left to be told: one more SIGTERM must not cut the last lines of the log."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def end(self) -> None:
        """The supervisor is gone, and with it whoever would give us time: a new one may wait for us to end."""
        log.warning("the supervisor is gone: ending")
        self.drain.set()
        self.hurry.set()

    def _terminate(self) -> None:
        (self.hurry if self.drain.is_set() else self.drain).set()


def _sockets(text: str) -> tuple[tuple[int, Opening], ...]:
    """Of "3:banner,4:tls"."""
    pairs = (entry.split(":") for entry in text.split(",") if entry)
    return tuple((int(number), Opening(opening)) for number, opening in pairs)


def _loop_factory(name: str) -> Callable[[], AbstractEventLoop]:
    if name == "uvloop":
        try:
            import uvloop
        except ImportError:
            log.warning("uvloop is missing: using the slower loop of the standard library")
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop
