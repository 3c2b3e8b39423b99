"""Deliveries of a busy worker, whose commands leave at the end of a turn: each in its order, and the last one too."""

import asyncio
from pathlib import Path

from gateway.system.burst import MANY, Burst
from tests.support.certificates import make_certificate
from tests.support.deliveries import BODY, HEADER, deliver, route, stamped
from tests.support.downstream import Downstream
from tests.support.loops import on_both_loops
from tests.support.waiting import until


@on_both_loops
async def test_next_hop_hears_all_of_it_and_the_goodbye(tmp_path: Path) -> None:
    own = make_certificate(tmp_path, "127.0.0.1")
    body = BODY + b"Hello again.\r\n" * 100_000
    async with Downstream(tls=own.server_context) as server:
        with route(server.endpoint, burst=Burst(lambda: MANY)) as hop:
            courses = await asyncio.gather(*(deliver(hop, message=stamped(body)) for _ in range(3)))
        await until(lambda: server.open_count == 0)
    assert all(course.told.startswith("250") for course in courses)
    assert server.messages == [HEADER + body] * 3
    for session in server.sessions:
        assert session.tls
        assert session.commands[:3] == ["EHLO mx.example.org", "STARTTLS", "EHLO mx.example.org"]
        assert session.commands[-1] == "QUIT"
