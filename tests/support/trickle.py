"""A relay on loopback that passes every octet on in a packet and a read of its own, both ways."""

import asyncio
import contextlib
from typing import Self

from gateway.delivery.endpoint import Endpoint


class Trickle:
    """Stands before a server; its `endpoint` is to be connected to instead."""

    def __init__(self, server: Endpoint) -> None:
        self._server = server
        self._relays: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.endpoint = Endpoint(protocol=self._server.protocol, host="127.0.0.1", port=port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._server.host, self._server.port)
        ways = (_pass_on(reader, back), _pass_on(there, writer))
        self._relays |= {asyncio.ensure_future(way) for way in ways}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while octet := await reader.read(1):
            writer.write(octet)
            await writer.drain()
            await asyncio.sleep(0)
    writer.close()
