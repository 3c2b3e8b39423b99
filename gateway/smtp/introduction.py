"""Introduction: reads the PROXY header from a connection just accepted, and not one octet more.

What is behind the header stays in the kernel: for the TLS handshake, or for the session, to which it is early talk.
"""

import asyncio
import socket

from gateway.smtp.proxyheader import MAX_HEADER, Flaw, Own, Relayed, length_of, parse

MOST = 128  # connections of a worker whose header is awaited; a balancer sends it at once, so these are few


class Introductions:
    """Whose connections the balancers bring."""

    def __init__(self, seconds: float) -> None:
        """Within which a header must be here."""
        self._seconds = seconds
        self.awaited = 0

    async def hear(self, client: socket.socket) -> Relayed | Own | Flaw:
        """Read the header from this non-blocking socket. Where there is a flaw the connection is of no further use."""
        if self.awaited >= MOST:
            return Flaw.CROWDED
        self.awaited += 1
        try:
            async with asyncio.timeout(self._seconds):
                header = await _header(client)
        except TimeoutError:
            return Flaw.LATE
        except OSError:
            return Flaw.ENDED
        finally:
            self.awaited -= 1
        return header if isinstance(header, Flaw) else parse(header)


async def _header(client: socket.socket) -> bytes | Flaw:
    """Octets are looked at before they are taken. Raises OSError."""
    taken = b""
    while ahead := await _ahead(client):
        seen = taken + ahead
        length = length_of(seen)
        if isinstance(length, Flaw):
            return length
        end = len(seen) if length is None else min(length, len(seen))
        taken += client.recv(end - len(taken))
        if len(taken) == length:
            return taken
    return Flaw.ENDED


async def _ahead(client: socket.socket) -> bytes:
    """The octets that are there, at least one, without taking them; none at the end of the connection."""
    while True:
        try:
            return client.recv(MAX_HEADER, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            await _readable(client)


async def _readable(client: socket.socket) -> None:
    loop, arrival = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(client, arrival.set)
    try:
        await arrival.wait()
    finally:
        loop.remove_reader(client)
