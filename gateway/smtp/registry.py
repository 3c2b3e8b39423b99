"""Sessions: the open sessions of a worker and the messages that are whole, admitted within the limits of the host, and
drained."""

import asyncio
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from gateway.connection import Role
from gateway.reply import Reply
from gateway.smtp import replies
from gateway.smtp.admission import Admission, Limit, Place
from gateway.smtp.processing import ENDLESS, Bounds, Processing
from gateway.smtp.settings import SessionSettings
from gateway.system.board import Region
from gateway.system.hostcounts import HostCounts

RESERVE = 64  # connections beyond max_connections that our own hosts and relay partners may have before all must wait
SHORTAGE = 60.0  # seconds after the system had no descriptor for a client in which fewer clients are let in
UNBOUNDED = Bounds()
NOWHERE = Place(())  # of a session whose client was turned away


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

    def turned_away(self, limit: str) -> None: ...


class Sessions:
    """The open sessions of one worker."""

    def __init__(
        self,
        settings: SessionSettings,
        region: Region,
        *,
        messages: Bounds = UNBOUNDED,
        room: int = ENDLESS,
        watcher: Watcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`messages` bounds those that are whole, `room` the connections that this one has
        descriptors for. `watcher` is told of each connection. `clock` gives monotonic seconds."""
        self._most = settings.max_connections
        self._admission = Admission(settings, HostCounts(region))
        self._processing = Processing(region, messages)
        self._room = self._full_room = room
        self._short_until = 0.0
        self._clock = clock
        self._watcher = watcher
        self._open: dict[Draining, Place] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.is_draining = False

    @property
    def connections(self) -> int:
        return len(self._open)

    @property
    def messages(self) -> int:
        """Those whose final dot we have, and a place for: they always finish."""
        return self._processing.under_way

    @property
    def is_crowded(self) -> bool:
        """More than half of the connections that the host may have are open."""
        return 2 * self._admission.connections > self._most

    @property
    def has_room(self) -> bool:
        """Whether one more connection can be had, whoever's it is: what is not accepted waits in the kernel."""
        if self._short_until and self._clock() >= self._short_until:
            self._short_until, self._room = 0.0, self._full_room
        return len(self._open) < self._room and self._admission.connections < self._most + RESERVE

    def run_short(self) -> None:
        """There are too few descriptors for those who are here: each needs more, to hand on its mail. For a while half
        as many are let in; else all might come again for ever, and none be served."""
        self._room = max(1, len(self._open) // 2)
        self._short_until = self._clock() + SHORTAGE

    def admit(self, ip: IPv4Address | IPv6Address, role: Role) -> Place | Reply:
        """A place for a client at this address, or what to tell it: then no session need be made for it."""
        if self.is_draining:
            return replies.SHUTTING_DOWN
        place = self._admission.admit(ip, role)
        return self._turn_away(place) if isinstance(place, Limit) else place

    def enter(self, session: Draining, place: Place) -> None:
        """The place is that of this session from now on."""
        self._open[session] = place
        if self._watcher:
            self._watcher.connection_opened()

    def serve_another(self, session: Draining, ip: IPv4Address | IPv6Address, role: Role) -> Reply | None:
        """The session is that of a client at this address from now on, unless there is a reply that says why not."""
        self._admission.leave(self._open[session])
        place = self.admit(ip, role)
        self._open[session] = NOWHERE if isinstance(place, Reply) else place
        return place if isinstance(place, Reply) else None

    def leave(self, session: Draining) -> None:
        """Safe to call twice."""
        place = self._open.pop(session, None)
        if place is None:
            return
        self._admission.leave(place)
        if self._watcher:
            self._watcher.connection_closed()
        if not self._open:
            self._empty.set()

    def busy(self) -> Reply | None:
        """What to tell a client that wants to bring a message where it could not even wait."""
        return self._turn_away(Limit.MESSAGES) if self._processing.is_full else None

    async def begin_message(self, client: str) -> Reply | None:
        """A message is whole: it is processed to its end, unless there is a reply that says why not. `client` names
        whose turn it is."""
        return None if await self._processing.begin(client) else self._turn_away(Limit.MESSAGES)

    def end_message(self) -> None:
        self._processing.end()

    async def drain(self, seconds: float) -> None:
        """Let no transaction begin; wait for those under way, after `seconds` only for messages past their final dot.

        Their own deadlines bound that wait. Close the listening sockets first: a new connection is answered 421.
        """
        self.is_draining = True
        if self._open:
            self._empty.clear()
        for session in tuple(self._open):
            session.retire()
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            for session in tuple(self._open):
                session.cut()
            await self._empty.wait()

    def _turn_away(self, limit: Limit) -> Reply:
        if self._watcher:
            self._watcher.turned_away(limit.value)
        return limit.reply
