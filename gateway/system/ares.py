"""Ares: turns one question into what c-ares makes of it, on the event loop.

c-ares has a thread of its own for this; to wake it, and to be woken by it, costs as much CPU as the lookup.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

import pycares

TICK = 0.25  # seconds after which a lookup that is due to be tried again, or given up, is seen at the latest

_RANDOM_CASE = 1 << 10  # ARES_FLAG_DNS0x20: what a forger must guess besides; TCP where a server does not echo the case
_FLAGS = pycares.ARES_FLAG_EDNS | pycares.ARES_FLAG_NO_DFLT_SVR | _RANDOM_CASE

_TYPES = {
    "A": pycares.QUERY_TYPE_A,
    "AAAA": pycares.QUERY_TYPE_AAAA,
    "MX": pycares.QUERY_TYPE_MX,
    "PTR": pycares.QUERY_TYPE_PTR,
    "TXT": pycares.QUERY_TYPE_TXT,
}

Found = pycares.DNSResult | int  # a reply, or the number of an error (pycares.errno)


class Ares:
    """One channel of c-ares. Made inside a running event loop, and closed there."""

    def __init__(self, servers: Sequence[str], *, timeout: float, tries: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading: set[int] = set()
        self._writing: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._channel = pycares.Channel(
            sock_state_cb=self._watch,
            servers=servers,
            timeout=timeout,
            tries=tries,
            flags=_FLAGS,
        )

    async def ask(self, name: str, rrtype: str) -> Found:
        future: asyncio.Future[Found] = self._loop.create_future()
        try:
            self._channel.query(name, _TYPES[rrtype], callback=partial(_settle, future))
        except pycares.AresError as error:  # it may have called back before
            if not future.done():
                future.set_result(error.args[0])
        return await future

    def close(self) -> None:
        """End every lookup under way."""
        if self._is_closed:
            return
        self._channel.cancel()
        self._is_closed = True  # a thread of pycares destroys the channel, and what it tells then is not for the loop
        if self._timer is not None:
            self._timer.cancel()
        for fd in self._reading:
            self._loop.remove_reader(fd)
        for fd in self._writing:
            self._loop.remove_writer(fd)
        self._channel.close()

    def _watch(self, fd: int, readable: bool, writable: bool) -> None:  # noqa: FBT001  pycares calls it so
        """A socket of c-ares is to be watched, or no longer."""
        if self._is_closed:
            return
        if readable and fd not in self._reading:
            self._reading.add(fd)
            self._loop.add_reader(fd, self._process, fd, pycares.ARES_SOCKET_BAD)
        elif not readable and fd in self._reading:
            self._reading.discard(fd)
            self._loop.remove_reader(fd)
        if writable and fd not in self._writing:
            self._writing.add(fd)
            self._loop.add_writer(fd, self._process, pycares.ARES_SOCKET_BAD, fd)
        elif not writable and fd in self._writing:
            self._writing.discard(fd)
            self._loop.remove_writer(fd)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK, self._tick)

    def _process(self, readable: int, writable: int) -> None:
        self._channel.process_fd(readable, writable)

    def _tick(self) -> None:
        """What has waited too long is tried again, or given up."""
        self._timer = None
        self._process(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
        if self._reading or self._writing:
            self._timer = self._timer or self._loop.call_later(TICK, self._tick)


def _settle(future: "asyncio.Future[Found]", reply: pycares.DNSResult, error: int | None) -> None:
    if not future.done():  # whoever asked may have given up
        future.set_result(reply if error is None else error)
