"""The session in transcripts: what a client sends and what it is told (RFC 5321 sections 3 and 4)."""

import asyncio
import gc
import socket
from ipaddress import ip_address
from typing import cast

import pytest

from gateway.connection import Role
from gateway.envelope import Address
from gateway.reply import Reply, reply
from gateway.session import SmtpSession
from gateway.smtp.caller import Caller
from tests.support.front import Slow, listening, living_sessions
from tests.support.loops import on_both_loops
from tests.support.waiting import until


@on_both_loops
async def test_two_messages_on_one_connection() -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.transcript("""
            S: 220 mx.example.net ESMTP
            C: EHLO client.example
            S: 250-mx.example.net
            S: 250-8BITMIME
            S: 250-CHUNKING
            S: 250-ENHANCEDSTATUSCODES
            S: 250-HELP
            S: 250-LIMITS MAILMAX=1000 RCPTMAX=100
            S: 250-PIPELINING
            S: 250-SIZE 52428800
            S: 250 SMTPUTF8
            C: MAIL FROM:<a@example.org> SIZE=9 BODY=8BITMIME
            S: 250 2.1.0
            C: RCPT TO:<b@example.net>
            S: 250 2.1.5
            C: RCPT TO:<c@example.net>
            S: 250 2.1.5
            C: DATA
            S: 354 End data with <CR><LF>.<CR><LF>
            C: Subject: one
            C:
            C: ..
            C: .
            S: 250 2.0.0
            C: MAIL FROM:<>
            S: 250 2.1.0
            C: RCPT TO:<b@example.net>
            S: 250 2.1.5
            C: DATA
            S: 354
            C: .
            S: 250 2.0.0
            C: QUIT
            S: 221 2.0.0
            S: (end)
        """)
        assert gateway.told.messages == [b"Subject: one\r\n\r\n.\r\n", b""]
        first, second = gateway.told.all("mail")
        assert (str(first.sender), first.size, second.sender) == ("a@example.org", 9, None)
        (connection,) = gateway.told.connections
        assert (first.id, second.id) == (f"{connection.id}.1", f"{connection.id}.2")


@on_both_loops
async def test_pipelined_group_is_answered_in_order() -> None:
    refused = reply("550 5.1.1", "No such user")
    async with listening({"rcpt": lambda r: refused if r.address.local == "x" else None}) as gateway:
        wire = await gateway.greeted()
        await wire.transcript("""
            C: MAIL FROM:<a@example.org>
            C: RCPT TO:<b@example.net>
            C: RCPT TO:<x@example.net>
            C: DATA
            S: 250 2.1.0
            S: 250 2.1.5
            S: 550 5.1.1 No such user
            S: 354
            C: x
            C: .
            C: MAIL FROM:<a@example.org>
            C: RCPT TO:<x@example.net>
            C: DATA
            C: RSET
            C: QUIT
            S: 250 2.0.0
            S: 250 2.1.0
            S: 550 5.1.1
            S: 554 5.5.1 No valid recipients
            S: 250 2.0.0
            S: 221 2.0.0
            S: (end)
        """)
        assert gateway.told.messages == [b"x\r\n"]


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        (["MAIL FROM:<a@example.org>"], "503 5.5.1"),
        (["RCPT TO:<a@example.org>"], "503 5.5.1"),
        (["DATA"], "503 5.5.1"),
        (["EHLO"], "501 5.5.4"),
        (["EHLO two words"], "501 5.5.4"),
        (["EHLO c", "RCPT TO:<a@example.org>"], "503 5.5.1"),
        (["EHLO c", "DATA"], "503 5.5.1"),
        (["EHLO c", "MAIL FROM:<>", "DATA"], "554 5.5.1"),
        (["EHLO c", "MAIL FROM:<>", "MAIL FROM:<>"], "503 5.5.1"),
        (["EHLO c", "MAIL FROM:<>", "RCPT TO:<a@example.org>", "DATA now"], "501 5.5.4"),
        (["EHLO c", "MAIL FROM:<>", "EHLO c", "RCPT TO:<a@example.org>"], "503 5.5.1"),
        (["EHLO c", "MAIL FROM:<>", "RSET", "RCPT TO:<a@example.org>"], "503 5.5.1"),
        (["HELO c", "MAIL FROM:<> SIZE=1"], "555 5.5.4"),
        (["HELO c"], "250 mx.example.net"),
        (["NOOP"], "250 2.0.0"),
        (["NOOP anything at all"], "250 2.0.0"),
        (["RSET"], "250 2.0.0"),
        (["RSET x"], "501 5.5.4"),
        (["QUIT x"], "501 5.5.4"),
        (["VRFY postmaster"], "252 2.5.2"),
        (["VRFY"], "501 5.5.4"),
        (["EXPN staff"], "502 5.5.1"),
        (["HELP"], "214 2.0.0"),
        (["HELP MAIL"], "214 2.0.0"),
        (["AUTH PLAIN AGEAYg=="], "502 5.5.1"),
        (["ETRN example.org"], "502 5.5.1"),
        (["STARTTLS"], "503 5.5.1"),
        (["HOW ARE YOU"], "500 5.5.2"),
        ([""], "500 5.5.2"),
        (["NOOP " + "x" * 3000], "500 5.5.2"),
    ],
)
async def test_reply_to_the_last_command(commands: list[str], status: str) -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.reply()
        for command in commands:
            answer = await wire.command(command)
        assert answer.startswith(status)


STATES = {
    "before the greeting": [],
    "after HELO": ["HELO c"],
    "after EHLO": ["EHLO c"],
    "after a refused greeting": ["EHLO two words"],
    "after MAIL": ["EHLO c", "MAIL FROM:<>"],
    "after a refused MAIL": ["EHLO c", "MAIL FROM:<x>"],
    "after RCPT": ["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>"],
    "between chunks": ["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "BDAT 3\r\nx"],
    "after a failed chunk": ["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "BDAT 4\r\nx\n"],
    "after a message": ["EHLO c", "MAIL FROM:<>", "RCPT TO:<b@example.net>", "BDAT 3 LAST\r\nx"],
}
ANYWHERE = {"HELP": "214 2.0.0", "VRFY b@example.net": "252 2.5.2", "NOOP": "250 2.0.0", "EXPN x": "502 5.5.1"}


@pytest.mark.parametrize("state", STATES)
async def test_what_changes_nothing_can_be_said_in_every_state(state: str) -> None:
    async with listening() as gateway:
        quiet, chatty = await gateway.wire(), await gateway.wire()
        for wire in (quiet, chatty):
            await wire.reply()
            for command in STATES[state]:
                await wire.command(command)
        for command, answer in ANYWHERE.items():
            assert (await chatty.command(command)).startswith(answer)
        for command in ("RCPT TO:<c@example.net>", "BDAT 3 LAST\r\nx", "MAIL FROM:<>", "DATA"):
            assert await chatty.command(command) == await quiet.command(command)


@pytest.mark.parametrize("state", STATES)
async def test_client_can_leave_in_every_state(state: str) -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.reply()
        for command in STATES[state]:
            await wire.command(command)
        messages = len(gateway.told.messages)
        await wire.send(b"QUIT\r\nMAIL FROM:<>\r\n")
        assert await wire.rest() == "221 2.0.0 Goodbye\r\n"
        assert gateway.told.steps[-1][0] == "reset"
        assert len(gateway.told.messages) == messages


async def test_facts_of_the_connection() -> None:
    async with listening(roles=lambda ip: Role.INTERNAL if ip.is_loopback else Role.STRANGER) as gateway:
        await gateway.greeted()
        (connection,) = gateway.told.all("helo")
        assert (str(connection.ip), connection.role, connection.helo, connection.protocol, connection.early_talker) == (
            "127.0.0.1",
            Role.INTERNAL,
            "client.example",
            "ESMTP",
            False,
        )
        assert len(connection.id) == 16


@pytest.mark.parametrize("code", ["421 4.7.0", "554 5.7.1"])
async def test_refusal_in_place_of_the_banner_ends_the_connection(code: str) -> None:
    async with listening({"connect": reply(code, "Go away")}) as gateway:
        wire = await gateway.wire()
        assert await wire.rest() == f"{code} Go away\r\n"


async def test_refused_greeting_leaves_the_client_ungreeted() -> None:
    async with listening({"helo": lambda c: reply("550 5.7.1", "No") if c.helo == "bad" else None}) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("EHLO bad")).startswith("550 5.7.1")
        assert (await wire.command("MAIL FROM:<>")).startswith("503 5.5.1")
        assert (await wire.command("EHLO good")).startswith("250")


async def test_reply_does_not_wait_for_a_slow_command_behind_it() -> None:
    slow = Slow()
    async with listening({"rcpt": slow}) as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\n")
        assert (await wire.reply()).startswith("250 2.1.0 ")
        slow.go_on.set()
        assert (await wire.reply()).startswith("250 2.0.0 ")


async def test_client_that_did_not_wait_for_354_gets_it_before_the_answer() -> None:
    slow = Slow()
    async with listening({"message": slow}) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"DATA\r\nSubject: x\r\n\r\n.\r\n")
        try:
            assert (await wire.reply()).startswith("354 ")
        finally:
            slow.go_on.set()
        assert (await wire.reply()).startswith("250 2.0.0 ")


async def test_error_of_ours_is_told_before_the_visit_is_over() -> None:
    slow = Slow()
    async with listening({"mail": lambda _: 1 / 0}) as gateway:
        wire = await gateway.greeted()
        gateway.told.answers["reset"] = slow
        try:
            assert (await wire.command("MAIL FROM:<>")).startswith("451 4.3.0 ")
        finally:
            slow.go_on.set()
        assert (await wire.command("NOOP")).startswith("250 ")


async def test_refused_sender_begins_no_transaction() -> None:
    async with listening({"mail": reply("550 5.7.1", "No")}) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("MAIL FROM:<a@example.org>")).startswith("550 5.7.1")
        assert (await wire.command("RCPT TO:<b@example.net>")).startswith("503 5.5.1")


async def test_421_of_the_visit_closes_the_connection() -> None:
    async with listening({"rcpt": reply("421 4.3.2", "Not now")}) as gateway:
        wire = await gateway.greeted()
        await wire.transcript("""
            C: MAIL FROM:<>
            S: 250
            C: RCPT TO:<b@example.net>
            C: NOOP
            S: 421 4.3.2 Not now
            S: (end)
        """)


async def test_verdict_is_the_answer_to_the_message() -> None:
    async with listening({"message": reply("550 5.7.1", "Spam")}) as gateway:
        wire = await gateway.in_data()
        assert await wire.command("Spam\r\n.") == "550 5.7.1 Spam"
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")


async def test_recipients_above_the_limit_are_for_another_transaction() -> None:
    async with listening(max_recipients=100) as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<b@example.net>\r\n" * 5000)
        replies = [await wire.reply() for _ in range(5001)]
        assert [line[:9] for line in replies] == ["250 2.1.0"] + ["250 2.1.5"] * 100 + ["452 4.5.3"] * 4900
        assert len(gateway.told.all("rcpt")) == 100
        assert (await wire.command("DATA")).startswith("354")


async def test_declared_size_above_the_limit() -> None:
    async with listening(max_size=65536) as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("MAIL FROM:<> SIZE=65537")).startswith("552 5.3.4")
        assert (await wire.command("MAIL FROM:<> SIZE=65536")).startswith("250 ")


async def test_message_above_the_limit_is_refused_at_its_end_and_the_session_goes_on() -> None:
    async with listening(max_size=65536) as gateway:
        wire = await gateway.in_data()
        await wire.send(b"x" * 998 + b"\r\n")
        assert (await wire.command(("x" * 998 + "\r\n") * 100 + ".")).startswith("552 5.3.4")
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
        assert gateway.told.messages == []


async def test_sender_who_never_stops_is_cut_off() -> None:
    async with listening(max_size=65536) as gateway:
        wire = await gateway.in_data()
        await wire.send(b"x\r\n" * 100_000)
        assert (await wire.rest()).startswith("552 5.3.4")


async def test_help_names_no_command_that_is_not_implemented() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        _, _, _, *commands = (await wire.command("HELP")).split()
        assert {"MAIL", "DATA", "QUIT"} < set(commands)
        assert not {"AUTH", "EXPN", "ETRN"} & set(commands)


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"a bare\nLF\r\n.\r\n", "554 5.6.11"),
        (b"a NUL\0\r\n.\r\n", "554 5.6.11"),
        (b"x" * 2000 + b"\r\n.\r\n", "554 5.6.11"),
        (b"x\r\n" * 30_000 + b".\r\n", "552 5.3.4"),
        (b"x\r\n" * 100_000, "552 5.3.4"),
    ],
    ids=["bare-lf", "nul", "long-line", "too-large", "without-end"],
)
async def test_visit_is_told_why_a_message_was_refused_while_it_was_collected(octets: bytes, status: str) -> None:
    async with listening(max_size=65536, max_line=1000) as gateway:
        wire = await gateway.in_data()
        await wire.send(octets)
        answer = await wire.reply()
        assert answer.startswith(status)
        assert [str(refusal) for refusal in gateway.told.all("refused")] == [answer]
        assert [step for step, _ in gateway.told.steps if step != "reset"][-2:] == ["rcpt", "refused"]


async def test_smtputf8_addresses_arrive() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("MAIL FROM:<jürgen@bücher.example>")).startswith("553 5.6.7")
        assert (await wire.command("MAIL FROM:<jürgen@bücher.example> SMTPUTF8")).startswith("250 ")
        assert (await wire.command("RCPT TO:<ä@example.net>")).startswith("250 ")
        assert gateway.told.all("mail")[0].sender == Address("jürgen", "xn--bcher-kva.example")


@on_both_loops
async def test_client_that_talks_before_the_banner_is_seen() -> None:
    async with listening(banner_delay=0.2) as gateway:
        wire = await gateway.wire()
        await wire.send(b"EHLO client.example\r\n")
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("250")
        assert gateway.told.connections[0].early_talker


@on_both_loops
async def test_patient_client_waits_for_the_banner() -> None:
    async with listening(banner_delay=0.05) as gateway:
        await gateway.greeted()
        assert not gateway.told.connections[0].early_talker


async def test_half_closed_client_still_gets_its_replies() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        await wire.send(b"x\r\n.\r\nNOOP\r\n")
        wire.half_close()
        assert [line[:9] for line in (await wire.rest()).splitlines()] == [
            "250 2.1.0",
            "250 2.1.5",
            "354 End d",
            "250 2.0.0",
            "250 2.0.0",
        ]
        assert gateway.told.messages == [b"x\r\n"]


class HastilyEnded(SmtpSession):
    """One whose connection ends before its task has come to its first step, as uvloop has it in a flood."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.eof_received():
            transport.close()


class HastilyCut(SmtpSession):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        cast(asyncio.Transport, transport).abort()
        self.cut()


@pytest.mark.parametrize("hasty", [HastilyEnded, HastilyCut])
@on_both_loops
async def test_session_that_ends_before_its_first_step_keeps_no_place(hasty: type[SmtpSession]) -> None:
    caller = Caller(ip=ip_address("127.0.0.1"), port=1, role=Role.STRANGER)
    async with listening() as gateway:
        place = gateway.sessions.admit(caller.ip, caller.role)
        assert not isinstance(place, Reply)
        session = hasty(gateway.front, caller)
        gateway.sessions.enter(session, place)
        client, ours = socket.socketpair()
        ours.setblocking(False)
        await asyncio.gather(asyncio.create_task(session.begin(ours)), return_exceptions=True)
        client.close()
        await until(lambda: gateway.sessions.connections == 0)


@pytest.mark.parametrize("says_quit", [True, False])
@on_both_loops
async def test_session_that_has_ended_is_freed_without_the_garbage_collector(says_quit: bool) -> None:
    gc.collect()
    gc.disable()
    try:
        async with listening() as gateway:
            wire = await gateway.in_data()
            assert (await wire.command("x\r\n.")).startswith("250 ")
            assert len(living_sessions()) == 1
            if says_quit:
                assert (await wire.command("QUIT")).startswith("221 ")
            else:
                wire.reset()
            await until(lambda: not living_sessions())
    finally:
        gc.enable()
