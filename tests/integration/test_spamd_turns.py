"""Messages that wait for spamd: whose turn it is, and how much of the line one client can take."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.fakespamd import FakeSpamd, replying, scored
from tests.support.inside import Inside, brought, serving
from tests.support.journeys import LETTER
from tests.support.waiting import until
from tests.support.wire import Wire

FLOOD = ("127.9.0.1", "127.9.0.2", "127.9.0.3")  # of one network
SINGLE = "127.8.0.1"
DEFERRED = "451 4.3.2 "


class Desk:
    """A spamd with one child, which gives its next score when it is told to."""

    def __init__(self) -> None:
        self.served: list[str] = []  # the subjects, in the order in which they came
        self.next = asyncio.Semaphore(0)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read()
        [subject] = re.findall(rb"^Subject: (.*)\r\n", request, re.MULTILINE)
        self.served.append(subject.decode())
        async with asyncio.timeout(60):
            await self.next.acquire()
        await replying(scored())(reader, writer)


@asynccontextmanager
async def desk(directory: Path, **settings: Any) -> AsyncIterator[tuple[Desk, Inside]]:
    behaviour = Desk()
    async with FakeSpamd(behaviour) as spamd:
        at = {"hosts": [{"address": spamd.address, "concurrency": 1}], **settings}
        async with serving(directory, spamd=at) as inside:
            yield behaviour, inside


async def bring(inside: Inside, source: str, subject: str) -> str:
    wire = await Wire.connect(inside.port, source=source)
    try:
        await wire.reply()
        await wire.command("EHLO mail.sender.example")
        return (await brought(wire, letter=LETTER.replace(b"A letter", subject.encode())))[-1]
    finally:
        wire.abort()


def waiting(inside: Inside) -> int:
    """How many messages wait for spamd."""
    return inside.counts("waiting_for_spamd")


async def test_a_flood_has_one_turn_where_another_client_has_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as (spamd, inside):
        bringing = []
        for number, source in enumerate(FLOOD):
            bringing.append(asyncio.create_task(bring(inside, source, f"flood {number}")))
            await until(lambda number=number: len(spamd.served) + waiting(inside) > number)
        bringing.append(asyncio.create_task(bring(inside, SINGLE, "single")))
        await until(lambda: waiting(inside) == 3)
        for _ in bringing:
            spamd.next.release()
        assert all(told.startswith("250 ") for told in await asyncio.gather(*bringing))
    assert spamd.served == ["flood 0", "flood 1", "single", "flood 2"]


async def test_a_flood_is_deferred_while_another_client_still_finds_a_place(tmp_path: Path) -> None:
    async with desk(tmp_path, queue_length=2) as (spamd, inside):
        first = asyncio.create_task(bring(inside, FLOOD[0], "flood 0"))
        await until(lambda: len(spamd.served) == 1)
        second = asyncio.create_task(bring(inside, FLOOD[1], "flood 1"))
        await until(lambda: waiting(inside) == 1)
        assert (await bring(inside, FLOOD[2], "flood 2")).startswith(DEFERRED)
        single = asyncio.create_task(bring(inside, SINGLE, "single"))
        await until(lambda: waiting(inside) == 2)
        for _ in range(3):
            spamd.next.release()
        assert all(told.startswith("250 ") for told in await asyncio.gather(first, second, single))
        assert (waiting(inside), inside.counts("at_spamd")) == (0, 0)
