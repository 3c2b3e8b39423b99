"""Turns: those who wait, by client, in the order in which they are served: the clients one after another, and of each
the one who came first. Whoever brings a hundred takes one turn where one who brings a single thing takes one."""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from msgspec import Struct

W = TypeVar("W")


class _Client(Struct, Generic[W]):
    waiters: deque[W]
    since: float  # when it came, or was served last


class Turns(Generic[W]):
    """The client that has gone without for the longest comes first. Times are of one clock that does not go back."""

    def __init__(self) -> None:
        self._clients: dict[Hashable, _Client[W]] = {}  # in the order of their turns

    def __iter__(self) -> Iterator[tuple[W, float]]:
        """Everyone, each with the time since when his client goes without. Nobody joins, is served or leaves before the
        end of it."""
        turn, clients = 0, list(self._clients.values())
        while clients:
            for client in clients:
                yield client.waiters[turn], client.since
            turn += 1
            clients = [client for client in clients if len(client.waiters) > turn]

    @property
    def first_since(self) -> float | None:
        """Since when the client goes without whose turn it is; None where nobody waits."""
        return next((client.since for client in self._clients.values()), None)

    def join(self, name: Hashable, waiter: W, now: float) -> None:
        client = self._clients.setdefault(name, _Client(deque(), now))
        client.waiters.append(waiter)

    def serve(self, name: Hashable, waiter: W, now: float) -> None:
        """The waiter got something: his client's next turn comes after those of all others."""
        client = self._clients.pop(name)
        client.waiters.remove(waiter)
        if client.waiters:
            self._clients[name] = _Client(client.waiters, now)

    def leave(self, name: Hashable, waiter: W) -> None:
        """The waiter goes with nothing: the others of his client keep their turn."""
        waiters = self._clients[name].waiters
        waiters.remove(waiter)
        if not waiters:
            del self._clients[name]
