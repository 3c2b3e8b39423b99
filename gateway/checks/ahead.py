"""Ahead: a wave of checks asked before its answers are needed, so that DNS is asked while the client talks."""

import asyncio
from collections.abc import Collection

from gateway.checks.base import Check, Subject
from gateway.checks.run import NO_ANSWERS, Answers, Wave, ask_known, gathered, run_check


class Ahead:
    """Checks under way. Those that must wait do it in a task of their own each, so that none is waited for because of
    another. Made inside a running event loop."""

    def __init__(self, wave: Wave, subject: Subject) -> None:
        self._declared = wave.declared
        self._found = ask_known(wave, subject)  # of each check; None while it is under way
        self.so_far = gathered(self._found, NO_ANSWERS)  # what those found that have answered by now
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by the number of the check
        for number, found in enumerate(self._found):
            if found is None:
                asking = self._ask(number, wave.checks[number], subject, wave.seconds)
                self._tasks[number] = asyncio.get_running_loop().create_task(asking)

    async def answers(self) -> Answers:
        """What all of them found."""
        if self._tasks:
            await _all_of(self._tasks.values())
        return self.so_far

    async def tell(self, facts: Collection[str]) -> None:
        """Wait for those that declare one of the facts."""
        if self._tasks:
            asked = self._tasks.items()
            await _all_of([task for number, task in asked if not self._declared[number].isdisjoint(facts)])

    def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _ask(self, number: int, check: Check, subject: Subject, seconds: float) -> None:
        self._found[number] = await run_check(check, subject, seconds)
        self.so_far = gathered(self._found, NO_ANSWERS)


async def _all_of(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Each has its own deadline. Whoever stops waiting ends none of them."""
    under_way = [task for task in tasks if not task.done()]
    if under_way:
        await asyncio.wait(under_way)
