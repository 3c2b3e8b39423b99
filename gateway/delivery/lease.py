"""Lease: the session that one transaction has of a pool: taken, replaced when found dead, held for a while, given
back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.delivery.client import Client
from gateway.delivery.outcome import Failure
from gateway.delivery.pool import Pool
from gateway.delivery.wire import Broken
from gateway.system.watchdog import NEVER

T = TypeVar("T")

# A session that served before and ends so was left by its server in the meantime; nothing is wrong with the
# transaction.
_FOUND_DEAD = frozenset({Failure.LOST, Failure.CLOSING})


class Lease:
    """At most one session at a time. `client` names whose turn it is where they are waited for; `prepare` is done with
    each before its first use; `hold` is in seconds."""

    def __init__(
        self, pool: Pool, *, client: str, hold: float, prepare: Callable[[Client], Awaitable[None] | None]
    ) -> None:
        self._pool = pool
        self._client = client
        self._patience = hold
        self._prepare = prepare
        self._until = 0.0  # when the session is given back if its sender is not done, in the loop's time
        self._held = False
        self.session: Client | None = None

    async def run(self, work: Callable[[Client], Awaitable[T]], *, ends: float = NEVER) -> T:
        """Do the work on a session, which is broken off when it ends, in the loop's time. One that served before and is
        found dead is replaced, and the work done anew: to the sender it never happened, since the final dot was not
        sent. Raises Broken, and TimeoutError where there is no session by then."""
        take = self._pool.take
        session = self.session or await (self._take(take) if ends == NEVER else self._take_before(ends, take))
        session.limit(ends)
        try:
            return await work(session)
        except Broken as broken:
            if session.is_fresh or session.committed or broken.failure not in _FOUND_DEAD:
                raise
        self.release()
        session = await self._take_before(ends, self._pool.take_new)
        session.limit(ends)
        return await work(session)

    def hold(self) -> None:
        """Keep the session for what may follow soon, if the pool can do without it and it was not kept too long."""
        if self.session is None:
            return
        self._held = self._held or self._pool.hold()
        if self._held and self.session.usable and self._until > self.session.now():
            self.session.limit(self._until, self.release)
        else:
            self.release()

    def unhold(self) -> None:
        """Nobody is waited for any more: another session may be held in place of this one."""
        if self._held:
            self._held = False
            self._pool.unhold()

    def release(self) -> None:
        """Give the session back in whatever state it is. Safe to call twice."""
        self.unhold()
        if self.session is not None:
            session, self.session = self.session, None
            session.limit(NEVER)
            self._pool.give_back(session)

    async def _take_before(self, ends: float, take: Callable[[str], Awaitable[Client]]) -> Client:
        async with asyncio.timeout_at(ends):
            return await self._take(take)

    async def _take(self, take: Callable[[str], Awaitable[Client]]) -> Client:
        self.session = session = await take(self._client)
        self._until = session.now() + self._patience
        try:
            if (preparing := self._prepare(session)) is not None:
                await preparing
        except BaseException:
            self.release()  # what is asked next must not go over a session that is not prepared
            raise
        return session
