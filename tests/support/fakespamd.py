"""A spamd of a few lines that does what a test tells it to: answers well, badly, late, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from gateway.scoring.hosts import SpamdHost

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def scored(score: str = "1.5", required: str = "5.0", symbols: str = "A_RULE,ANOTHER", *, flag: str = "False") -> bytes:
    """A good reply to SYMBOLS."""
    head = f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(symbols)}\r\nSpam: {flag} ; {score} / {required}\r\n\r\n"
    return (head + symbols).encode()


def replying(*pieces: bytes) -> Behaviour:
    """Read the request to its end, send the pieces one by one, close."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return behave


class FakeSpamd:
    """Serves on a free loopback port. `requests` counts connections; `most` is how many were open at once."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests = 0
        self.most = 0
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def host(self) -> SpamdHost:
        return SpamdHost(address=self.address)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.requests += 1
        self._open += 1
        self.most = max(self.most, self._open)
        try:
            await self.behaviour(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._open -= 1
            self._tasks.discard(task)
            writer.close()
