"""What a client may do, and for how long: deadlines, counts, and the end of a worker."""

import asyncio
import logging
import socket
import time
from ipaddress import ip_address
from typing import Any

import pytest

from gateway.connection import Role
from gateway.reply import Reply, reply
from gateway.smtp.collecting import Pieces
from gateway.smtp.inbox import Inbox
from gateway.smtp.processing import Bounds
from gateway.smtp.settings import SessionSettings
from gateway.system.board import Board
from gateway.system.watchdog import Watchdog
from tests.support.front import ACCEPTED, Slow, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until
from tests.support.wire import Wire

ONE = Bounds(at_once=1)
NO_SUCH_USER = reply("550 5.1.1", "No such user")


@on_both_loops
async def test_silent_client_is_told_and_left() -> None:
    async with listening(command_timeout=0.05) as gateway:
        wire = await gateway.greeted()
        assert (await wire.rest()).startswith("421 4.4.2 ")
        await wire.close()
        await until(lambda: gateway.sessions.connections == 0)
        assert gateway.told.steps[-1][0] == "reset"


async def test_log_says_why_a_connection_was_ended_by_us(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening(command_timeout=0.05) as gateway:
        wire = await gateway.with_recipient()
        assert (await wire.rest()).startswith("421 4.4.2 ")
        await until(lambda: "(127.0.0.1): ended by us: 421 4.4.2 Timed out waiting for you" in caplog.text)
        assert gateway.told.all("helo")[0].id in caplog.text


async def test_connection_that_its_client_ends_is_not_noted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with listening() as gateway:
        polite, hasty = await gateway.greeted(), await gateway.greeted()
        assert (await polite.command("QUIT")).startswith("221 ")
        await hasty.close()
        await until(lambda: gateway.sessions.connections == 0)
    assert "gateway.session" not in [record.name for record in caplog.records]


@pytest.mark.parametrize("command", ["NOOP", "RSET", "EHLO client.example", "HELP"])
@pytest.mark.parametrize("limit", ["idle_timeout", "connection_timeout"])
async def test_commands_without_a_message_extend_nothing(command: str, limit: str) -> None:
    async with listening(max_commands=10**6, **{limit: 0.1}) as gateway:
        wire = await gateway.greeted()
        started, answer = time.monotonic(), ""
        while not answer.startswith("421"):
            answer = await wire.command(command)
            assert time.monotonic() - started < 2
        assert answer.startswith("421 4.4.2 ")


@on_both_loops
async def test_slow_message_runs_into_the_deadline_of_the_whole() -> None:
    async with listening(data_timeout=0.1) as gateway:
        wire = await gateway.in_data()
        answer = asyncio.create_task(wire.reply())
        while not answer.done():
            await wire.send(b"x\r\n")
            await asyncio.sleep(0.01)
        assert answer.result().startswith("421 4.4.2 ")
        assert gateway.told.messages == []


async def test_silence_within_a_message_runs_into_the_deadline_of_a_block() -> None:
    async with listening(block_timeout=0.05) as gateway:
        wire = await gateway.in_data()
        await wire.send(b"x\r\n")
        assert (await wire.rest()).startswith("421 4.4.2 ")
        await until(lambda: gateway.told.steps[-1][0] == "reset")


async def test_no_deadline_of_the_session_cuts_what_the_visit_does() -> None:
    async def slow(_: bytes) -> Reply:
        await asyncio.sleep(0.2)
        return ACCEPTED

    limits = {"command_timeout": 0.05, "block_timeout": 0.05, "data_timeout": 0.05}
    async with listening({"message": slow}, **limits) as gateway:
        wire = await gateway.in_data()
        assert await wire.command("x\r\n.") == "250 2.0.0 Accepted"


async def test_nor_what_it_does_for_commands_that_came_with_the_first() -> None:
    async def slow(_: Any) -> None:
        await asyncio.sleep(0.2)

    async with listening({"helo": slow}, command_timeout=0.05) as gateway:
        wire = await gateway.wire()
        await wire.reply()
        await wire.send(b"EHLO client.example\r\nQUIT\r\n")
        assert "221 2.0.0" in await wire.rest()


@on_both_loops
async def test_client_that_does_not_read_is_left() -> None:
    async with listening(command_timeout=0.1, max_commands=10**6) as gateway:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that the kernel does not read for it
        sock.connect(("127.0.0.1", gateway.port))
        sock.setblocking(False)
        wire = Wire(*await asyncio.open_connection(sock=sock))
        wire.stop_reading()
        flood = asyncio.create_task(wire.send(b"HELP\r\n" * 1_000_000))
        await until(lambda: gateway.sessions.connections == 1)
        await until(lambda: gateway.sessions.connections == 0)
        flood.cancel()
        wire.abort()


async def test_too_many_errors() -> None:
    async with listening(max_errors=3) as gateway:
        wire = await gateway.greeted()
        await wire.transcript("""
            C: ONE
            S: 500 5.5.2
            C: TWO
            S: 500 5.5.2
            C: MAIL
            S: 501 5.5.4
            C: FOUR
            C: MAIL FROM:<>
            S: 500 5.5.2
            S: 421 4.7.0 Too many errors
            S: (end)
        """)


async def test_commands_pipelined_behind_a_refused_sender_are_no_errors() -> None:
    async with listening({"mail": reply("451 4.7.1", "Later")}, max_errors=3) as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<b@example.net>\r\n" * 50 + b"DATA\r\nRSET\r\n")
        answers = [(await wire.reply())[:9] for _ in range(53)]
        assert answers == ["451 4.7.1", *["503 5.5.1"] * 51, "250 2.0.0"]


async def test_too_many_commands_without_a_message() -> None:
    async with listening(max_commands=10) as gateway:
        wire = await gateway.greeted()
        answers = [await wire.command("NOOP") for _ in range(10)]
        assert [answer[:9] for answer in answers] == ["250 2.0.0"] * 9 + ["421 4.7.0"]


async def test_an_accepted_message_forgives() -> None:
    async with listening(max_commands=10, max_errors=3) as gateway:
        wire = await gateway.greeted()
        for _ in range(5):
            await wire.transcript("""
                C: BOGUS
                S: 500
                C: MAIL FROM:<>
                S: 250
                C: RCPT TO:<b@example.net>
                S: 250
                C: DATA
                S: 354
                C: .
                S: 250 2.0.0
            """)


async def test_guessing_addresses_ends_the_connection() -> None:
    async with listening({"rcpt": NO_SUCH_USER}, max_refused_recipients=2) as gateway:
        wire = await gateway.greeted()
        await wire.transcript("""
            C: MAIL FROM:<>
            S: 250
            C: RCPT TO:<a@example.net>
            C: RCPT TO:<b@example.net>
            C: RCPT TO:<c@example.net>
            S: 550 5.1.1
            S: 550 5.1.1
            S: 550 5.1.1
            S: 421 4.7.0 Too many refused recipients
            S: (end)
        """)


async def test_too_many_messages_on_one_connection() -> None:
    async with listening(max_messages=1) as gateway:
        wire = await gateway.in_data()
        assert (await wire.command(".")).startswith("250 ")
        assert (await wire.command("MAIL FROM:<>")).startswith("421 4.7.0 ")


async def test_too_many_octets_on_one_connection() -> None:
    async with listening(max_octets=1 << 20) as gateway:
        wire = await gateway.greeted()
        for answer in ("250 2.1.0", "250 2.1.0", "421 4.7.0"):
            assert (await wire.command("MAIL FROM:<>")).startswith(answer)
            if answer[0] == "2":
                assert (await wire.command("RCPT TO:<b@example.net>")).startswith("250 ")
                assert (await wire.command("DATA")).startswith("354 ")
                assert (await wire.command("x\r\n" * 200_000 + ".")).startswith("250 ")
        assert (await wire.rest()) == ""


@pytest.mark.parametrize("verb", ["DATA", "BDAT"])
async def test_octets_of_refused_messages_count_too(verb: str) -> None:
    octets = b"bare\n" * 150_000
    begin, end = (b"DATA\r\n", b"\r\n.\r\n") if verb == "DATA" else (b"BDAT %d LAST\r\n" % len(octets), b"")
    async with listening(max_octets=1 << 20) as gateway:
        wire = await gateway.greeted()
        for answer in ("250 2.1.0", "250 2.1.0", "421 4.7.0"):
            assert (await wire.command("MAIL FROM:<>")).startswith(answer)
            if answer[0] == "2":
                assert (await wire.command("RCPT TO:<b@example.net>")).startswith("250 ")
                await wire.send(begin + octets + end)
                if verb == "DATA":
                    assert (await wire.reply()).startswith("354 ")
                assert (await wire.reply()).startswith("554 5.6.11 ")


async def test_too_many_recipients_on_one_connection() -> None:
    async with listening(max_all_recipients=150) as gateway:
        wire = await gateway.greeted()
        for answer in ("250 2.1.0", "250 2.1.0", "421 4.7.0"):
            assert (await wire.command("MAIL FROM:<>")).startswith(answer)
            if answer[0] == "2":
                await wire.send(b"RCPT TO:<b@example.net>\r\n" * 100 + b"RSET\r\n")
                assert [(await wire.reply())[:4] for _ in range(101)] == ["250 "] * 101


async def test_message_that_comes_too_slowly_on_the_whole() -> None:
    """Each octet is in time, and the whole would be too; but the rate is none."""
    async with listening(block_timeout=0.2, min_rate=10_000) as gateway:
        wire = await gateway.in_data()
        answer = asyncio.create_task(wire.reply())
        while not answer.done():
            await wire.send(b"x\r\n")
            await asyncio.sleep(0.01)
        assert answer.result().startswith("421 4.4.2 ")


async def test_time_of_a_message_grows_with_what_has_come_of_it() -> None:
    loop = asyncio.get_running_loop()
    limits = SessionSettings(block_timeout=10, data_timeout=1000, min_rate=100)
    watchdog = Watchdog(loop, lambda: None)
    pieces = Pieces(Inbox(loop), watchdog, limits)
    began = pieces._began
    for octets, now, deadline in (
        (0, 0, 10),
        (0, 9, 10),
        (500, 9, 15),
        (5000, 9, 19),
        (10**9, 9, 19),
        (10**9, 995, 1000),
    ):
        pieces.octets, watchdog.now = octets, lambda now=now: began + now
        assert round(pieces.deadline - began, 3) == deadline


@on_both_loops
async def test_refused_stranger_waits_in_the_tarpit() -> None:
    async with listening({"rcpt": NO_SUCH_USER}, tarpit=0.2) as gateway:
        wire = await gateway.greeted()
        for command in ("BOGUS", "MAIL FROM:<>", "RCPT TO:<a@example.net>", "RCPT TO:<b@example.net>"):
            sent = time.monotonic()
            refused = (await wire.command(command))[0] == "5"
            assert (await wire.command("NOOP")).startswith("250 ")
            assert not refused or time.monotonic() - sent > 0.15
        assert gateway.told.steps.count(("let_go", None)) == 3


@pytest.mark.parametrize("more", [{"roles": lambda _: Role.INTERNAL}, {"max_connections": 1}, {"tarpit": 0}])
async def test_nobody_else_waits_in_the_tarpit(more: dict[str, Any]) -> None:
    async with listening(**{"tarpit": 60, "max_errors": 100} | more) as gateway:
        wire = await gateway.greeted()
        for _ in range(20):
            assert (await wire.command("BOGUS")).startswith("500 ")
        assert ("let_go", None) not in gateway.told.steps


@on_both_loops
async def test_client_that_leaves_the_tarpit_is_gone() -> None:
    for leave in ("half_close", "abort", "reset"):
        async with listening(tarpit=60) as gateway:
            wire = await gateway.greeted()
            assert (await wire.command("BOGUS")).startswith("500 ")
            getattr(wire, leave)()
            await until(lambda gateway=gateway: gateway.told.steps[-1][0] == "reset")
            wire.abort()
            await until(lambda gateway=gateway: gateway.sessions.connections == 0)


async def test_own_networks_may_send_as_much_as_they_like() -> None:
    limits = {"max_messages": 1, "max_refused_recipients": 1, "max_commands": 10}
    async with listening({"rcpt": NO_SUCH_USER}, roles=lambda _: Role.INTERNAL, **limits) as gateway:
        wire = await gateway.greeted()
        for _ in range(20):
            assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
            assert (await wire.command("RCPT TO:<a@example.net>")).startswith("550 ")
            assert (await wire.command("RSET")).startswith("250 ")


@on_both_loops
async def test_connections_above_the_cap_are_refused_politely() -> None:
    async with listening(max_connections=2) as gateway:
        first, _ = await gateway.greeted(), await gateway.greeted()
        third = await gateway.wire()
        assert (await third.rest()).startswith("421 4.3.2 Too many connections")
        await first.transcript("""
            C: QUIT
            S: 221 2.0.0
            S: (end)
        """)
        await first.close()
        await until(lambda: gateway.sessions.connections == 1)
        await gateway.greeted()


@on_both_loops
async def test_drain_lets_idle_clients_go_at_once() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await asyncio.wait_for(gateway.sessions.drain(60), 1)
        assert (await wire.rest()).startswith("421 4.3.2 Service is shutting down")
        late = await gateway.wire()
        assert (await late.rest()).startswith("421 4.3.2 ")


@on_both_loops
async def test_drain_lets_a_transaction_finish_and_no_other_begin() -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        drain = asyncio.create_task(gateway.sessions.drain(60))
        await until(lambda: gateway.sessions.is_draining)
        await wire.transcript("""
            C: DATA
            S: 354
            C: x
            C: .
            C: MAIL FROM:<a@example.org>
            S: 250 2.0.0 Accepted
            S: 421 4.3.2 Service is shutting down
            S: (end)
        """)
        await asyncio.wait_for(drain, 1)
        assert gateway.told.messages == [b"x\r\n"]


@on_both_loops
async def test_drain_cuts_what_is_slow_and_waits_for_what_is_past_the_final_dot() -> None:
    slow = Slow()

    async def never(recipient: Any) -> Reply | None:
        return await asyncio.sleep(3600) if recipient.address.local == "slow" else None

    async with listening({"message": slow, "rcpt": never}) as gateway:
        in_data, asking, finishing = await gateway.in_data(), await gateway.greeted(), await gateway.in_data()
        await asking.command("MAIL FROM:<>")
        await asking.send(b"RCPT TO:<slow@example.net>\r\n")
        await in_data.send(b"half a mess")
        await finishing.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1 and len(gateway.told.all("rcpt")) == 3)
        drain = asyncio.create_task(gateway.sessions.drain(0.05))
        for cut in (in_data, asking):
            assert (await cut.rest()).startswith("421 4.3.2 ")
            await cut.close()
        await until(lambda: gateway.sessions.connections == 1)
        assert not drain.done()
        slow.go_on.set()
        assert (await finishing.rest()).startswith("250 2.0.0 Accepted\r\n421 4.3.2 ")
        await asyncio.wait_for(drain, 1)
        assert gateway.told.messages == [b"x\r\n"]


async def test_our_own_hosts_find_a_place_when_strangers_hold_all() -> None:
    ours = {ip_address("127.0.0.2"): Role.RELAY, ip_address("127.0.0.3"): Role.INTERNAL}
    async with listening(max_connections=1, roles=lambda ip: ours.get(ip, Role.STRANGER)) as gateway:
        first = await gateway.greeted()
        full = await gateway.wire()
        assert (await full.reply()).startswith("421 4.3.2 ")
        for ip in ours:
            wire = Wire(*await asyncio.open_connection("127.0.0.1", gateway.port, local_addr=(str(ip), 0)))
            assert (await wire.reply()).startswith("220 ")
        await first.close()


async def test_connections_of_one_address_above_its_limit_are_refused() -> None:
    async with listening(max_connections_per_address=2) as gateway:
        first, _ = await gateway.greeted(), await gateway.greeted()
        assert (await (await gateway.wire()).rest()).startswith("421 4.7.0 Too many connections from your address")
        await first.close()
        await until(lambda: gateway.sessions.connections == 1)
        await gateway.greeted()


async def test_connections_of_one_network_above_its_limit_are_refused() -> None:
    async with listening(max_connections_per_prefix=1) as gateway:
        first = await gateway.greeted()
        assert (await (await gateway.wire()).rest()).startswith("421 4.7.0 Too many connections from your network")
        await first.close()


async def test_log_says_once_in_a_while_that_clients_are_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(max_connections_per_address=1) as gateway:
        first = await gateway.greeted()
        for _ in range(5):
            assert (await (await gateway.wire()).rest()).startswith("421 4.7.0 ")
        await first.close()
    assert [record.getMessage() for record in caplog.records] == [
        "clients are turned away, such as 127.0.0.1: 421 4.7.0 Too many connections from your address, try again later"
    ]


async def test_limits_are_those_of_all_workers() -> None:
    board = Board.private(keys=64, regions=2)
    here, there = (board.region(board.hand_out()) for _ in range(2))
    async with (
        listening(max_connections_per_address=1, region=here) as one,
        listening(max_connections_per_address=1, region=there) as other,
    ):
        first = await one.greeted()
        assert (await (await other.wire()).rest()).startswith("421 4.7.0 ")
        await first.command("QUIT")
        await until(lambda: one.sessions.connections == 0)
        await other.greeted()


async def test_message_is_refused_at_mail_and_data_while_as_many_are_processed_as_may_be() -> None:
    slow = Slow()
    async with listening({"message": slow}, messages=ONE) as gateway:
        before_mail, before_data = await gateway.greeted(), await gateway.with_recipient()
        processed = await gateway.in_data()
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        assert (await before_mail.command("MAIL FROM:<a@example.org>")).startswith("452 4.3.1 Too many messages")
        assert (await before_data.command("DATA")).startswith("452 4.3.1 ")
        slow.go_on.set()
        assert (await processed.reply()).startswith("250 ")
        assert (await before_data.command("DATA")).startswith("354 ")
        assert (await before_data.command(".")).startswith("250 ")
        assert (await before_mail.command("MAIL FROM:<a@example.org>")).startswith("250 ")


async def test_commands_pipelined_behind_a_sender_refused_for_load_are_no_errors() -> None:
    slow = Slow()
    async with listening({"message": slow}, messages=ONE, max_errors=1) as gateway:
        processed, wire = await gateway.in_data(), await gateway.greeted()
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        await wire.send(b"MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\nRSET\r\n")
        assert [(await wire.reply())[:3] for _ in range(5)] == ["452", "503", "503", "503", "250"]
        slow.go_on.set()


async def test_message_whose_final_dot_comes_when_there_is_no_room_is_refused_and_told_to_the_visit() -> None:
    slow = Slow()
    async with listening({"message": slow}, messages=ONE) as gateway:
        processed, late = await gateway.in_data(), await gateway.in_data()
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        assert (await late.command("y\r\n.")).startswith("452 4.3.1 ")
        assert gateway.told.steps[-1][0] == "refused"
        slow.go_on.set()
        assert (await processed.reply()).startswith("250 ")
        assert gateway.told.messages == [b"x\r\n"]
        assert gateway.sessions.messages == 0


async def test_messages_processed_are_those_of_all_workers() -> None:
    slow, board = Slow(), Board.private(keys=64, regions=2)
    here, there = (board.region(board.hand_out()) for _ in range(2))
    async with (
        listening({"message": slow}, messages=ONE, region=here) as one,
        listening(messages=ONE, region=there) as other,
    ):
        processed, wire = await one.in_data(), await other.greeted()
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: one.sessions.messages == 1)
        assert (await wire.command("MAIL FROM:<>")).startswith("452 4.3.1 ")
        slow.go_on.set()
        assert (await processed.reply()).startswith("250 ")
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")


async def test_a_message_waits_for_its_turn() -> None:
    slow = Slow()
    async with listening({"message": slow}, messages=Bounds(at_once=1, waiting=9)) as gateway:
        processed, late, later = [await gateway.in_data() for _ in range(3)]
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        for wire, text in ((late, b"y"), (later, b"z")):
            await wire.send(text + b"\r\n.\r\n")
            assert (await (await gateway.greeted()).command("MAIL FROM:<>")).startswith("250 ")
        waiting = gateway.told.messages.copy()
        slow.go_on.set()
        for wire in (processed, late, later):
            assert (await wire.reply()).startswith("250 ")
        assert waiting == [b"x\r\n"]
        assert gateway.told.messages == [b"x\r\n", b"y\r\n", b"z\r\n"]
        assert gateway.sessions.messages == 0


async def test_a_message_that_has_waited_too_long_is_to_come_again() -> None:
    slow = Slow()
    async with listening({"message": slow}, messages=Bounds(at_once=1, waiting=9, seconds=0.05)) as gateway:
        processed, late = await gateway.in_data(), await gateway.in_data()
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        assert (await late.command("y\r\n.")).startswith("452 4.3.1 ")
        assert gateway.told.steps[-1][0] == "refused"
        slow.go_on.set()
        assert (await processed.reply()).startswith("250 ")
        assert gateway.told.messages == [b"x\r\n"]


@pytest.mark.parametrize(("leaves", "told"), [("half", [b"x\r\n", b"y\r\n"]), ("wholly", [b"x\r\n"])])
async def test_a_client_that_waits_may_close_its_half_and_one_that_is_gone_is_not_served(
    leaves: str, told: list[bytes]
) -> None:
    slow = Slow()
    async with listening({"message": slow}, messages=Bounds(at_once=1, waiting=9)) as gateway:
        processed, late = await gateway.in_data(), await gateway.in_data()
        await processed.send(b"x\r\n.\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        await late.send(b"y\r\n.\r\n")
        if leaves == "half":
            late.half_close()
            await (await gateway.greeted()).command("NOOP")  # by then its end has been seen
        else:
            late.reset()
            await until(lambda: gateway.sessions.connections == 1)
        slow.go_on.set()
        assert (await processed.reply()).startswith("250 ")
        if leaves == "half":
            assert (await late.reply()).startswith("250 ")
        await until(lambda: gateway.sessions.messages == 0)
        assert gateway.told.messages == told
