"""Pool: the sessions of one route, kept for the next transaction, and opened to the first of its hosts that answers."""

import asyncio
from dataclasses import dataclass

from gateway.delivery.client import Client, Terms, open_client
from gateway.delivery.endpoint import Endpoint
from gateway.delivery.outcome import Failure
from gateway.delivery.wire import Broken


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many sessions there may be, and how long one is used. Times are seconds."""

    connections: int  # in all, of this process
    held: int  # of them, by transactions whose sender is not done with RCPT
    wait: float  # for a connection of another transaction, where all are in use
    idle: float  # before a session without work is closed
    age: float  # before a session is not used again
    messages: int  # before a session is not used again
    dead: float  # during which a host that could not be reached is asked last


class Pool:
    """Whoever takes a session gives it back, in whatever state it is. Idle ones wait in the order of their use."""

    def __init__(self, endpoints: tuple[Endpoint, ...], terms: Terms, bounds: Bounds) -> None:
        self._endpoints = endpoints
        self._terms = terms
        self._bounds = bounds
        self._idle: dict[Client, asyncio.TimerHandle] = {}  # the last one was used last
        self._slots = asyncio.Semaphore(bounds.connections)
        self._dead: dict[Endpoint, float] = {}  # until when
        self._held = 0
        self._closed = False

    async def take(self) -> Client:
        """A session that waits, else a new one. Raises Broken."""
        await self._take_slot()
        while self._idle:
            client, expiry = self._idle.popitem()
            expiry.cancel()
            if client.usable:
                return client
            client.close()
        return await self._open()

    async def take_new(self) -> Client:
        """A session of its own, after one that waited was found dead: the others are as old, and go. Raises Broken."""
        await self._take_slot()
        self._drop_idle()
        return await self._open()

    def give_back(self, client: Client) -> None:
        """End the use of a session: it is kept if it can serve again, else closed."""
        self._slots.release()
        if self._closed or not client.usable or client.is_personal or self._is_spent(client):
            client.close()
            return
        if client.in_transaction:
            client.reset()
        expiry = asyncio.get_running_loop().call_later(self._bounds.idle, self._expire, client)
        self._idle[client] = expiry

    def hold(self) -> bool:
        """Ask to keep a session while a sender makes up its mind; false where too many do so already."""
        granted = self._held < self._bounds.held
        self._held += granted
        return granted

    def unhold(self) -> None:
        self._held -= 1

    def close(self) -> None:
        """Close what waits now, and each session that is in use when it comes back."""
        self._closed = True
        self._drop_idle()

    async def _take_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._bounds.wait):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Broken(Failure.BUSY, f"all {self._bounds.connections} connections are in use") from error

    async def _open(self) -> Client:
        """Open a session in the slot that is held; the slot is free again when that fails."""
        try:
            return await self._open_first()
        except BaseException:
            self._slots.release()
            raise

    async def _open_first(self) -> Client:
        last = Broken(Failure.UNREACHABLE, "the route has no host")
        for endpoint in self._in_order():
            try:
                client = await open_client(endpoint, self._terms)
            except Broken as broken:
                self._dead[endpoint] = self._now() + self._bounds.dead
                last = Broken(broken.failure, f"{endpoint}: {broken}")
            else:
                self._dead.pop(endpoint, None)
                return client
        raise last

    def _in_order(self) -> list[Endpoint]:
        """The hosts in the route's order; those lately found dead come last, since they may be all there is."""
        now = self._now()
        return sorted(self._endpoints, key=lambda endpoint: self._dead.get(endpoint, 0.0) > now)

    def _is_spent(self, client: Client) -> bool:
        bounds = self._bounds
        return client.tired or client.messages >= bounds.messages or self._now() - client.born >= bounds.age

    def _expire(self, client: Client) -> None:
        if self._idle.pop(client, None):
            client.close()

    def _drop_idle(self) -> None:
        while self._idle:
            client, expiry = self._idle.popitem()
            expiry.cancel()
            client.close()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
