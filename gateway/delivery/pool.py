"""Pool: the sessions of one route, kept for the next transaction, and opened to the first of its hosts that answers.

Their number is bounded for the host: an open session has a place there, also while it waits for work. Where another
worker waits for a place, one without work gives way.
"""

import asyncio
import time

from msgspec import Struct

from gateway.delivery.client import Client, Terms, open_client
from gateway.delivery.endpoint import Endpoint
from gateway.delivery.learned import Learned
from gateway.delivery.outcome import Failure
from gateway.delivery.wire import Broken
from gateway.system.board import Region
from gateway.system.hostcounts import HostCounts, Places
from gateway.system.hostmark import HostMark
from gateway.system.line import Line, Refusal

LOOK = 0.05  # seconds between two looks at what has no work here: does another worker wait for it, is its time up?


class Bounds(Struct, frozen=True):
    """How many sessions there may be, and how long one is used. Times are seconds."""

    connections: int  # in all, of the host
    held: int  # of them, by transactions whose sender is not done with RCPT
    wait: float  # for a connection of another transaction, where all are in use
    idle: float  # before a session without work is closed
    age: float  # before a session is not used again
    messages: int  # before a session is not used again
    dead: float  # during which a host that could not be reached is asked last


class Pool:
    """Whoever takes a session gives it back, in whatever state it is. Idle ones wait in the order of their use."""

    def __init__(
        self, endpoints: tuple[Endpoint, ...], terms: Terms, bounds: Bounds, *, name: str, region: Region
    ) -> None:
        """`name` is the route's: the pools of that name share their places, each in its worker's `region`."""
        self._endpoints = endpoints
        self._terms = terms
        self._bounds = bounds
        self._idle: dict[Client, float] = {}  # until when each is kept; the last was used last
        counts = HostCounts(region)
        self._places = Places(counts, f"connections of route {name}", bounds.connections)
        holds = Places(counts, f"held by route {name}", bounds.held)
        self.hold = holds.take  # asks to keep a session while a sender makes up its mind; false where too many do so
        self.unhold = holds.leave
        self._line = Line[Client | Places](region, f"route {name}")
        self._dead = {endpoint: HostMark(region, str(endpoint)) for endpoint in endpoints}
        self._next_look: asyncio.TimerHandle | None = None
        self._closed = False
        self.learned = Learned(endpoints, terms)

    def take_idle(self) -> Client | None:
        """A session that waits, where nobody's turn is before."""
        return None if self._line.is_awaited else self._idle_session()

    async def take(self, client: str) -> Client:
        """A session that waits, else a new one. `client` names whose turn it is where all are in use. Raises Broken."""
        got = await self._line.wait(
            self._idle_or_place, client=client, wants="a session", seconds=self._bounds.wait, undo=self._put_back
        )
        return got if isinstance(got, Client) else await self._open(got)

    async def take_new(self, client: str) -> Client:
        """A session of its own, after one that waited was found dead: the others are as old, and go. Raises Broken."""
        self._drop_idle()
        got = await self._line.wait(
            self._place, client=client, wants="a place", seconds=self._bounds.wait, undo=self._put_back
        )
        assert not isinstance(got, Client)
        return await self._open(got)

    def give_back(self, client: Client) -> None:
        """End the use of a session: it is kept if it can serve again, else closed."""
        now = time.monotonic()
        if self._closed or not client.usable or client.is_personal or self._is_spent(client, now):
            return self._close(client)
        if client.in_transaction:
            client.reset()
        self._idle[client] = now + self._bounds.idle
        self._line.released()
        return self._give_way()

    def close(self) -> None:
        """Close what waits now, and each session that is in use when it comes back."""
        self._closed = True
        self._drop_idle()

    def _idle_or_place(self) -> Client | Places | None:
        return self._idle_session() or self._place()

    def _idle_session(self) -> Client | None:
        while self._idle:
            client, _ = self._idle.popitem()
            if client.usable:
                return client
            client.close()
            self._places.leave()
        return None

    def _place(self) -> Places | None:
        return self._places if self._places.take() else None

    def _put_back(self, got: Client | Places) -> None:
        """Of a transaction that was given up while it waited."""
        if isinstance(got, Client):
            return self.give_back(got)
        got.leave()
        return self._line.released()

    async def _open(self, got: Places | Refusal) -> Client:
        """Open a session in the place that is held; it is free again when that fails."""
        if isinstance(got, Refusal):
            raise Broken(Failure.BUSY, f"all {self._bounds.connections} connections are in use")
        try:
            return await self._open_first()
        except BaseException:
            self._put_back(got)
            raise

    async def _open_first(self) -> Client:
        last = Broken(Failure.UNREACHABLE, "the route has no host")
        for endpoint in self._in_order():
            try:
                client = await open_client(endpoint, self._terms)
            except Broken as broken:
                self._dead[endpoint].leave_alone(time.monotonic(), self._bounds.dead)
                last = Broken(broken.failure, f"{endpoint}: {broken}")
            else:
                self._dead[endpoint].is_well(time.monotonic())
                self.learned.note(endpoint, client.capabilities)
                return client
        raise last

    def _in_order(self) -> list[Endpoint]:
        """The hosts in the route's order; those lately found dead come last, since they may be all there is."""
        now = time.monotonic()
        return sorted(self._endpoints, key=lambda endpoint: self._dead[endpoint].retry_at > now)

    def _is_spent(self, client: Client, now: float) -> bool:
        bounds = self._bounds
        return client.tired or client.messages >= bounds.messages or now - client.born >= bounds.age

    def _drop_idle(self) -> None:
        while self._idle:
            client, _ = self._idle.popitem()
            self._close(client)

    def _drop_expired(self) -> None:
        now = time.monotonic()
        while self._idle and next(iter(self._idle.values())) <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._idle))
        del self._idle[oldest]
        self._close(oldest)

    def _close(self, client: Client) -> None:
        client.close()
        self._places.leave()
        self._line.released()

    def _give_way(self) -> None:
        """Close a session without work where another worker waits for its place, and look again as long as there are
        any. One that has as many gets them back itself, unless it waits for long: under load they would else be closed
        here and opened there all the time."""
        line = self._line
        if self._idle and line.is_awaited_elsewhere and (self._places.are_most_here or line.is_awaited_long_elsewhere):
            self._drop_oldest()
        if self._idle and self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        self._next_look = None
        self._drop_expired()
        self._give_way()
