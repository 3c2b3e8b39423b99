"""Ahead: a wave of checks asked before its answers are needed, so that DNS is asked while the client talks."""

import asyncio
from collections.abc import Collection

from gateway.checks.base import Subject
from gateway.checks.run import Answers, Wave, merged, run_check


class Ahead:
    """Checks under way, each in a task of its own, so that none is waited for because of another. Made inside a running
    event loop."""

    def __init__(self, wave: Wave, subject: Subject) -> None:
        loop = asyncio.get_running_loop()
        self._declared = wave.declared
        self._tasks = [loop.create_task(run_check(check, subject, wave.seconds)) for check in wave.checks]
        self._complete: Answers | None = None

    async def answers(self) -> Answers:
        """What all of them found."""
        await _all_of(self._tasks)
        return self.so_far

    async def tell(self, facts: Collection[str]) -> None:
        """Wait for those that declare one of the facts."""
        if self._complete is None:
            asked = zip(self._declared, self._tasks, strict=True)
            await _all_of([task for declared, task in asked if not declared.isdisjoint(facts)])

    @property
    def so_far(self) -> Answers:
        """What those found that have answered by now."""
        if self._complete is not None:
            return self._complete
        ended = [task for task in self._tasks if task.done()]
        answers = [task.result() for task in ended if not task.cancelled()]
        found = answers[0] if len(answers) == 1 else merged(answers)
        if len(ended) == len(self._tasks):
            self._complete = found
        return found

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _all_of(tasks: Collection["asyncio.Task[Answers]"]) -> None:
    """Each has its own deadline. Whoever stops waiting ends none of them."""
    if not all([task.done() for task in tasks]):  # noqa: C419  there are few, and a list is the faster
        await asyncio.wait(tasks)
