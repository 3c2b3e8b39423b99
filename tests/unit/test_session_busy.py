"""Sessions of a busy worker, whose replies leave at the end of a turn: none is lost, and none comes too late."""

from pathlib import Path
from typing import Any

from gateway.smtp import replies
from gateway.system.burst import MANY, Burst
from gateway.system.tls import TlsSettings, server_tls
from tests.support.front import listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until


def busy(**more: Any) -> Any:
    return listening(burst=Burst(lambda: MANY), **more)


@on_both_loops
async def test_last_reply_leaves_before_the_connection_is_closed() -> None:
    async with busy() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"NOOP\r\nQUIT\r\n")
        assert await wire.rest() == "250 2.0.0 OK\r\n221 2.0.0 Goodbye\r\n"
        await until(lambda: gateway.sessions.connections == 0)


@on_both_loops
async def test_last_reply_leaves_before_our_half_is_closed() -> None:
    async with busy() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"NOOP\r\nGET / HTTP/1.1\r\nHost: mx.example.net\r\n\r\n")
        assert await wire.rest() == f"250 2.0.0 OK\r\n{replies.NOT_SMTP.to_bytes().decode()}"


@on_both_loops
async def test_client_that_closes_its_half_reads_all_replies() -> None:
    async with busy() as gateway:
        wire = await gateway.in_data()
        await wire.send(b"Hello\r\n.\r\nNOOP\r\n")
        wire.half_close()
        assert await wire.rest() == "250 2.0.0 Accepted\r\n250 2.0.0 OK\r\n"


@on_both_loops
async def test_connection_goes_on_over_tls(tmp_path: Path) -> None:
    tls = server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)
    async with busy(tls=tls) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("STARTTLS")).startswith("220 ")
        assert await wire.upgrade() == "TLSv1.3"
        assert (await wire.command("EHLO client.example")).startswith("250")
        await wire.send(b"QUIT\r\n")
        assert await wire.rest() == "221 2.0.0 Goodbye\r\n"
