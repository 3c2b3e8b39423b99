"""Effort: what a piece of work costs, counted in lines of Python that it runs, or measured in a process of its own.

Lines are the same on every machine and at every load. What is done in C has no lines: for that the work is run at full
size under limits on CPU time and memory, so wide that only growth of another order can pass them.
"""

import asyncio
import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

Work = Callable[[], object]

MIB = 1 << 20
WAIT = 300.0  # seconds of a child that is neither done nor killed by its limits: then it waits for something


def lines_run(work: Work) -> int:
    """How many lines of Python `work` runs."""
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # finalizers and callbacks of the collector, such as Hypothesis has, are lines of others
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return lines


def growth(lines: Callable[[int], int], size: int) -> float:
    """How the lines grow from one size to four times it, what does not grow left out: 3 for linear work, 5 for
    quadratic, less where a limit is reached."""
    lines(size)  # what is done only once is not counted
    one, two, four = (lines(size * times) for times in (1, 2, 4))
    return (four - one) / max(two - one, one / 10, 1)


def cpu_milliseconds(work: Work) -> float:
    gc.collect()
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1e3


@dataclass(frozen=True, slots=True)
class OnLoop:
    """Work on an event loop; `begin` gives it anew each time."""

    begin: Callable[[], Coroutine[Any, Any, None]]

    def __call__(self) -> None:
        asyncio.run(self.begin())


async def longest_turn(begin: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """For how many milliseconds of CPU time the loop has no turn, at most, until what `begin` gives is done."""
    turns: list[float] = []

    async def watch() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            turns.append(time.thread_time() - began)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await begin()
    await asyncio.sleep(0)
    watcher.cancel()
    return max(turns) * 1e3


@dataclass(frozen=True, slots=True)
class Spent:
    """What a child used: CPU time, and memory beyond what it had before."""

    milliseconds: float
    mebibytes: float


def run_within(prepare: Callable[..., Work], *arguments: Any, milliseconds: float, mebibytes: int) -> Spent:
    """Run what `prepare(*arguments)` gives, in a child that is killed when it has used so much CPU time, and that can
    have no more memory. Raises AssertionError where it does not come to its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([prepare.__module__])
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(theirs, prepare, arguments, milliseconds, mebibytes))
    child.start()
    theirs.close()
    try:
        spent = ours.recv() if ours.poll(WAIT) else None
    except EOFError:
        spent = None
    child.kill()
    child.join()
    assert isinstance(spent, Spent), f"not done within {milliseconds:.0f} ms of CPU time: {spent or child.exitcode}"
    return spent


def _run(parent: Connection, prepare: Callable[..., Work], arguments: Any, milliseconds: float, mebibytes: int) -> None:
    work = prepare(*arguments)
    before = _peak()
    _limit(resource.RLIMIT_AS, _address_space() + mebibytes * MIB)
    _limit(resource.RLIMIT_CPU, int(time.process_time() + milliseconds / 1e3) + 1)
    try:
        spent = Spent(cpu_milliseconds(work), (_peak() - before) / MIB)
    except Exception as error:  # noqa: BLE001  the parent fails its test with it
        parent.send(repr(error)[:500])
    else:
        parent.send(spent)


def _limit(what: int, value: int) -> None:
    resource.setrlimit(what, (value, resource.getrlimit(what)[1]))


def _peak() -> int:
    """Octets of memory at most, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
