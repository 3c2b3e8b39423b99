"""STARTTLS (RFC 3207): opportunistic, and nothing of the talk before it is believed after it."""

import asyncio
import logging
import ssl
from pathlib import Path

import pytest

from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.front import Gateway, listening, no_session_is_left
from tests.support.loops import on_both_loops
from tests.support.waiting import until
from tests.support.wire import any_certificate


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


@on_both_loops
async def test_message_over_tls(tls: ServerTls) -> None:
    async with listening(tls=tls) as gateway:
        wire = await gateway.wire()
        await wire.reply()
        assert (await wire.command("EHLO client.example")).endswith("\n250 STARTTLS")
        assert await wire.start_tls() == "TLSv1.3"
        await wire.transcript("""
            C: MAIL FROM:<a@example.org>
            S: 503 5.5.1 Send EHLO or HELO first
            C: HELO client.example
            S: 250 mx.example.net
        """)
        assert "STARTTLS" not in await wire.command("EHLO client.example")
        await wire.transcript("""
            C: STARTTLS
            S: 503 5.5.1
            C: MAIL FROM:<a@example.org>
            C: RCPT TO:<b@example.net>
            C: DATA
            S: 250 2.1.0
            S: 250 2.1.5
            S: 354
            C: secret
            C: .
            C: QUIT
            S: 250 2.0.0
            S: 221 2.0.0
            S: (end)
        """)
        assert gateway.told.messages == [b"secret\r\n"]
        connection = gateway.told.all("helo")[-1]
        assert connection.protocol == "ESMTPS"
        assert (connection.tls.version, connection.tls.cipher[:4], connection.tls.bits) == ("TLSv1.3", "TLS_", 256)


@on_both_loops
async def test_large_message_over_tls(tls: ServerTls) -> None:
    content = b"0123456789" * 90 + b"\r\n"
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.start_tls()
        await wire.command("EHLO client.example")
        await wire.command("MAIL FROM:<>")
        await wire.command("RCPT TO:<b@example.net>")
        await wire.command("DATA")
        await wire.send(content * 3000)
        assert (await wire.command(".")).startswith("250 ")
        assert gateway.told.messages == [content * 3000]


@on_both_loops
async def test_commands_behind_starttls_in_the_clear_are_forgotten(tls: ServerTls) -> None:
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.send(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.net>\r\n")
        assert (await wire.reply()).startswith("220 ")
        await wire.upgrade()
        assert (await wire.command("MAIL FROM:<a@example.org>")).startswith("503 5.5.1")
        assert gateway.told.all("mail") == []
        assert [connection.helo for connection in gateway.told.all("helo")] == ["client.example"]


@on_both_loops
async def test_starttls_within_a_transaction_is_refused(tls: ServerTls) -> None:
    async with listening(tls=tls) as gateway:
        wire = await gateway.with_recipient()
        assert (await wire.command("STARTTLS")).startswith("503 5.5.1")
        assert (await wire.command("STARTTLS now")).startswith("501 5.5.4")


async def _rests(gateway: Gateway) -> None:
    await until(lambda: gateway.sessions.connections == 0)
    assert gateway.told.steps[-1][0] == "reset"


@on_both_loops
async def test_failed_handshake_ends_the_connection(tls: ServerTls, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("STARTTLS")).startswith("220 ")
        await wire.send(b"this is no handshake, and no TLS at all\r\n" * 5)
        await wire.octets()
        await _rests(gateway)
    assert " (127.0.0.1): the TLS handshake failed: [SSL" in caplog.text


@on_both_loops
async def test_client_that_goes_in_the_handshake_ends_the_connection(
    tls: ServerTls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with listening(tls=tls) as gateway:
        for leave in ("half_close", "abort"):
            wire = await gateway.greeted()
            assert (await wire.command("STARTTLS")).startswith("220 ")
            getattr(wire, leave)()
            await _rests(gateway)
    assert caplog.text.count(" (127.0.0.1): the TLS handshake failed: ") == 2
    assert "failed: \n" not in caplog.text


@on_both_loops
async def test_silent_handshake_runs_into_its_deadline(tls: ServerTls, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(tls=tls, handshake_timeout=0.1) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("STARTTLS")).startswith("220 ")
        await _rests(gateway)
    assert " (127.0.0.1): the TLS handshake failed: " in caplog.text


@on_both_loops
async def test_client_gone_over_tls_before_the_final_dot(tls: ServerTls) -> None:
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.start_tls()
        await wire.command("EHLO client.example")
        await wire.command("MAIL FROM:<>")
        await wire.command("RCPT TO:<b@example.net>")
        await wire.command("DATA")
        await wire.send(b"half a mess")
        await wire.close()
        await _rests(gateway)
        assert gateway.told.messages == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@on_both_loops
async def test_old_protocol_versions_are_refused(tls: ServerTls) -> None:
    old = any_certificate()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.command("STARTTLS")
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await wire.upgrade(old)
        await _rests(gateway)


@pytest.mark.parametrize("turns", range(8))
@on_both_loops
async def test_connection_that_its_client_ends_can_be_cut_in_any_turn(turns: int, tls: ServerTls) -> None:
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.start_tls()
        await wire.command("NOOP")
        await wire.close()
        for _ in range(turns):
            await asyncio.sleep(0)
        await gateway.sessions.drain(0.0)


@on_both_loops
async def test_nothing_is_left_of_a_client_whose_handshake_failed(tls: ServerTls) -> None:
    async with listening(tls=tls, handshake_timeout=0.1) as gateway:
        for is_reset in (False, True):
            wire = await gateway.greeted()
            assert (await wire.command("STARTTLS")).startswith("220 ")
            if is_reset:
                wire.reset()
            await _rests(gateway)
            await until(no_session_is_left)
