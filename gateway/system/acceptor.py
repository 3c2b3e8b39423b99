"""Acceptor: accepts connections at a listening socket while there is room for them; all others wait in the kernel.

The loops' own servers do not serve here: without a descriptor left, asyncio's writes a trace for each connection that
waits, and uvloop's closes them without a word.
"""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any, Protocol

from gateway.system.reticence import Reticence
from gateway.system.rota import Rota

BATCH = 16  # connections accepted in one turn of the loop, before it looks after those it has
PAUSE = 0.05  # seconds until it is looked again whether there is room
RECOVERY = 1.0  # seconds after an error of the system; descriptors do not come back sooner by asking for them

log = logging.getLogger(__name__)


class Session(Protocol):
    """Who serves a connection."""

    async def begin(self, client: socket.socket) -> None:
        """Take it over. One that is gone before it has begun is closed."""
        ...


class Door(Protocol):
    """Who decides about connections."""

    @property
    def has_room(self) -> bool:
        """Whether one more may be accepted at all."""
        ...

    def run_short(self) -> None:
        """The system had nothing left for a client."""
        ...

    def caller(self, peer: Any) -> Any:
        """Who a client at this address is; None where the connection itself must say so first."""
        ...

    async def introduced(self, client: socket.socket, peer: Any) -> Any:
        """Who it says; None where it does not in due form, and is closed without a word."""
        ...

    def let_in(self, caller: Any) -> Session | bytes:
        """Who serves this caller, or what it is told in place of that."""
        ...


class Client(socket.socket):
    """An accepted connection. Its family and type are plain numbers: Python's own sockets look up a member of an enum
    each time somebody asks, and for every connection that costs more than to accept it."""

    family = socket.SocketType.family  # type: ignore[assignment]
    type = socket.SocketType.type  # type: ignore[assignment]


class Acceptor:
    """One listening socket, which it closes in the end. Other processes may listen at the same."""

    def __init__(self, sock: socket.socket, door: Door) -> None:
        """Begins to accept. Inside a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._door = door
        self._tasks: set[asyncio.Task[None]] = set()
        self._resumption: asyncio.TimerHandle | None = None
        self._reticence = Reticence()
        self._rota = Rota(sock, self._accept_some)
        self._resume()

    def close(self) -> None:
        """Safe to call twice."""
        if self._resumption is not None:
            self._resumption.cancel()
        elif self._socket.fileno() >= 0:
            self._rota.end()
        self._socket.close()

    def _resume(self) -> None:
        self._resumption = None
        self._rota.begin()

    def _pause(self, seconds: float, why: str) -> None:
        self._rota.end()
        self._resumption = self._loop.call_later(seconds, self._resume)
        if self._reticence.may_tell_of(why):
            log.warning("connections wait to be accepted: %s", why)

    def _accept_some(self) -> None:
        for _ in range(BATCH):
            if not self._door.has_room:
                return self._pause(PAUSE, "there is room for no more")
            try:
                client, peer = self._accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker had it, or it is gone
                return None
            except OSError as error:
                self._door.run_short()
                return self._pause(RECOVERY, error.strerror or str(error))
            self._rota.accepted()
            self._receive(client, peer)
        return None

    def _accept(self) -> tuple[Client, Any]:
        """As accept() of the standard library does it, which knows its own class alone."""
        fd, peer = self._socket._accept()  # type: ignore[attr-defined]
        return Client(*self._kind, fileno=fd), peer

    def _receive(self, client: socket.socket, peer: Any) -> None:
        caller = self._door.caller(peer)
        if caller is None:
            self._start(self._introduce(client, peer))
        else:
            self._let_in(client, caller)

    async def _introduce(self, client: socket.socket, peer: Any) -> None:
        client.settimeout(0)  # for the others their transport does so
        caller = await self._door.introduced(client, peer)
        if caller is None:
            client.close()
        else:
            self._let_in(client, caller)

    def _let_in(self, client: socket.socket, caller: Any) -> None:
        session = self._door.let_in(caller)
        if isinstance(session, bytes):
            _part(client, session)
        else:
            self._start(session.begin(client))

    def _start(self, service: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(service)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _part(client: socket.socket, farewell: bytes) -> None:
    with client:
        try:
            client.send(farewell, socket.MSG_DONTWAIT)
        except OSError:
            return  # it is gone, or will not listen
