"""A worker as its supervisor sees it: a process that was started, says that it is ready and that it lives, and ends."""

import asyncio
import signal
import socket
import subprocess
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from gateway.system.board import Board
from gateway.system.lifeline import SupervisorEnd, Word, pair
from gateway.system.listening import Listener

LAST_BREATH = 5.0  # seconds between the end of a worker's lifeline and that of its process


class State(StrEnum):
    STARTING = "starting"  # it loads its code and its configuration
    READY = "ready"
    DRAINING = "draining"  # told to end: what is under way finishes
    GONE = "gone"


class Cause(StrEnum):
    """Why a worker ended."""

    DRAINED = "drained"  # it was told to, and did
    FAILED = "failed"  # it ended by itself
    KILLED = "killed"  # a signal that was not ours
    SILENT = "silent"  # its loop stood still, so we killed it
    SLOW_START = "slow-start"  # it was not ready in time, so we killed it
    OVERDUE = "overdue"  # it had not drained by its deadline, so we killed it


class Limits(Struct, frozen=True):
    """Seconds that a worker gets."""

    start: float  # until it is ready
    silence: float  # between two signs of life
    drain: float  # from the order to drain to its end


class Estate(Struct, frozen=True):
    """What a worker inherits, beside its lifeline."""

    listeners: tuple[Listener, ...]  # at which it accepts mail
    board: Board
    region: int  # of the board, for it alone
    journal: socket.socket | None = None  # its end of the feed of the journal


class Ending(Struct, frozen=True):
    cause: Cause
    status: int  # the exit status, or the signal's number below zero


class WorkerProcess:
    """One worker. `watch` must be awaited to its end by somebody: it keeps the state and the deadlines."""

    def __init__(
        self, slot: int, process: Process, lifeline: SupervisorEnd, limits: Limits, *, region: int = 0
    ) -> None:
        """`region` is the worker's on the board."""
        self.slot = slot
        self.region = region
        self.pid = process.pid
        self.state = State.STARTING
        self.started = time.monotonic()
        self._process = process
        self._lifeline = lifeline
        self._limits = limits
        self._heard = self.started
        self._drain_began = 0.0
        self._settled = asyncio.Event()

    async def is_ready(self) -> bool:
        """Wait until it is ready or will never be."""
        await self._settled.wait()
        return self.state is State.READY

    def beats(self) -> bool:
        """Whether it has been ready and its loop has lately given a sign of life."""
        return self.state in (State.READY, State.DRAINING) and time.monotonic() - self._heard <= self._limits.silence

    def drain(self) -> None:
        """Tell it to end. Told again, it is to hurry: only what is past the sender's final dot still finishes."""
        if self.state is State.GONE:
            return
        if self.state is not State.DRAINING:
            self.state = State.DRAINING
            self._drain_began = time.monotonic()
            self._settled.set()
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.state is not State.GONE:
            self._process.kill()

    async def watch(self) -> Ending:
        """Listen to it until it has ended; kill it at the deadline of its state."""
        late = await self._listen()
        if late:
            self.kill()
        status = await self._exit_status()
        ordered = self.state is State.DRAINING
        self.state = State.GONE
        self._lifeline.close()
        self._settled.set()
        return Ending(late or _cause(status, ordered=ordered), status)

    async def _listen(self) -> Cause | None:
        """Until the lifeline ends (None), or the deadline has passed that the cause tells."""
        while True:
            deadline, cause = self._deadline()
            if deadline <= time.monotonic():
                return cause
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    words = await self._lifeline.hear()
            except TimeoutError:
                continue  # it may have another state since, with another deadline
            if not words:
                return None
            self._note(words)

    def _note(self, words: bytes) -> None:
        self._heard = time.monotonic()
        if Word.READY.value in words and self.state is State.STARTING:
            self.state = State.READY
            self._settled.set()

    def _deadline(self) -> tuple[float, Cause]:
        """The moment at which it will have to be killed, as things stand."""
        if self.state is State.STARTING:
            return self.started + self._limits.start, Cause.SLOW_START
        silent = self._heard + self._limits.silence, Cause.SILENT
        if self.state is State.DRAINING:
            return min(silent, (self._drain_began + self._limits.drain, Cause.OVERDUE))
        return silent

    async def _exit_status(self) -> int:
        try:
            async with asyncio.timeout(LAST_BREATH):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()


async def start_worker(
    slot: int,
    command: Sequence[str],
    estate: Estate,
    environment: Mapping[str, str],
    limits: Limits,
) -> WorkerProcess:
    """Start a worker; `command` gets the numbers of what it inherits. Raises OSError.

    It has a process group of its own, so that Ctrl-C reaches the supervisor alone.
    """
    ours, theirs = pair()
    sockets = {listener.socket.fileno(): listener.opening for listener in estate.listeners}
    numbers = {"--sockets": ",".join(f"{fd}:{opening}" for fd, opening in sockets.items())}
    numbers |= {"--lifeline": str(theirs.fileno()), "--board": str(estate.board.fd), "--region": str(estate.region)}
    shared = [*sockets, estate.board.fd]
    if estate.journal:
        numbers |= {"--journal": str(estate.journal.fileno())}
        shared.append(estate.journal.fileno())
    with theirs:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                *(word for entry in numbers.items() for word in entry),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=(*shared, theirs.fileno()),
                process_group=0,
            )
        except BaseException:
            ours.close()
            raise
    return WorkerProcess(slot, process, SupervisorEnd(ours), limits, region=estate.region)


def _cause(status: int, *, ordered: bool) -> Cause:
    if ordered and status in (0, -signal.SIGTERM):  # SIGTERM: told before it could listen to signals
        return Cause.DRAINED
    return Cause.KILLED if status < 0 else Cause.FAILED
