"""Teacher: tells every spamd what a message is, and keeps count of what each has done.

Each has a database of its own, or a part in a shared one, which finds the message known already. One lesson at a time
at a host: it writes one at a time, and its children are there for mail.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from gateway.scoring.client import Patience, Spamd
from gateway.scoring.exchange import Payload
from gateway.scoring.failure import Failure, Fault
from gateway.scoring.hosts import SpamdHost, parse_address
from gateway.scoring.lesson import Lesson, Told

MAX_FAILURES = 3  # in a row; then a host is not told any more
_HOPELESS = frozenset({Fault.UNREACHABLE, Fault.SHORTAGE})  # it would be the same with the next message


class Progress(Struct, frozen=True, kw_only=True):
    """What one spamd has done with the messages so far."""

    address: str
    changed: int
    unchanged: int
    failed: int  # with those that it was not told because it had been given up
    reason: str  # why it failed first, and what to do; "" where it has not


class Teacher:
    def __init__(self, hosts: Sequence[SpamdHost], *, patience: Patience, user: str) -> None:
        self._pupils = [Pupil(host.address, Spamd(parse_address(host.address), patience, user)) for host in hosts]

    async def begin(self) -> None:
        """Find out who takes lessons at all."""
        await asyncio.gather(*(pupil.begin() for pupil in self._pupils))

    async def tell(self, lesson: Lesson, message: Payload) -> None:
        await asyncio.gather(*(pupil.tell(lesson, message) for pupil in self._pupils))

    def progress(self) -> list[Progress]:
        return [pupil.progress for pupil in self._pupils]


class Pupil:
    """One spamd that is told."""

    def __init__(self, address: str, spamd: Spamd) -> None:
        self._address = address
        self._spamd = spamd
        self._done: Counter[Told] = Counter()
        self._failed = 0
        self._in_a_row = 0
        self._reason = ""
        self._given_up = False

    async def begin(self) -> None:
        if failure := await self._spamd.takes_lessons():
            self._reason = _advice(failure)
            self._given_up = True

    async def tell(self, lesson: Lesson, message: Payload) -> None:
        outcome = None if self._given_up else await self._spamd.tell(lesson, message)
        if isinstance(outcome, Told):
            self._done[outcome] += 1
            self._in_a_row = 0
            return
        self._failed += 1
        if outcome:
            self._in_a_row += 1
            self._reason = self._reason or _advice(outcome)
            self._given_up = outcome.fault in _HOPELESS or self._in_a_row >= MAX_FAILURES

    @property
    def progress(self) -> Progress:
        return Progress(
            address=self._address,
            changed=self._done[Told.CHANGED],
            unchanged=self._done[Told.UNCHANGED],
            failed=self._failed,
            reason=self._reason,
        )


def _advice(failure: Failure) -> str:
    if failure.fault is Fault.REFUSED and "--allow-tell" in failure.reason:
        return "it takes no lessons: start it as `spamd --allow-tell`"
    if failure.fault is Fault.BROKEN:
        return f"{failure}; a spamd that does not allow this address (--allowed-ips) does so"
    return str(failure)
