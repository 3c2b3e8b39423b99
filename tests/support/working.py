"""A worker in this process, between a client and scripted next hops, with DNS out of a table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.serve import Gateway
from gateway.system.board import Region
from gateway.system.listening import Listener, bind
from gateway.system.metrics import Metrics
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Table
from tests.support.downstream import Downstream
from tests.support.journeys import settings_of
from tests.support.waiting import until
from tests.support.wire import Wire

HEADER = b"From: Ann <ann@sender.example>\r\nSubject: x\r\nMessage-ID: <1@sender.example>\r\n\r\n"


class Worker:
    """A worker to which every client is a stranger."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        self.gateway = gateway
        self.port = port

    async def greeted(self, source: str = "") -> tuple[Wire, dict[str, str]]:
        """A client at that address that has said EHLO, and what it was offered."""
        wire = await Wire.connect(self.port, source=source)
        await wire.reply()
        return wire, await offered(wire)

    async def knows(self, *keywords: str) -> None:
        await until(lambda: self.gateway.parts.routes.carries >= set(keywords))


async def offered(wire: Wire) -> dict[str, str]:
    _, *lines = (await wire.command("EHLO client.example")).split("\n")
    return {line[4:].partition(" ")[0]: line[4:].partition(" ")[2] for line in lines}


@asynccontextmanager
async def working(
    directory: Path, routes: dict[str, Any], *, zone: Table | None = None, **settings: Any
) -> AsyncIterator[Worker]:
    with bind("127.0.0.1:0") as sock:
        async with DnsServer(zone or {}) as dns:
            everything = {"dns": {"servers": [dns.address]}, "networks": {"own": []}, "route": routes} | settings
            gateway = Gateway(settings_of(directory, **everything), metrics=Metrics(), region=Region.private())
            try:
                await gateway.serve([Listener(sock)])
                yield Worker(gateway, sock.getsockname()[1])
                await gateway.drain(0.0)
            finally:
                await gateway.close()


def to(server: Downstream, **settings: Any) -> dict[str, Any]:
    return {"hosts": [str(server.endpoint)], **settings}


async def bring(wire: Wire, mail: str, *rcpts: str, header: bytes = HEADER, body: bytes = b"text\r\n") -> str:
    """The first refusal, or the answer to the message."""
    for command in (mail, *rcpts, "DATA"):
        answer = await wire.command(command)
        if answer[0] not in "23":
            assert (await wire.command("RSET")).startswith("250 ")
            return answer
    await wire.send(header + body + b".\r\n")
    return await wire.reply()
