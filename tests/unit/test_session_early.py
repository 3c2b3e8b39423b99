"""A client that talks before it can have seen our banner is known, without making anybody wait."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, cast

import pytest

from gateway.connection import Connection, Role
from gateway.reply import reply
from gateway.smtp.dialogue import Dialogue
from gateway.smtp.inbox import Inbox
from gateway.smtp.outbox import Outbox
from gateway.system import tcp
from gateway.system.burst import AT_ONCE
from gateway.system.watchdog import Watchdog
from tests.support.front import Gateway, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until
from tests.support.wire import Wire


async def blurt(gateway: Gateway, octets: bytes) -> Wire:
    """Connect and send in one go: it is all there before the other side, in the same thread, accepts."""
    sock = socket.create_connection(("127.0.0.1", gateway.port))
    sock.sendall(octets)
    sock.setblocking(False)
    return Wire(*await asyncio.open_connection(sock=sock))


@on_both_loops
async def test_client_that_talks_before_the_banner_is_seen_without_a_delay() -> None:
    async with listening() as gateway:
        wire = await blurt(gateway, b"EHLO client.example\r\n")
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("250")
        assert gateway.told.connections[0].early_talker
        assert gateway.told.all("helo")[0].early_talker


@on_both_loops
async def test_words_that_come_while_it_is_decided_who_is_welcome_are_early() -> None:
    """However soon the peer then acknowledges the banner: on one host it does so before anybody looks."""
    may_decide = asyncio.Event()

    async def slowly(_: Connection) -> None:
        await may_decide.wait()

    async with listening({"connect": slowly}) as gateway:
        wire = await gateway.wire()
        await until(lambda: bool(gateway.told.connections))
        await wire.send(b"EHLO client.example\r\n")
        await wire.pause()
        may_decide.set()
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("250")
        assert gateway.told.all("helo")[0].early_talker


@on_both_loops
async def test_patient_client_is_no_early_talker() -> None:
    async with listening() as gateway:
        await gateway.greeted()
        assert not gateway.told.connections[0].early_talker
        assert not gateway.told.all("helo")[0].early_talker


@on_both_loops
async def test_early_talker_can_be_refused_before_the_banner() -> None:
    refused = reply("554 5.7.1", "Wait for the banner")
    async with listening({"connect": lambda connection: refused if connection.early_talker else None}) as gateway:
        wire = await blurt(gateway, b"EHLO client.example\r\n")
        assert await wire.octets() in (b"554 5.7.1 Wait for the banner\r\n", b"")
        await gateway.greeted()


class Near(asyncio.Protocol):
    """Our end of a Unix socket, which stands for a long way: what is sent counts until the peer has read it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.outbox = Outbox(loop, AT_ONCE)
        self.inbox = Inbox(loop, before_waiting=self.outbox.flush)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.outbox.transport = cast(asyncio.Transport, transport)
        self.inbox.attach(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self.inbox.receive(data)


@asynccontextmanager
async def long_way() -> AsyncIterator[tuple[Near, socket.socket]]:
    near, far = socket.socketpair()
    transport, protocol = await asyncio.get_running_loop().create_unix_connection(Near, sock=near)
    try:
        yield protocol, far
    finally:
        transport.close()
        far.close()


async def no_tls(_: Any) -> Any:
    raise AssertionError("nobody asked for TLS")


async def talk(dialogue: Dialogue, client: Connection) -> None:
    await dialogue.meet(client)
    await dialogue.talk()


@pytest.mark.parametrize("is_patient", [True, False])
@on_both_loops
async def test_words_that_acknowledge_no_banner_are_early(is_patient: bool) -> None:
    async with listening() as gateway, long_way() as (near, far):
        watchdog = Watchdog(asyncio.get_running_loop(), lambda: None)
        dialogue = Dialogue(gateway.front, near.inbox, near.outbox, watchdog, no_tls)
        client = Connection(id=dialogue.id, ip=ip_address("192.0.2.1"), port=9, role=Role.STRANGER, opened=0.0)
        talking = asyncio.create_task(talk(dialogue, client))
        await until(lambda: near.inbox.is_awaited)
        if is_patient:
            assert far.recv(100).startswith(b"220 ")
        far.sendall(b"EHLO client.example\r\n")
        await until(lambda: bool(gateway.told.all("helo")))
        assert not gateway.told.connections[0].early_talker
        assert gateway.told.all("helo")[0].early_talker is not is_patient
        talking.cancel()
        watchdog.stop()


@on_both_loops
async def test_what_the_peer_has_not_taken_and_what_it_has_sent() -> None:
    async with long_way() as (near, far):
        outbox, inbox = near.outbox, near.inbox
        assert (outbox.is_unheard, inbox.is_untouched) == (False, True)
        outbox.say(reply("220", "mx.example.net"))
        assert outbox.is_unheard
        outbox.flush()
        far.sendall(b"EHLO")
        assert (outbox.is_unheard, inbox.is_untouched) == (True, False)
        far.recv(100)
        assert not outbox.is_unheard


async def test_long_way() -> None:
    """The same over TCP: all that is sent and not acknowledged, the rest of a window that is full included."""
    server = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(server.getsockname())
    far, _ = server.accept()
    near.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    assert tcp.unacknowledged(transport) == 0
    while not transport.get_write_buffer_size():
        transport.write(bytes(1 << 20))
    assert tcp.unacknowledged(transport) > 0
    transport.abort()
    far.close()
    server.close()


@pytest.mark.parametrize("ask", [tcp.unread, tcp.unacknowledged])
async def test_connection_that_is_gone_has_nothing(ask: Any) -> None:
    async with listening() as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.transport.abort()
        await reader.read()
        await until(lambda: ask(writer.transport) == 0)
        assert ask(asyncio.Transport()) == 0
