"""A client that goes: before its final dot the work ends and the server behind has nothing; after it the message is
finished and recorded, whatever the client does."""

import asyncio
from pathlib import Path

import pytest

from gateway.record import Event
from tests.support.downstream import Downstream, Late
from tests.support.inside import serving
from tests.support.journeys import ALICE, LETTER, SENDER
from tests.support.waiting import until
from tests.support.wire import Wire

LEAVING = ("half_close", "abort", "reset")


async def in_data(wire: Wire) -> None:
    for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ALICE}>", "DATA"):
        assert (await wire.command(command))[0] in "23"


@pytest.mark.fault("client: gone before its final dot")
@pytest.mark.parametrize("leave", LEAVING)
async def test_before_the_final_dot_the_work_ends(leave: str, tmp_path: Path) -> None:
    async with Downstream() as server, serving(tmp_path, hosts=[server.endpoint]) as inside:
        wire = await inside.greeted()
        await in_data(wire)
        await wire.send(LETTER)
        getattr(wire, leave)()
        lost = await inside.recorded(Event.LOST)
        assert lost.recipients == (ALICE,)
        [session] = server.sessions
        await until(lambda: bool(session.heard("RSET")))
        assert session.heard("DATA") == []
        wire.abort()


@pytest.mark.fault("client: gone after its final dot")
@pytest.mark.parametrize("leave", LEAVING)
async def test_after_the_final_dot_the_message_is_delivered_and_recorded(leave: str, tmp_path: Path) -> None:
    now = asyncio.Event()
    script = {".": [Late("250 2.0.0 Ok: queued as 4F1CA1", now)]}
    async with Downstream(script) as server, serving(tmp_path, hosts=[server.endpoint]) as inside:
        wire = await inside.greeted()
        await in_data(wire)
        await wire.send(LETTER + b".\r\n")
        await until(lambda: bool(server.messages))
        getattr(wire, leave)()
        now.set()
        record = await inside.recorded()
        wire.abort()
    assert record.reply.startswith("250 ")
    assert record.queue_id == "4F1CA1"
    assert len(server.messages) == 1
