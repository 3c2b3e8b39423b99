"""Rota: of the processes that wait at a listening socket a new connection wakes one, and they take turns at that.

An event loop alone has it wake all that are idle, of which all but one come for nothing. The kernel wakes the first in
its line that is idle (EPOLLEXCLUSIVE in epoll_ctl(2)), so whoever has accepted some goes to the end of the line.
"""

import asyncio
import os
import select
import selectors
import socket
from collections.abc import Callable

STRETCH = 8  # connections accepted before others come first: they may stay for long, and must not all be with one
LOOK = 1.0  # seconds until one looks again: who was woken may have ended, or have had no room, before it accepted
SOON = 0.001  # seconds, in which the loop has come to the end of its turn

_ALONE = select.EPOLLIN | select.EPOLLEXCLUSIVE


class Rota:
    """One's own place in the line at a socket. Made inside a running event loop."""

    def __init__(self, sock: socket.socket, accept: Callable[[], None]) -> None:
        """`accept` is called where a connection waits, again and again until it was taken by somebody."""
        self._loop = asyncio.get_running_loop()
        self._epoll = _epoll_of(self._loop)
        self._socket = sock
        self._accept = accept
        self._accepted = 0
        self._turn: asyncio.Handle | None = None

    def begin(self) -> None:
        """Wait for connections."""
        self._loop.add_reader(self._socket, self._accept)
        if self._epoll is not None:
            self._turn = self._loop.call_soon(self._go_last, self._epoll)

    def end(self) -> None:
        """Wait no more. Before the socket is closed; safe to call twice."""
        if self._turn is not None:
            self._turn.cancel()
        self._loop.remove_reader(self._socket)

    def accepted(self) -> None:
        """One was accepted."""
        self._accepted += 1
        if self._accepted >= STRETCH and self._turn is not None and self._epoll is not None:
            self._turn.cancel()
            self._go_last(self._epoll)

    def _go_last(self, epoll: select.epoll) -> None:
        """Register anew what the loop has registered, which looks whether somebody waits. What it will register at the
        end of its turn is left to it: over a registration of ours it would stumble."""
        self._accepted = 0
        try:
            epoll.unregister(self._socket)
        except FileNotFoundError:
            self._turn = self._loop.call_later(SOON, self._go_last, epoll)
        else:
            epoll.register(self._socket, _ALONE)
            self._turn = self._loop.call_later(LOOK, self._go_last, epoll)


def _epoll_of(loop: asyncio.AbstractEventLoop) -> select.epoll | None:
    """The loop's own; None where it does not show one."""
    backend = getattr(loop, "_get_backend_id", None)  # of uvloop
    selector = getattr(loop, "_selector", None)  # of asyncio
    if backend is not None:
        return select.epoll.fromfd(os.dup(backend()))
    return select.epoll.fromfd(os.dup(selector.fileno())) if isinstance(selector, selectors.EpollSelector) else None
