"""A mail proxy that speaks for its clients by XCLIENT: everything begins anew, and nobody else may."""

from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway.connection import Connection, Role
from gateway.reply import reply
from gateway.smtp.caller import Proxies
from gateway.system.board import Region
from gateway.system.hostcounts import CONNECTIONS, HostCounts
from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.balancer import CLIENT, relay, relayed, version_2
from tests.support.front import Gateway, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until
from tests.support.wire import Wire

HERE = (ip_network("127.0.0.1/32"),)  # whom the tests' connections come from, unless they say otherwise
ELSEWHERE = "127.0.0.2"
PROXIED = Proxies(xclient=HERE)
OTHER = "XCLIENT ADDR=192.0.2.9 PORT=4711 HELO=mail.example.com PROTO=ESMTP"


def own_network(ip: Any) -> Role:
    return Role.INTERNAL if ip == ip_address("127.0.0.1") else Role.STRANGER


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


async def spoken_for(gateway: Gateway, said: str = OTHER) -> Wire:
    wire = await gateway.greeted()
    assert (await wire.command(said)).startswith("220 ")
    return wire


@on_both_loops
async def test_session_begins_anew_as_the_client_that_is_spoken_for() -> None:
    async with listening(proxies=PROXIED, roles=own_network) as gateway:
        wire = await gateway.wire()
        await wire.reply()
        offered = await wire.command("EHLO proxy.example")
        assert "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT" in offered
        await wire.transcript("""
            C: XCLIENT NAME=mail.example.com ADDR=192.0.2.9 PORT=4711 HELO=mail.example.com PROTO=SMTP
            S: 220 mx.example.net ESMTP
            C: MAIL FROM:<a@example.org>
            S: 503 5.5.1 Send EHLO or HELO first
        """)
        assert "XCLIENT" in await wire.command("EHLO proxy.example")
        await wire.transcript("""
            C: MAIL FROM:<a@example.org>
            S: 250
            C: RCPT TO:<b@example.net>
            S: 250
            C: DATA
            S: 354
            C: x
            C: .
            S: 250
        """)
        own, other = gateway.told.connections
        assert (str(own.ip), own.role, own.via) == ("127.0.0.1", Role.INTERNAL, None)
        assert (str(other.ip), other.port, other.role) == (CLIENT, 4711, Role.STRANGER)
        assert (other.via, other.early_talker) == (own.ip, False)
        assert other.id != own.id
        steps = [name for name, _ in gateway.told.steps]
        assert steps[steps.index("connect", 1) - 1] == "reset"  # the visit before was told its end
        greeted = gateway.told.all("helo")[-1]
        assert (greeted.helo, greeted.esmtp, greeted.id) == ("mail.example.com", False, other.id)


@on_both_loops
async def test_client_without_a_stated_name_has_that_of_the_greeting() -> None:
    async with listening(proxies=PROXIED) as gateway:
        wire = await spoken_for(gateway, "XCLIENT ADDR=192.0.2.9")
        await wire.command("EHLO mail.example.com")
        greeted = gateway.told.all("helo")[-1]
        assert (greeted.helo, greeted.esmtp) == ("mail.example.com", True)


async def test_what_does_not_fit_into_one_line_comes_in_several() -> None:
    async with listening(proxies=PROXIED) as gateway:
        wire = await spoken_for(gateway, "XCLIENT ADDR=192.0.2.9 PROTO=ESMTP")
        await wire.command("HELO proxy.example")
        assert (await wire.command("XCLIENT PORT=4711")).startswith("220 ")
        await wire.command("HELO proxy.example")
        assert gateway.told.all("helo")[-1].helo == "proxy.example"
        assert (await wire.command("XCLIENT NAME=mail.example.com")).startswith("220 ")
        await wire.command("HELO another.example")
        assert gateway.told.all("helo")[-1].helo == "another.example"
        assert (await wire.command("XCLIENT HELO=mail.example.com")).startswith("220 ")
        await wire.command("HELO proxy.example")
        greeted = gateway.told.all("helo")[-1]
        assert (str(greeted.ip), greeted.port, greeted.helo, greeted.esmtp) == (CLIENT, 4711, "mail.example.com", True)
        assert str(greeted.via) == "127.0.0.1"


async def test_one_client_after_the_other() -> None:
    async with listening(proxies=PROXIED, max_connections_per_address=1) as gateway:
        wire = await spoken_for(gateway)
        assert (await wire.command("XCLIENT ADDR=192.0.2.10")).startswith("220 ")
        await wire.command("EHLO proxy.example")
        greeted = gateway.told.all("helo")[-1]
        assert (str(greeted.ip), greeted.port, greeted.helo) == ("192.0.2.10", 0, "proxy.example")
        assert gateway.sessions.connections == 1
        again = await spoken_for(gateway)  # the first client has left its place
        await again.close()
        await wire.close()


@on_both_loops
async def test_pipelined_commands_behind_it_are_those_of_the_client_and_no_early_talk() -> None:
    async with listening(proxies=PROXIED, banner_delay=30, roles=own_network) as gateway:
        wire = await gateway.greeted()
        await wire.send(f"{OTHER}\r\nEHLO proxy.example\r\nMAIL FROM:<a@example.org>\r\n".encode())
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("250")
        assert (await wire.reply()).startswith("250 2.1.0")
        assert not gateway.told.all("helo")[-1].early_talker


@on_both_loops
async def test_client_that_is_spoken_for_can_be_refused() -> None:
    refused = reply("554 5.7.1", "Go away")

    def judge(connection: Connection) -> Any:
        return refused if str(connection.ip) == CLIENT else None

    async with listening({"connect": judge}, proxies=PROXIED) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command(OTHER)) == "554 5.7.1 Go away"
        assert await wire.rest() == ""


@on_both_loops
async def test_client_that_is_spoken_for_is_counted_under_its_own_address() -> None:
    region = Region.private()
    counts = HostCounts(region)
    connections = partial(counts.total, counts.key(CONNECTIONS))
    limits = {"region": region, "max_connections_per_address": 1}
    async with listening(proxies=PROXIED, roles=own_network, **limits) as gateway:
        first = await spoken_for(gateway)
        wire = await gateway.greeted()
        assert (await wire.command(OTHER)).startswith("421 4.7.0 Too many connections from your address")
        assert await wire.rest() == ""
        await until(lambda: gateway.sessions.connections == 1)
        assert connections() == 1
        assert (await (await gateway.greeted()).command("XCLIENT ADDR=192.0.2.10")).startswith("220 ")
        await first.close()


async def test_limits_of_strangers_hold_for_the_client_that_is_spoken_for() -> None:
    async with listening(proxies=PROXIED, roles=own_network, max_commands=10) as gateway:
        wire = await spoken_for(gateway)
        answers = [await wire.command("NOOP") for _ in range(11)]
        assert answers[-1].startswith("421 4.7.0 ")


@on_both_loops
async def test_nobody_else_may_speak_for_others() -> None:
    async with listening(proxies=Proxies(xclient=(ip_network("192.0.2.0/24"),))) as gateway:
        wire = await gateway.greeted()
        assert "XCLIENT" not in await wire.command("EHLO client.example")
        assert "XCLIENT" not in await wire.command("HELP")
        assert (await wire.command(OTHER)).startswith("550 5.7.0 ")
        assert len(gateway.told.connections) == 1
        assert (await wire.command("MAIL FROM:<a@example.org>")).startswith("250 ")


@pytest.mark.parametrize("client", ["127.0.0.1", CLIENT])
@on_both_loops
async def test_client_of_a_balancer_may_not_whatever_its_address_and_whatever_the_balancers(client: str) -> None:
    """Behind the header it is the client who speaks, and its address only what was said of it."""
    both = (*HERE, ip_network("192.0.2.0/24"))
    async with listening(proxies=Proxies(balancers=HERE, xclient=both)) as gateway:
        wire = await relay(gateway.port, version_2(relayed(client)))
        await wire.reply()
        assert "XCLIENT" not in await wire.command("EHLO client.example")
        assert (await wire.command(OTHER)).startswith("550 5.7.0 ")
        assert len(gateway.told.connections) == 1


async def test_client_that_is_spoken_for_gives_no_standing_to_the_proxy() -> None:
    """The list is asked about the peer of the socket: XCLIENT to an address in it opens nothing for anybody else."""
    async with listening(proxies=Proxies(xclient=HERE)) as gateway:
        wire = await Wire.connect(gateway.port, source=ELSEWHERE)
        await wire.reply()
        assert (await wire.command("XCLIENT ADDR=127.0.0.1")).startswith("550 5.7.0 ")


async def test_within_a_transaction_it_is_refused() -> None:
    async with listening(proxies=PROXIED) as gateway:
        wire = await gateway.with_recipient()
        assert (await wire.command(OTHER)).startswith("503 5.5.1 ")
        assert (await wire.command("DATA")).startswith("354 ")


@on_both_loops
async def test_error_in_it_ends_the_connection() -> None:
    """What the proxy sends next is the client's, and would be taken for its own."""
    async with listening(proxies=PROXIED) as gateway:
        wire = await gateway.greeted()
        await wire.send(b"XCLIENT ADDR=192.0.2.256\r\nMAIL FROM:<a@example.org>\r\n")
        assert (await wire.reply()).startswith("501 5.5.4 ")
        assert await wire.rest() == ""
        assert gateway.told.all("mail") == []


async def test_proxy_over_tls_speaks_for_others(tls: ServerTls) -> None:
    async with listening(proxies=PROXIED, tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.start_tls()
        await wire.command("EHLO proxy.example")
        assert (await wire.command(OTHER)).startswith("220 ")
        assert "STARTTLS" not in await wire.command("EHLO proxy.example")
        greeted = gateway.told.all("helo")[-1]
        assert (greeted.helo, greeted.tls.version) == ("mail.example.com", "TLSv1.3")
