"""Clients that come by a balancer: they are who the PROXY header says, and only a listed peer is believed."""

import asyncio
import socket
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway.connection import Role
from gateway.door import SmtpDoor
from gateway.smtp.caller import Proxies
from gateway.system.acceptor import Acceptor
from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.balancer import CLIENT, LOCAL, UNKNOWN, relay, relayed, version_1, version_2
from tests.support.front import listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until
from tests.support.wire import Wire

HERE = (ip_network("127.0.0.1/32"),)  # whom the tests' connections come from, unless they say otherwise
ELSEWHERE = "127.0.0.2"
BALANCED = Proxies(balancers=HERE)


def own_network(ip: Any) -> Role:
    return Role.INTERNAL if ip == ip_address("127.0.0.1") else Role.STRANGER


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (version_1(), CLIENT),
        (version_2(), CLIENT),
        (version_2(relayed("2001:db8::9", server="2001:db8::1"), b"\x20\x00\x03abc"), "2001:db8::9"),
        (version_2(relayed("::ffff:192.0.2.9", server="::1")), CLIENT),
    ],
)
@on_both_loops
async def test_client_of_the_header_is_the_client(header: bytes, client: str) -> None:
    async with listening(proxies=BALANCED, roles=own_network) as gateway:
        wire = await relay(gateway.port, header)
        assert (await wire.reply()).startswith("220 ")
        assert "XCLIENT" not in await wire.command("EHLO client.example")
        (connection,) = gateway.told.connections
        assert (str(connection.ip), connection.port, connection.role) == (client, 40000, Role.STRANGER)
        assert connection.via == ip_address("127.0.0.1")
        assert not gateway.told.all("helo")[0].early_talker


@pytest.mark.parametrize("header", [LOCAL, UNKNOWN])
@on_both_loops
async def test_health_check_of_the_balancer_is_internal(header: bytes) -> None:
    async with listening(proxies=BALANCED, max_connections_per_address=1) as gateway:
        for _ in range(3):
            wire = await relay(gateway.port, header)
            assert (await wire.reply()).startswith("220 ")
        connection = gateway.told.connections[0]
        assert (connection.ip, connection.role, connection.via) == (ip_address("127.0.0.1"), Role.INTERNAL, None)


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 x y 1 2\r\n",
        b"\x16\x03\x01" * 50,
        b"\r\n\r\n\0\r\nQUIT\n\x21\x31\x00\x00",
    ],
)
@on_both_loops
async def test_balancer_without_a_header_in_due_form_is_closed_without_a_banner(octets: bytes) -> None:
    async with listening(proxies=BALANCED) as gateway:
        wire = await relay(gateway.port, octets)
        assert await wire.octets() == b""
        assert gateway.told.steps == []
        assert gateway.sessions.connections == 0


@on_both_loops
async def test_header_that_does_not_come_is_not_waited_for_and_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(proxies=BALANCED, header_timeout=0.2) as gateway:
        silent, dripping = await relay(gateway.port, b""), await relay(gateway.port, version_1()[:7])
        other = await Wire.connect(gateway.port, source=ELSEWHERE)
        assert (await other.reply()).startswith("220 ")
        assert (await silent.octets(), await dripping.octets()) == (b"", b"")
    assert caplog.text.count("no PROXY header came from 127.0.0.1: it did not come in time") == 2


@on_both_loops
async def test_look_at_the_port_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(proxies=BALANCED) as gateway:
        for leave in ("half_close", "abort", "reset"):
            getattr(await relay(gateway.port, b""), leave)()
        wire = await relay(gateway.port, version_1())
        assert (await wire.reply()).startswith("220 ")
    assert caplog.text == ""


@on_both_loops
async def test_header_from_anybody_else_is_early_talk_and_no_command() -> None:
    async with listening(proxies=BALANCED) as gateway:
        for header in (version_1(), version_2()):
            wire = await relay(gateway.port, header, source=ELSEWHERE)
            assert (await wire.reply()).startswith("220 ")
            assert (await wire.reply()).startswith("500 5.5.2")
            connection = gateway.told.connections[-1]
            assert (str(connection.ip), connection.via) == (ELSEWHERE, None)


@on_both_loops
async def test_peer_without_an_address_is_closed_without_a_word(tmp_path: Path) -> None:
    """Of a Unix socket, which systemd may pass: there is nothing that it could be believed or judged by."""
    async with listening(proxies=BALANCED) as gateway:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "smtp"))
        sock.listen()
        sock.setblocking(False)
        acceptor = Acceptor(sock, SmtpDoor(gateway.front))
        reader, writer = await asyncio.open_unix_connection(tmp_path / "smtp")
        writer.write(version_1())
        assert await Wire(reader, writer).octets() == b""
        acceptor.close()
        assert gateway.told.steps == []


@on_both_loops
async def test_second_header_is_no_header() -> None:
    async with listening(proxies=BALANCED) as gateway:
        wire = await relay(gateway.port, version_1(), behind=version_1("127.0.0.1"))
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("500 5.5.2")
        (connection,) = gateway.told.connections
        assert (str(connection.ip), connection.early_talker) == (CLIENT, True)


@pytest.mark.parametrize("header", [version_1(), version_2()])
@on_both_loops
async def test_what_comes_with_the_header_is_early_talk(header: bytes) -> None:
    async with listening(proxies=BALANCED) as gateway:
        wire = await relay(gateway.port, header, behind=b"EHLO client.example\r\n")
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("250")
        assert gateway.told.connections[0].early_talker


@on_both_loops
async def test_connections_are_counted_under_the_client_and_not_under_the_balancer() -> None:
    async with listening(proxies=BALANCED, max_connections_per_address=2) as gateway:
        wires = [await relay(gateway.port, version_2(relayed(f"192.0.2.{host}"))) for host in (1, 2, 1, 2)]
        assert {(await wire.reply())[:4] for wire in wires} == {"220 "}
        for host in (1, 2):
            wire = await relay(gateway.port, version_2(relayed(f"192.0.2.{host}")))
            assert (await wire.rest()).startswith("421 4.7.0 Too many connections from your address")
        assert gateway.sessions.connections == len(wires)


@on_both_loops
async def test_starttls_behind_a_balancer(tls: ServerTls) -> None:
    async with listening(proxies=BALANCED, tls=tls) as gateway:
        wire = await relay(gateway.port, version_2())
        await wire.reply()
        assert "STARTTLS" in await wire.command("EHLO client.example")
        assert await wire.start_tls() == "TLSv1.3"
        await wire.command("EHLO client.example")
        connection = gateway.told.all("helo")[-1]
        assert (str(connection.ip), connection.protocol) == (CLIENT, "ESMTPS")


@on_both_loops
async def test_end_of_the_worker_reaches_clients_of_a_balancer() -> None:
    async with listening(proxies=BALANCED, header_timeout=60) as gateway:
        waiting = await relay(gateway.port, version_1()[:5])
        await until(lambda: gateway.front.introductions.awaited == 1)
        await gateway.sessions.drain(0)
        await waiting.send(version_1()[5:])
        assert (await waiting.rest()).startswith("421 4.3.2 Service is shutting down")
