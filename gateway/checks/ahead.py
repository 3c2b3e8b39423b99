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
        self._asked = [
            (frozenset(fact.name for fact in check.facts), loop.create_task(run_check(check, subject, wave.seconds)))
            for check in wave.checks
        ]

    async def answers(self) -> Answers:
        """What all of them found."""
        await _all_of([task for _, task in self._asked])
        return self.so_far

    async def tell(self, facts: Collection[str]) -> None:
        """Wait for those that declare one of the facts."""
        await _all_of([task for declared, task in self._asked if not declared.isdisjoint(facts)])

    @property
    def so_far(self) -> Answers:
        """What those found that have answered by now."""
        return merged(task.result() for _, task in self._asked if task.done() and not task.cancelled())

    def cancel(self) -> None:
        for _, task in self._asked:
            task.cancel()


async def _all_of(tasks: Collection["asyncio.Task[Answers]"]) -> None:
    """Each has its own deadline. Whoever stops waiting ends none of them."""
    if any(not task.done() for task in tasks):
        await asyncio.wait(tasks)
