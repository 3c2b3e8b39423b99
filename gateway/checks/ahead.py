"""Ahead: a wave of checks asked before its answers are needed, so that DNS is asked while the client talks."""

import asyncio
from collections.abc import Collection

from gateway.checks.base import Check, Subject
from gateway.checks.run import Answers, Wave, ask_known, in_order, run_check


class Ahead:
    """Checks under way. Those that must wait do it in a task of their own each, so that none is waited for because of
    another. Made inside a running event loop."""

    def __init__(self, wave: Wave, subject: Subject) -> None:
        self._wave = wave
        self.so_far, left = ask_known(wave, subject)  # what those found that have answered by now
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the name of the check
        for check in left:
            self._tasks[check.name] = asyncio.get_running_loop().create_task(self._ask(check, subject))

    async def answers(self) -> Answers:
        """What all of them found."""
        if self._tasks:
            await _all_of(self._tasks.values())
        return self.so_far

    async def tell(self, facts: Collection[str]) -> None:
        """Wait for those that declare one of the facts."""
        if self._tasks:
            declared, asked = self._wave.declared, self._tasks.items()
            await _all_of([task for name, task in asked if not declared[name].isdisjoint(facts)])

    def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _ask(self, check: Check, subject: Subject) -> None:
        answer = await run_check(check, subject, self._wave.seconds)
        self.so_far = in_order(self._wave, self.so_far | answer)


async def _all_of(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Each has its own deadline. Whoever stops waiting ends none of them."""
    under_way = [task for task in tasks if not task.done()]
    if under_way:
        await asyncio.wait(under_way)
