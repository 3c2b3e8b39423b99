"""Connections that begin with a TLS handshake (RFC 8314), also behind a balancer's header."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from gateway.smtp.caller import Proxies
from gateway.system.listening import Opening
from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.balancer import CLIENT, relay, version_1, version_2
from tests.support.front import Gateway, listening, no_session_is_left
from tests.support.loops import on_both_loops
from tests.support.waiting import until
from tests.support.wire import Wire

BALANCED = Proxies(balancers=(ip_network("127.0.0.1/32"),))


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


async def rests(gateway: Gateway) -> None:
    await until(lambda: gateway.sessions.connections == 0)


def tls_from_the_start(tls: ServerTls, **more: Any) -> Any:
    return listening(tls=tls, opening=Opening.TLS, **more)


@on_both_loops
async def test_connection_that_begins_with_a_handshake(tls: ServerTls) -> None:
    async with tls_from_the_start(tls) as gateway:
        wire = await gateway.wire()
        assert await wire.upgrade() == "TLSv1.3"
        assert (await wire.reply()).startswith("220 ")
        assert "STARTTLS" not in await wire.command("EHLO client.example")
        await wire.transcript("""
            C: STARTTLS
            S: 503 5.5.1
            C: MAIL FROM:<a@example.org>
            S: 250
            C: RCPT TO:<b@example.net>
            S: 250
            C: DATA
            S: 354
            C: secret
            C: .
            C: QUIT
            S: 250 2.0.0
            S: 221 2.0.0
            S: (end)
        """)
        assert gateway.told.messages == [b"secret\r\n"]
        connection = gateway.told.all("helo")[0]
        assert (connection.protocol, connection.tls.version, connection.early_talker) == ("ESMTPS", "TLSv1.3", False)
        assert gateway.told.connections[0].tls


@pytest.mark.parametrize("header", [version_1(), version_2()])
@on_both_loops
async def test_header_before_the_handshake(header: bytes, tls: ServerTls) -> None:
    async with tls_from_the_start(tls, proxies=BALANCED) as gateway:
        wire = await relay(gateway.port, header)
        await wire.upgrade()
        assert (await wire.reply()).startswith("220 ")
        await wire.command("EHLO client.example")
        connection = gateway.told.all("helo")[0]
        assert (str(connection.ip), connection.protocol, connection.early_talker) == (CLIENT, "ESMTPS", False)


@on_both_loops
async def test_header_and_the_first_octets_of_the_handshake_in_one_packet(tls: ServerTls) -> None:
    async with tls_from_the_start(tls, proxies=BALANCED) as gateway, joining(gateway.port) as port:
        wire = await Wire.connect(port)
        await wire.upgrade()
        assert (await wire.reply()).startswith("220 ")
        assert str(gateway.told.connections[0].ip) == CLIENT


@on_both_loops
async def test_talk_before_the_banner_is_early_over_tls_too(tls: ServerTls) -> None:
    async with tls_from_the_start(tls, banner_delay=5) as gateway:
        wire = await gateway.wire()
        await wire.upgrade()
        await wire.send(b"EHLO client.example\r\n")
        assert (await wire.reply()).startswith("220 ")
        assert gateway.told.connections[0].early_talker


@pytest.mark.parametrize("octets", [b"EHLO client.example\r\n" * 10, b"\x16\x03\x01\x00\x05hello", version_1()])
@on_both_loops
async def test_what_is_no_handshake_ends_the_connection(octets: bytes, tls: ServerTls) -> None:
    async with tls_from_the_start(tls) as gateway:
        wire = await relay(gateway.port, octets)
        assert b"220" not in await wire.octets()
        await rests(gateway)
        assert gateway.told.steps == []
        await until(no_session_is_left)


@on_both_loops
async def test_silent_client_runs_into_the_deadline_of_the_handshake(tls: ServerTls) -> None:
    async with tls_from_the_start(tls, handshake_timeout=0.2) as gateway:
        wire = await gateway.wire()
        await until(lambda: gateway.sessions.connections == 1)
        assert await wire.octets() == b""
        await rests(gateway)


@on_both_loops
async def test_handshakes_count_as_connections_and_who_is_refused_gets_none(tls: ServerTls) -> None:
    async with tls_from_the_start(tls, max_connections_per_address=1) as gateway:
        silent = await gateway.wire()
        await until(lambda: gateway.sessions.connections == 1)
        assert await (await gateway.wire()).octets() == b""
        silent.abort()
        await rests(gateway)
        wire = await gateway.wire()
        await wire.upgrade()
        assert (await wire.reply()).startswith("220 ")


@on_both_loops
async def test_drain_does_not_wait_for_a_handshake(tls: ServerTls) -> None:
    async with tls_from_the_start(tls, handshake_timeout=60) as gateway:
        wire = await gateway.wire()
        await until(lambda: gateway.sessions.connections == 1)
        await asyncio.wait_for(gateway.sessions.drain(0), 5)
        assert await wire.octets() == b""


@asynccontextmanager
async def joining(port: int) -> AsyncIterator[int]:
    """A balancer in this loop: it waits for the client's first octets and sends them with the header in one packet."""

    async def relay_to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        inward, outward = await asyncio.open_connection("127.0.0.1", port)
        outward.write(version_2() + first)
        await asyncio.gather(_pump(reader, outward), _pump(inward, writer))

    server = await asyncio.start_server(relay_to, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(65536):
        writer.write(octets)
    writer.close()
