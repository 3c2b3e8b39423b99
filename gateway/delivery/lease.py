"""Lease: the session that one transaction has of a pool: taken, replaced when found dead, held for a while, given
back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from gateway.delivery import commands
from gateway.delivery.client import Client
from gateway.delivery.outcome import Failure
from gateway.delivery.pool import Pool
from gateway.delivery.wire import Broken
from gateway.system.watchdog import NEVER

T = TypeVar("T")

# A session that served before and ends so was left by its server in the meantime; nothing is wrong with the
# transaction.
_FOUND_DEAD = frozenset({Failure.LOST, Failure.CLOSING})


class Lessor(Protocol):
    """Whose sessions they are."""

    @property
    def pool(self) -> Pool: ...

    @property
    def hold(self) -> float:
        """Seconds for which a session is kept while its sender is not done."""
        ...

    def turn_of(self, client: commands.Client) -> str:
        """Whose turn it is where sessions are waited for."""
        ...

    def prepare(self, client: commands.Client, session: Client) -> Awaitable[None] | None:
        """What is to be done with a new session before its first use. One that needs it serves no other client."""
        ...


class Lease:
    """At most one session at a time."""

    __slots__ = ("_client", "_held", "_lessor", "_pool", "_until", "session")

    def __init__(self, lessor: Lessor, client: commands.Client) -> None:
        self._lessor = lessor
        self._pool = lessor.pool
        self._client = client
        self._until = 0.0  # when the session is given back if its sender is not done, in the loop's time
        self._held = False
        self.session: Client | None = None

    async def run(self, work: Callable[[Client], Awaitable[T]], *, within: float = NEVER) -> T:
        """Do the work on a session, which is broken off after so many seconds. One that served before and is found dead
        is replaced, and the work done anew: to the sender it never happened, since the final dot was not sent. Raises
        Broken, and TimeoutError where there is no session by then."""
        session = self.session or self._take_idle()
        if session is not None:
            ends = session.now() + within
        else:
            ends, take = asyncio.get_running_loop().time() + within, self._pool.take
            session = await (self._take(take) if ends == NEVER else self._take_before(ends, take))
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
        session = self.session
        if session is None:
            return
        self._held = self._held or self._pool.hold()
        if self._held and session.usable and self._until > session.now():
            session.limit(self._until, self.release)
        else:
            self.release()

    def unhold(self) -> None:
        """Nobody is waited for any more: another session may be held in place of this one."""
        if self._held:
            self._held = False
            self._pool.unhold()

    def release(self) -> None:
        """Give the session back in whatever state it is. Safe to call twice."""
        session, self.session = self.session, None
        if session is not None:
            self.unhold()
            session.limit(NEVER)
            self._pool.give_back(session)

    def _take_idle(self) -> Client | None:
        """One that served before: there is nothing to prepare."""
        session = self._pool.take_idle()
        return session and self._have(session)

    def _have(self, session: Client) -> Client:
        self.session = session
        self._until = session.now() + self._lessor.hold
        return session

    async def _take_before(self, ends: float, take: Callable[[str], Awaitable[Client]]) -> Client:
        async with asyncio.timeout_at(ends):
            return await self._take(take)

    async def _take(self, take: Callable[[str], Awaitable[Client]]) -> Client:
        session = self._have(await take(self._lessor.turn_of(self._client)))
        try:
            if (preparing := self._lessor.prepare(self._client, session)) is not None:
                await preparing
        except BaseException:
            self.release()  # what is asked next must not go over a session that is not prepared
            raise
        return session
