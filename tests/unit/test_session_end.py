"""The end of a session: its last words leave in one packet with the end of the connection, and nothing else waits for
that."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from gateway.connection import Role
from gateway.reply import Reply
from gateway.session import SmtpSession
from gateway.smtp.caller import Caller
from gateway.system.burst import MANY, Burst
from gateway.system.tcp import send_with_the_end
from tests.support.front import Gateway, Slow, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until

CALLER = Caller(ip=ip_address("127.0.0.1"), port=1, role=Role.STRANGER)


def connected() -> tuple[socket.socket, socket.socket]:
    """A client, and our end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


async def answers(
    gateway: Gateway, words: bytes, begun: Callable[[SmtpSession], None] = lambda _: None
) -> tuple[bool, list[bytes]]:
    """Whether the connection of one who says this holds back in the end what is written, and what it is told."""
    client, ours = connected()
    copy = ours.dup()  # the session closes its own, and only with the last one the connection ends
    place = gateway.sessions.admit(CALLER.ip, CALLER.role)
    assert not isinstance(place, Reply)
    session = SmtpSession(gateway.front, CALLER)
    gateway.sessions.enter(session, place)
    begun(session)
    beginning = asyncio.create_task(session.begin(ours))
    client.sendall(words)
    await until(lambda: gateway.sessions.connections == 0)
    await beginning
    is_held_back = bool(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))
    copy.close()
    with client, client.makefile("rb") as told:
        return is_held_back, told.readlines()


@on_both_loops
async def test_goodbye_leaves_with_the_end_of_the_connection() -> None:
    async with listening() as gateway:
        is_held_back, told = await answers(gateway, b"QUIT\r\n")
    assert is_held_back
    assert told[-1] == b"221 2.0.0 Goodbye\r\n"


@on_both_loops
async def test_answer_that_leaves_with_the_goodbye_does_not_wait_for_the_end() -> None:
    async with listening() as gateway:
        is_held_back, told = await answers(gateway, b"NOOP\r\nQUIT\r\n")
    assert not is_held_back
    assert told[-2:] == [b"250 2.0.0 OK\r\n", b"221 2.0.0 Goodbye\r\n"]


@on_both_loops
async def test_goodbye_to_one_who_says_more_does_not_wait_for_the_end_which_may_be_a_reset() -> None:
    async with listening() as gateway:
        is_held_back, told = await answers(gateway, b"QUIT\r\nNOOP\r\n")
    assert not is_held_back
    assert told[-1] == b"221 2.0.0 Goodbye\r\n"


@on_both_loops
async def test_goodbye_that_is_gathered_with_what_others_are_told_leaves_before_the_end() -> None:
    async with listening(burst=Burst(lambda: MANY)) as gateway:
        _, told = await answers(gateway, b"NOOP\r\nQUIT\r\n")
    assert told[-2:] == [b"250 2.0.0 OK\r\n", b"221 2.0.0 Goodbye\r\n"]


@on_both_loops
async def test_goodbye_that_is_gathered_leaves_before_the_connection_is_cut() -> None:
    def cut_in_the_next_turn(session: SmtpSession) -> None:
        gateway.told.answers["reset"] = lambda _: session.loop.call_soon(session.cut)

    async with listening(burst=Burst(lambda: MANY)) as gateway:
        _, told = await answers(gateway, b"RSET\r\nQUIT\r\n", cut_in_the_next_turn)
    assert told[-2:] == [b"250 2.0.0 OK\r\n", b"221 2.0.0 Goodbye\r\n"]


@on_both_loops
async def test_client_that_goes_on_after_our_last_words_is_read_and_nothing_is_kept() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("BDAT x")).startswith("501 ")
        async with asyncio.timeout(5):
            await wire.send(b"x" * (1 << 25))


@on_both_loops
async def test_client_that_ends_amid_a_line_is_not_waited_for() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"NOO")
        await wire.pause()
        wire.half_close()
        assert await wire.rest() == ""
        await until(lambda: gateway.sessions.connections == 0)


@on_both_loops
async def test_client_that_closes_before_what_was_gathered_has_left_is_told_it_all() -> None:
    async with listening(burst=Burst(lambda: MANY)) as gateway:
        client = socket.create_connection(("127.0.0.1", gateway.port))
        gateway.told.answers["reset"] = lambda _: client.shutdown(socket.SHUT_WR)
        client.sendall(b"NOOP\r\nQUIT\r\n")
        await until(lambda: bool(gateway.told.connections) and gateway.sessions.connections == 0)
    with client, client.makefile("rb") as told:
        assert told.readlines()[-2:] == [b"250 2.0.0 OK\r\n", b"221 2.0.0 Goodbye\r\n"]


@on_both_loops
async def test_answer_to_one_who_says_no_more_is_told_before_the_visit_is_over() -> None:
    message, reset = Slow(), Slow()
    async with listening({"message": message, "reset": reset}) as gateway:
        wire = await gateway.in_data()
        await wire.send(b"x\r\n.\r\n")
        await until(lambda: len(gateway.told.messages) == 1)
        wire.half_close()
        await gateway.greeted()  # by when we know that
        message.go_on.set()
        try:
            assert (await wire.reply()).startswith("250 2.0.0 ")
        finally:
            reset.go_on.set()


@pytest.mark.parametrize("is_gone", [False, True])
def test_what_is_held_back_comes_before_the_end(is_gone: bool) -> None:
    client, ours = connected()
    if is_gone:
        ours.close()
    send_with_the_end(ours)
    if not is_gone:
        ours.sendall(b"221 Bye\r\n")
        ours.close()
    with client, client.makefile("rb") as told:
        assert told.readlines() == ([] if is_gone else [b"221 Bye\r\n"])
