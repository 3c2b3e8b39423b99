"""Deadlines nest: what the checks took counts against the time until our final dot, and the server's final reply is
waited for beyond it, for longer than the sender waits for ours."""

import asyncio
from pathlib import Path

from gateway.delivery.settings import RouteSettings
from gateway.supervisor import SupervisorSettings
from tests.support.dnsserver import DnsServer
from tests.support.downstream import Downstream, Late
from tests.support.inside import serving
from tests.support.waiting import until

SENDERS_PATIENCE = 600  # seconds, RFC 5321 section 4.5.3.2.6
TRANSFER = 0.4


def test_the_defaults_nest() -> None:
    route, workers = RouteSettings(hosts=("smtp://127.0.0.1:25",)), SupervisorSettings()
    assert route.transfer_timeout <= 120
    assert route.final_timeout > SENDERS_PATIENCE
    assert workers.finish_seconds > route.final_timeout


async def test_what_the_checks_took_counts_against_the_time_until_our_final_dot(tmp_path: Path) -> None:
    """The server was held when they began, and would take the message."""
    slow = {"_dmarc.sender.example": 2 * TRANSFER}
    async with (
        DnsServer({}, delays=slow) as dns,
        Downstream() as server,
        serving(tmp_path, hosts=[server.endpoint], dns_at=dns.address, route={"transfer_timeout": TRANSFER}) as inside,
    ):
        assert (await inside.bring())[-1].startswith("451 4.4.2 ")
        await until(lambda: server.sessions[0].ended)
    assert server.messages == []


async def test_the_final_reply_is_waited_for_beyond_that_time(tmp_path: Path) -> None:
    now = asyncio.Event()
    async with (
        Downstream({".": [Late("250 2.0.0 Ok: queued as LATE", now)]}) as server,
        serving(tmp_path, hosts=[server.endpoint], route={"transfer_timeout": TRANSFER}) as inside,
    ):
        bringing = asyncio.ensure_future(inside.bring())
        await until(lambda: bool(server.messages))
        await asyncio.sleep(2 * TRANSFER)
        now.set()
        assert (await bringing)[-1] == "250 2.0.0 Ok: queued as LATE"
