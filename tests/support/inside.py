"""The service of one worker inside a test: the real parts on real sockets, and every record that it makes.

async with serving(tmp_path, hosts=[server.endpoint]) as inside:
    answers = await inside.bring("alice@example.org")
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from gateway.delivery.endpoint import Endpoint
from gateway.record import Event, Record
from gateway.serve import Gateway
from gateway.system.board import Region
from gateway.system.listening import Listener, bind
from gateway.system.metrics import Metrics
from tests.support.dnsserver import DnsServer
from tests.support.journeys import ALICE, LETTER, SENDER, settings_of
from tests.support.waiting import until
from tests.support.wire import Wire


@dataclass
class Inside:
    service: Gateway
    metrics: Metrics
    port: int
    records: list[Record]
    region: Region

    def counts(self, name: str) -> int:
        """What is held of something that is counted for the host."""
        return self.region.own(self.region.key(name))

    async def greeted(self) -> Wire:
        """A client that has said EHLO."""
        wire = await Wire.connect(self.port)
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.command("EHLO mail.sender.example")).startswith("250")
        return wire

    async def bring(self, *recipients: str, letter: bytes = LETTER, sender: str = SENDER) -> tuple[str, ...]:
        """What a client is told that brings one message and leaves: at each RCPT, and, where any of them was accepted,
        after the message. `letter` has no line that begins with a dot."""
        wire = await self.greeted()
        try:
            return await brought(wire, *recipients, letter=letter, sender=sender)
        finally:
            wire.abort()

    async def recorded(self, event: Event = Event.MESSAGE) -> Record:
        """The one record of that kind, once it is there."""
        await until(lambda: any(record.event is event for record in self.records))
        [record] = [record for record in self.records if record.event is event]
        return record


async def brought(wire: Wire, *recipients: str, letter: bytes = LETTER, sender: str = SENDER) -> tuple[str, ...]:
    """One transaction of a client that has said EHLO."""
    assert (await wire.command(f"MAIL FROM:<{sender}>")).startswith("250 ")
    told = [await wire.command(f"RCPT TO:<{recipient}>") for recipient in recipients or (ALICE,)]
    if not any(answer.startswith("250 ") for answer in told):
        assert (await wire.command("RSET")).startswith("250 ")
        return tuple(told)
    assert (await wire.command("DATA")).startswith("354 ")
    await wire.send(letter + b".\r\n")
    return (*told, await wire.reply())


@asynccontextmanager
async def serving(
    directory: Path,
    *,
    hosts: Sequence[Endpoint | str] = (),
    dns_at: str = "",
    site: str = "",
    routes: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> AsyncIterator[Inside]:
    """Serve until the end of the block. Mail goes to `hosts`, and without any to a Maildir. DNS is asked at `dns_at`,
    and without it at a server that knows no name. `site` is a rules file of the site, `routes` are further routes by
    their names. `settings` are tables of the configuration: what they say of route (the default one), dns and rules
    is added to this."""
    async with DnsServer({}) as ignorant:
        to = [str(host) for host in hosts] or [f"maildir://{directory}/mail"]
        tables = {
            **settings,
            "spool_directory": directory,
            "rules": {"site": directory / "rules.d", "lists": directory / "lists", **settings.get("rules", {})},
            "dns": {"servers": [dns_at or ignorant.address], **settings.get("dns", {})},
            "route": {"default": {"hosts": to, **settings.get("route", {})}, **routes},
        }
        (directory / "rules.d").mkdir(exist_ok=True)
        (directory / "rules.d" / "site.toml").write_text(site)
        metrics, records, region = Metrics(), list[Record](), Region.private()
        service = Gateway(settings_of(directory, **tables), metrics=metrics, region=region)
        service.parts = replace(service.parts, record=_noting(records, service.parts.record))
        service.parts.routes.learn = _learn_nothing  # type: ignore[method-assign]
        socket = bind("127.0.0.1:0")
        await service.serve([Listener(socket)])
        try:
            yield Inside(service, metrics, socket.getsockname()[1], records, region)
        finally:
            await service.drain(0)
            await service.close()


async def _learn_nothing() -> None:
    """Every connection that a scripted server sees is then one for a message."""


def _noting(records: list[Record], record: Callable[[Record], None]) -> Callable[[Record], None]:
    def note(entry: Record) -> None:
        records.append(entry)
        record(entry)

    return note
