"""Sessions: counts the open sessions of a worker and the messages past their final dot, and drains them."""

import asyncio
from typing import Protocol


class Draining(Protocol):
    """What a session must be able to do for the worker to come to rest."""

    def retire(self) -> None:
        """Say goodbye if nothing is under way; else do so after the transaction."""
        ...

    def cut(self) -> None:
        """Say goodbye now, unless a message is past its final dot: that one is finished first."""
        ...


class Watcher(Protocol):
    """Who counts connections."""

    def connection_opened(self) -> None: ...

    def connection_closed(self) -> None: ...


class Sessions:
    """The open sessions of one worker. `messages` counts those whose final dot we have: they always finish."""

    def __init__(self, *, limit: int, watcher: Watcher | None = None) -> None:
        """`limit` bounds what strangers can make one worker hold. `watcher` is told of each connection."""
        self._limit = limit
        self._watcher = watcher
        self._open: set[Draining] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.messages = 0
        self.is_draining = False

    @property
    def connections(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        return len(self._open) >= self._limit

    def enter(self, session: Draining) -> None:
        self._open.add(session)
        self._empty.clear()
        if self._watcher:
            self._watcher.connection_opened()

    def leave(self, session: Draining) -> None:
        """Safe to call twice."""
        if session not in self._open:
            return
        self._open.remove(session)
        if self._watcher:
            self._watcher.connection_closed()
        if not self._open:
            self._empty.set()

    async def drain(self, seconds: float) -> None:
        """Let no transaction begin; wait for those under way, after `seconds` only for messages past their final dot.

        Their own deadlines bound that wait. Close the listening sockets first: a new connection is answered 421.
        """
        self.is_draining = True
        for session in tuple(self._open):
            session.retire()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            for session in tuple(self._open):
                session.cut()
            await self._empty.wait()
