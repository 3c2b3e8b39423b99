"""CHUNKING (RFC 3030): messages by BDAT, in transcripts, and chunks that are torn apart anywhere."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reply import reply
from gateway.smtp.chunks import Chunk, ChunkReader, parse_chunk
from gateway.smtp.intake import Fault, Intake
from gateway.smtp.offer import Extension
from tests.support.front import Gateway, Slow, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("argument", "chunk"),
    [
        ("0", Chunk(0, is_last=False)),
        ("0 LAST", Chunk(0, is_last=True)),
        ("86 last", Chunk(86, is_last=True)),
        ("0086   LAST", Chunk(86, is_last=True)),
        ("", None),
        ("LAST", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("0x10", None),
        ("١", None),
        ("5 FIRST", None),
        ("5 LAST LAST", None),
        ("5\tLAST", None),
        ("9" * 21, None),
    ],
)
def test_argument_of_bdat(argument: str, chunk: Chunk | None) -> None:
    assert parse_chunk(argument) == chunk


def read(pieces: list[bytes], *, max_size: int = 10**6, max_line: int = 10**6) -> tuple[bytes, Fault | None]:
    written = bytearray()
    intake = Intake(written.extend, max_size=max_size, max_line=max_line)
    reader = ChunkReader(intake)
    for piece in pieces:
        reader.feed(bytearray(piece))
    reader.end()
    return bytes(written), intake.fault


TEXT = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b".", b"\r\n.\r\n", b"a", b"bc"]), max_size=30).map(
    b"".join
)


@given(TEXT, st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_where_chunks_end_does_not_matter(octets: bytes, sizes: list[int]) -> None:
    pieces, place, turn = [], 0, 0
    while place < len(octets):
        pieces.append(octets[place : place + sizes[turn % len(sizes)]])
        place, turn = place + len(pieces[-1]), turn + 1
    written, fault = read(pieces)
    without = octets.replace(b"\r\n", b"")
    assert (fault in (Fault.BARE_LINE_END, Fault.NUL)) == any(octet in without for octet in (b"\r", b"\n", b"\0"))
    if fault is None:
        ended = octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"
        assert written == ended


@pytest.mark.parametrize(
    ("pieces", "message", "fault"),
    [
        ([], b"", None),
        ([b"a\r", b"\nb\r", b"\n"], b"a\r\nb\r\n", None),
        ([b"no line end"], b"no line end\r\n", None),
        ([b"a\r"], b"", Fault.BARE_LINE_END),
        ([b"a\r", b"b\r\n"], b"", Fault.BARE_LINE_END),
        ([b"x" * 98 + b"\r", b"\n"], b"x" * 98 + b"\r\n", None),
        ([b"x" * 50, b"x" * 49, b"\r\n"], b"x" * 50, Fault.LONG_LINE),
        ([b"x\r\n" * 30, b"x\r\n" * 30], b"x\r\n" * 30, Fault.TOO_LARGE),
    ],
)
def test_chunks(pieces: list[bytes], message: bytes, fault: Fault | None) -> None:
    written, found = read(pieces, max_size=150, max_line=100)
    assert (written.startswith(message), found) == (True, fault)


@on_both_loops
async def test_message_in_chunks() -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.transcript("""
            S: 220
            C: EHLO client.example
            S: 250-mx.example.net
            S: 250-8BITMIME
            S: 250-CHUNKING
            S: 250-ENHANCEDSTATUSCODES
            S: 250-HELP
            S: 250-LIMITS
            S: 250-PIPELINING
            S: 250-SIZE
            S: 250 SMTPUTF8
            C: MAIL FROM:<a@example.org>
            S: 250 2.1.0
            C: RCPT TO:<b@example.net>
            S: 250 2.1.5
            C: BDAT 14
            C: Subject: one
            S: 250 2.0.0 Chunk taken
            C: BDAT 0
            S: 250 2.0.0 Chunk taken
            C: NOOP
            S: 250 2.0.0
            C: BDAT 7 LAST
            C:
            C: .
            C:
            S: 250 2.0.0 Accepted
            C: QUIT
            S: 221 2.0.0
            S: (end)
        """)
        assert gateway.told.messages == [b"Subject: one\r\n\r\n.\r\n\r\n"]


@on_both_loops
async def test_everything_in_one_packet() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.transcript("""
            C: MAIL FROM:<a@example.org>
            C: RCPT TO:<b@example.net>
            C: BDAT 5
            C: one
            C: BDAT 5
            C: two
            C: BDAT 0 LAST
            C: MAIL FROM:<a@example.org>
            C: RCPT TO:<b@example.net>
            C: BDAT 6 LAST
            C: QUIT
            C: QUIT
            S: 250 2.1.0
            S: 250 2.1.5
            S: 250 2.0.0 Chunk taken
            S: 250 2.0.0 Chunk taken
            S: 250 2.0.0 Accepted
            S: 250 2.1.0
            S: 250 2.1.5
            S: 250 2.0.0 Accepted
            S: 221 2.0.0
            S: (end)
        """)
        assert gateway.told.messages == [b"one\r\ntwo\r\n", b"QUIT\r\n"]


async def test_octet_by_octet() -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.trickle(b"BDAT 6\r\none\r\nt" + b"BDAT 4 LAST\r\nwo\r\n" + b"QUIT\r\n")
        assert [line[:9] for line in (await wire.rest()).splitlines()] == ["250 2.0.0", "250 2.0.0", "221 2.0.0"]
        assert gateway.told.messages == [b"one\r\ntwo\r\n"]


async def test_nothing_in_a_chunk_is_a_command_or_an_end() -> None:
    inner = b"x\r\n.\r\nMAIL FROM:<evil@example.org>\r\n..\r\nRSET\r\n"
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT %d LAST\r\n%s" % (len(inner), inner))
        assert (await wire.reply()).startswith("250 2.0.0 Accepted")
        assert gateway.told.messages == [inner]
        assert len(gateway.told.all("mail")) == 1


async def test_verdict_is_the_answer_to_the_last_chunk() -> None:
    async with listening({"message": reply("550 5.7.1", "Spam")}) as gateway:
        wire = await gateway.with_recipient()
        await wire.transcript("""
            C: BDAT 6
            C: Spam
            S: 250 2.0.0 Chunk taken
            C: BDAT 0 LAST
            S: 550 5.7.1 Spam
            C: BDAT 0 LAST
            S: 503 5.5.1 Send MAIL first
            C: MAIL FROM:<>
            S: 250
        """)


async def test_message_without_its_last_line_end_gets_one() -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 4 LAST\r\ntext")
        assert (await wire.reply()).startswith("250 ")
        assert gateway.told.messages == [b"text\r\n"]


async def test_reset_between_chunks_forgets_them() -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.transcript("""
            C: BDAT 5
            C: one
            S: 250 2.0.0
            C: RSET
            S: 250 2.0.0 OK
            C: BDAT 0 LAST
            S: 503 5.5.1 Send MAIL first
            C: MAIL FROM:<a@example.org>
            S: 250
            C: RCPT TO:<b@example.net>
            S: 250
            C: BDAT 5 LAST
            C: two
            S: 250 2.0.0 Accepted
        """)
        assert gateway.told.messages == [b"two\r\n"]


@pytest.mark.parametrize("command", ["DATA", "MAIL FROM:<>", "RCPT TO:<c@example.net>", "STARTTLS"])
async def test_what_cannot_stand_between_chunks(command: str) -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 5\r\none\r\n")
        assert (await wire.reply()).startswith("250 ")
        assert (await wire.command(command)).startswith("503 5.5.1")
        await wire.send(b"BDAT 5 LAST\r\ntwo\r\n")
        assert (await wire.reply()).startswith("250 2.0.0 Accepted")
        assert gateway.told.messages == [b"one\r\ntwo\r\n"]
        assert len(gateway.told.all("rcpt")) == 1


@pytest.mark.parametrize("command", ["EHLO client.example", "HELO client.example"])
async def test_greeting_between_chunks_forgets_them(command: str) -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 5\r\none\r\n")
        await wire.reply()
        assert (await wire.command(command)).startswith("250")
        await wire.send(b"BDAT 5 LAST\r\ntwo\r\n")
        assert (await wire.reply()).startswith("50")
        assert gateway.told.messages == []


@on_both_loops
async def test_chunks_behind_a_failed_one_are_read_and_get_its_answer() -> None:
    async with listening(max_errors=1) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(
            b"BDAT 8\r\nba\nd\r\n\r\nBDAT 6\r\nRSET\r\nBDAT 2000\r\n%s\r\nBDAT 0\r\nBDAT 6 LAST\r\nQUIT\r\n"
            % (b"x" * 1998)
        )
        refused = "554 5.6.11 Message refused: it has a CR or an LF without the other"
        assert [await wire.reply() for _ in range(5)] == [refused] * 5
        await wire.transcript("""
            C: RCPT TO:<c@example.net>
            C: DATA
            C: MAIL FROM:<a@example.org>
            C: RCPT TO:<b@example.net>
            C: BDAT 5 LAST
            C: two
            S: 503 5.5.1
            S: 503 5.5.1
            S: 250 2.1.0
            S: 250 2.1.5
            S: 250 2.0.0 Accepted
        """)
        assert gateway.told.messages == [b"two\r\n"]
        assert [refusal.code for refusal in gateway.told.all("refused")] == [554]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ({"mail": reply("451 4.7.1", "Later")}, ["451 4.7.1", "503 5.5.1", "451 4.7.1", "451 4.7.1"]),
        ({"rcpt": reply("450 4.2.1", "Later")}, ["250 2.1.0", "450 4.2.1", "554 5.5.1", "554 5.5.1"]),
    ],
)
async def test_chunks_behind_a_refused_sender_or_recipient_are_read(answers: Any, status: list[str]) -> None:
    async with listening(answers, max_errors=1) as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nBDAT 6\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
        assert [(await wire.reply())[:9] for _ in range(5)] == [*status, "250 2.0.0"]
        assert gateway.told.messages == []


async def test_recipient_after_the_first_chunk_was_refused_does_not_get_the_rest_of_the_message() -> None:
    async with listening({"rcpt": lambda r: reply("550 5.1.1", "No") if r.address.local == "x" else None}) as gateway:
        wire = await gateway.greeted()
        await wire.transcript("""
            C: MAIL FROM:<>
            C: RCPT TO:<x@example.net>
            C: BDAT 5
            C: one
            C: RCPT TO:<b@example.net>
            C: BDAT 5 LAST
            C: two
            S: 250 2.1.0
            S: 550 5.1.1
            S: 554 5.5.1 No valid recipients
            S: 503 5.5.1
            S: 554 5.5.1 No valid recipients
        """)
        assert gateway.told.messages == []


@pytest.mark.parametrize("greeting", ["", "HELO client.example"])
async def test_bdat_that_was_not_offered_is_read_and_refused(greeting: str) -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.reply()
        if greeting:
            await wire.command(greeting)
        await wire.send(b"BDAT 6 LAST\r\nRSET\r\nNOOP\r\n")
        assert (await wire.reply()).startswith("502 5.5.1" if greeting else "503 5.5.1 Send EHLO")
        assert (await wire.reply()).startswith("250 2.0.0")


async def test_bdat_can_be_withheld() -> None:
    async with listening(withhold=(Extension.CHUNKING,)) as gateway:
        wire = await gateway.wire()
        await wire.reply()
        assert "CHUNKING" not in await wire.command("EHLO client.example")
        await wire.send(b"BDAT 6 LAST\r\nRSET\r\nNOOP\r\n")
        assert (await wire.reply()).startswith("502 5.5.1")
        assert (await wire.reply()).startswith("250 2.0.0")


async def test_binarymime_is_not_offered_nor_taken() -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.reply()
        assert "BINARYMIME" not in await wire.command("EHLO client.example")
        assert (await wire.command("MAIL FROM:<> BODY=BINARYMIME")).startswith("501 5.5.4")


@pytest.mark.parametrize("argument", ["", "x", "-1", "5 FIRST", "99999999999999999999999"])
async def test_where_a_chunk_cannot_be_measured_the_connection_ends(argument: str) -> None:
    """What follows might be a message with commands in it."""
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.send(f"BDAT {argument}\r\nMAIL FROM:<evil@example.org>\r\n".encode())
        assert (await wire.rest()).startswith("501 5.5.4 Syntax: BDAT")
        assert len(gateway.told.all("mail")) == 1


async def test_chunk_too_large_is_read_and_refused_and_the_session_goes_on() -> None:
    async with listening(max_size=65536) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 65000\r\n" + b"x\r\n" * 21_666 + b"\r\n")
        assert (await wire.reply())[:9] == "250 2.0.0"
        await wire.send(b"BDAT 600\r\n" + b"QUIT\r\n" * 100 + b"BDAT 6 LAST\r\nQUIT\r\n")
        assert (await wire.reply()).startswith("552 5.3.4")
        assert (await wire.reply()).startswith("552 5.3.4")
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
        assert gateway.told.messages == []
        assert [refusal.code for refusal in gateway.told.all("refused")] == [552]


async def test_size_limit_counts_all_chunks_and_is_exact() -> None:
    async with listening(max_size=65536) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 65000\r\n" + b"x\r\n" * 21_666 + b"\r\n" + b"BDAT 536 LAST\r\n" + b"x" * 534 + b"\r\n")
        assert [(await wire.reply())[:9] for _ in range(2)] == ["250 2.0.0", "250 2.0.0"]
        assert len(gateway.told.messages[0]) == 65536


async def test_chunk_that_nobody_would_read_to_its_end_closes_the_connection() -> None:
    async with listening(max_size=65536) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 131073 LAST\r\nMAIL FROM:<evil@example.org>\r\n")
        assert (await wire.rest()).startswith("552 5.3.4")
        assert len(gateway.told.all("mail")) == 1
        assert [refusal.code for refusal in gateway.told.all("refused")] == [552]


async def test_discarded_octets_are_counted() -> None:
    async with listening(max_octets=1 << 20) as gateway:
        wire = await gateway.greeted()
        chunk = b"BDAT 300000\r\n" + b"x" * 300_000
        for _ in range(3):
            await wire.send(chunk)
            assert (await wire.reply()).startswith("503 5.5.1")
        await wire.send(chunk)
        assert (await wire.reply()).startswith("503 5.5.1")
        assert (await wire.reply()).startswith("421 4.7.0 Enough mail")


async def test_small_chunks_are_commands_and_large_ones_are_not() -> None:
    async with listening(max_commands=10) as gateway:
        wire = await gateway.with_recipient()
        await wire.send((b"BDAT 1024\r\n" + b"x" * 1022 + b"\r\n") * 100)
        assert {(await wire.reply())[:9] for _ in range(100)} == {"250 2.0.0"}
        await wire.send(b"BDAT 1\r\nx" * 10)
        assert (await wire.rest()).splitlines()[-1].startswith("421 4.7.0 Too many commands")


@on_both_loops
async def test_chunks_come_in_time_or_not_at_all() -> None:
    async with listening(data_timeout=0.2, block_timeout=60) as gateway:
        wire = await gateway.with_recipient()
        answer = ""
        async with asyncio.timeout(5):
            while not answer.startswith("421"):
                await wire.send(b"BDAT 1024\r\n" + b"x" * 1022 + b"\r\n")
                answer = await wire.reply()
                await asyncio.sleep(0.01)
        assert answer.startswith("421 4.4.2 ")
        await until(lambda: gateway.told.steps[-1][0] == "reset")
        assert gateway.told.messages == []


async def test_pause_between_chunks_is_that_of_a_block() -> None:
    async with listening(block_timeout=0.05) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 3\r\nx\r\n")
        assert (await wire.reply()).startswith("250 ")
        assert (await wire.rest()).startswith("421 4.4.2 ")


@on_both_loops
async def test_client_gone_between_or_within_chunks_ends_the_work() -> None:
    for sent in (b"BDAT 5\r\none\r\n", b"BDAT 500 LAST\r\nhalf a mess"):
        for leave in ("half_close", "abort", "reset"):
            async with listening() as gateway:
                wire = await gateway.with_recipient()
                await wire.send(sent)
                if sent.startswith(b"BDAT 5\r"):
                    await wire.reply()
                getattr(wire, leave)()
                await until(lambda gateway=gateway: gateway.told.steps[-1][0] == "reset")
                assert gateway.told.messages == []
                wire.abort()


@on_both_loops
async def test_client_gone_after_its_last_chunk_still_gets_its_message_delivered() -> None:
    slow = Slow()
    async with listening({"message": slow}) as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 3 LAST\r\nx\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        wire.half_close()
        slow.go_on.set()
        assert (await wire.rest()).startswith("250 2.0.0 Accepted")


async def test_worker_that_drains_lets_a_message_in_chunks_finish() -> None:
    async with listening() as gateway:
        wire = await _in_chunks(gateway)
        drain = asyncio.create_task(gateway.sessions.drain(60))
        await until(lambda: gateway.sessions.is_draining)
        await wire.send(b"BDAT 5 LAST\r\ntwo\r\n")
        assert (await wire.rest()).startswith("250 2.0.0 Accepted\r\n421 4.3.2 ")
        await asyncio.wait_for(drain, 1)


async def _in_chunks(gateway: Gateway) -> Any:
    wire = await gateway.with_recipient()
    await wire.send(b"BDAT 5\r\none\r\n")
    assert (await wire.reply()).startswith("250 ")
    return wire
