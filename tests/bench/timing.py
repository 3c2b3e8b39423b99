"""CPU time of what runs in this process: several things in turn, round after round, since a machine's speed varies."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Batch = Callable[[int], object]  # does something so many times


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much a benchmark does: how many rounds, and in each which share of its usual calls or seconds."""

    rounds: int
    share: float

    def calls(self, usual: int) -> int:
        return max(int(usual * self.share), 1)

    def seconds(self, usual: float) -> float:
        return usual * self.share


FULL = Effort(rounds=7, share=1.0)
QUICK = Effort(rounds=3, share=0.1)


@dataclass(frozen=True, slots=True)
class Task:
    """What is timed, and how often it is done in a round."""

    batch: Batch
    calls: int


def calling(call: Callable[[], object]) -> Batch:
    def batch(times: int) -> None:
        for _ in range(times):
            call()

    return batch


def awaiting(runner: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Batch:
    async def repeat(times: int) -> None:
        for _ in range(times):
            await call()

    return lambda times: runner.run(repeat(times))


def alternate(effort: Effort, **tasks: Task) -> Mapping[str, tuple[float, ...]]:
    """Milliseconds of CPU that one call of each takes, by round. What is done only once is done before the first."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task.batch(1)
    for _ in range(effort.rounds):
        for name, task in tasks.items():
            times[name].append(_milliseconds(task.batch, effort.calls(task.calls)))
    return {name: tuple(values) for name, values in times.items()}


def alone(effort: Effort, task: Task) -> tuple[float, ...]:
    return alternate(effort, task=task)["task"]


def _milliseconds(batch: Batch, calls: int) -> float:
    gc.collect()
    began = time.process_time()
    batch(calls)
    return (time.process_time() - began) / calls * 1e3
