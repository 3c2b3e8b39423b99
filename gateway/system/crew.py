"""The crew: the workers of one host, from their start to their drain.

Replaces those that end by themselves, and on a reload all of them one by one.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from gateway.system.workerprocess import Cause, Ending, State, WorkerProcess

FIRST_BACKOFF = 0.25  # seconds before a worker that has ended by itself is replaced; doubled each time it ends young
LONGEST_BACKOFF = 30.0  # seconds
GROWN_UP = 60.0  # seconds; a worker that lived so long ended for a new reason
GENERATIONS = 4  # of workers that may live at once while old ones drain: a bound on memory under many reloads
MOST = GENERATIONS + 1  # workers for each slot, with those that replace others while a reload is under way

log = logging.getLogger("mailward.supervisor")


class Renewal(StrEnum):
    """How the renewal of the workers went."""

    DONE = "done"
    FAILED = "failed"  # a new worker did not become ready; the old ones that were not yet replaced stay


class Crew:
    """A slot is the place of one worker; the one that serves there is its current one.

    Each worker has a task of `tasks` that looks after it, so the group ends when the last worker has.
    """

    def __init__(
        self,
        size: int,
        *,
        spawn: Callable[[int], Awaitable[WorkerProcess]],
        on_end: Callable[[WorkerProcess, Ending], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        """`spawn` starts a worker for a slot, or raises OSError. `on_end` is told of each that has ended."""
        self.size = size
        self._spawn = spawn
        self._on_end = on_end
        self._tasks = tasks
        self._current: dict[int, WorkerProcess] = {}
        self._alive: set[WorkerProcess] = set()  # the current ones, their successors, and those that drain
        self._young_ends = dict.fromkeys(range(size), 0)
        self._draining = asyncio.Event()
        self._ended = asyncio.Event()  # a worker has ended since this was last cleared

    def states(self) -> Mapping[str, int]:
        """Number of workers in each state."""
        counted = Counter(worker.state for worker in self._alive)
        return {state.value: counted[state] for state in State if state is not State.GONE}

    def is_complete(self) -> bool:
        """Whether every slot has a worker that is ready and whose loop turns."""
        ready = [worker for worker in self._current.values() if worker.state is State.READY and worker.beats()]
        return len(ready) == self.size

    def beats(self) -> bool:
        """Whether the loop of any worker turns. Single ones that do not are replaced by us, without systemd's help."""
        return any(worker.beats() for worker in self._alive)

    async def start(self) -> bool:
        """Start all; True once every one is ready, False as soon as one will never be or the crew is told to drain."""
        for slot in range(self.size):
            worker = await self._hire(slot)
            if worker is None:
                return False
            self._current[slot] = worker
        ready = [await worker.is_ready() for worker in list(self._current.values())]
        return all(ready)

    async def renew(self) -> Renewal:
        """Replace the workers one by one, each once its successor is ready."""
        for slot in range(self.size):
            await self._until_fewer_than(GENERATIONS * self.size)
            successor = await self._hire(slot)
            if successor is None or not await successor.is_ready():
                return Renewal.FAILED
            self._install(successor)
        return Renewal.DONE

    async def drain(self, progress: Callable[[int], None]) -> None:
        """Tell every worker to end and wait until all have; each is killed at its own deadline. `progress` is told how
        many are left, each time that changes."""
        self.hurry()
        while self._alive:
            progress(len(self._alive))
            await self._until_fewer_than(len(self._alive))

    def hurry(self) -> None:
        """Tell every worker to end; told again, they let only what is past the sender's final dot finish."""
        self._draining.set()
        for worker in self._alive:
            worker.drain()

    def kill(self) -> None:
        self._draining.set()
        for worker in self._alive:
            worker.kill()

    async def _hire(self, slot: int) -> WorkerProcess | None:
        """Start a worker and have it looked after; None where that is impossible or not wanted any more."""
        if self._draining.is_set():
            return None
        try:
            worker = await self._spawn(slot)
        except OSError as error:
            log.error("cannot start a worker: %s", error)
            return None
        self._alive.add(worker)
        self._tasks.create_task(self._look_after(worker))
        if self._draining.is_set():
            worker.drain()
        return worker

    async def _look_after(self, worker: WorkerProcess) -> None:
        ending = await worker.watch()
        self._alive.discard(worker)
        self._ended.set()
        self._on_end(worker, ending)
        if self._current.get(worker.slot) is worker:
            del self._current[worker.slot]
            if ending.cause is not Cause.DRAINED:
                await self._replace(worker)

    async def _replace(self, ended: WorkerProcess) -> None:
        """Put another in the place of one that ended by itself, after a pause that grows while they end young."""
        slot = ended.slot
        grown_up = time.monotonic() - ended.started > GROWN_UP
        self._young_ends[slot] = 0 if grown_up else self._young_ends[slot] + 1
        while not await self._drains_within(backoff(self._young_ends[slot])):
            if slot in self._current:  # a renewal was quicker
                return
            if worker := await self._hire(slot):
                self._install(worker)
                return
            self._young_ends[slot] += 1

    def _install(self, worker: WorkerProcess) -> None:
        """Make it the current one of its slot; the one before drains."""
        before = self._current.get(worker.slot)
        self._current[worker.slot] = worker
        if before:
            before.drain()

    async def _drains_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            return False
        return True

    async def _until_fewer_than(self, number: int) -> None:
        while len(self._alive) >= number:
            self._ended.clear()
            await self._ended.wait()


def backoff(young_ends: int) -> float:
    """Seconds to wait before the next worker, after so many in a row that ended young."""
    doublings = min(max(young_ends - 1, 0), 20)
    return min(FIRST_BACKOFF * 2.0**doublings, LONGEST_BACKOFF)
