"""Fuzzed sessions over a real socket: no exception, no hang, no detail of ours, and the messages that a simple reader
finds too, in whatever packets the octets come."""

import asyncio
import logging
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.chunks import parse_chunk
from tests.support.front import listening
from tests.support.hostility import fuzzed, texts
from tests.support.simplesession import MAX_SIZE, SimpleSession
from tests.support.waiting import until

_reply_re = re.compile(rb"(?:(?:[2345][0-9]{2}-[ -~]*\r\n)*[2345][0-9]{2} [ -~]*\r\n)*\Z")

ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n"
CONTENTS = st.lists(
    st.sampled_from([b"Subject: x\r\n", b"\r\n", b"text", b".", b"\r\n.\r\n", b"\n.\n", b"\r", b"\n", b"\0", ENVELOPE]),
    max_size=6,
).map(b"".join)


@st.composite
def chunk(draw: st.DrawFn) -> bytes:
    """BDAT with its octets; sometimes it announces more or fewer than there are."""
    content = draw(CONTENTS)
    size = max(0, len(content) + draw(st.sampled_from([0, 0, 0, 0, 0, -1, 1, 7])))
    return b"BDAT %d%s\r\n%s" % (size, draw(st.sampled_from([b"", b" LAST", b" last", b"  LAST "])), content)


COMMANDS = st.sampled_from(
    [
        b"EHLO c\r\n",
        b"EHLO c\r\n" + ENVELOPE,
        ENVELOPE,
        ENVELOPE,
        b"HELO c\r\n",
        b"MAIL FROM:<> SIZE=1 BODY=8BITMIME\r\n",
        b"MAIL FROM:<> SIZE=65537\r\n",
        b"RCPT TO:<b@example.net>\r\n",
        b"RCPT TO:<>\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"STARTTLS\r\n",
        b"AUTH LOGIN\r\n",
        b"VRFY x\r\n",
        b"HELP\r\n",
        b"BDAT 0\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 65537 LAST\r\n",
        b"BDAT x\r\n",
        b"BDAT 99999999999999999999 LAST\r\n",
        b"QUIT\r\n",
        b"GET / HTTP/1.1\r\n",
        b"NOOP\n",
        b"NO\rOP\r\n",
        b"\r\n",
    ]
)
DATA = CONTENTS.map(lambda content: b"DATA\r\n" + content + b"\r\n.\r\n")
STREAMS = st.lists(st.one_of(COMMANDS, DATA, chunk(), st.binary(max_size=20)), max_size=12).map(b"".join)
GREETED = STREAMS.map(lambda octets: b"EHLO c\r\n" + ENVELOPE + octets)


async def talk(pieces: list[bytes]) -> tuple[bytes, list[bytes], int]:
    """What a client is told that sends these pieces, the messages that were taken, and the number of senders."""
    async with listening(max_size=MAX_SIZE, max_errors=10**6, max_commands=10**6) as gateway:
        wire = await gateway.wire()
        assert (await wire.reply()).startswith("220 ")
        with suppress(OSError):  # of who goes on after QUIT
            for piece in pieces:
                await wire.send(piece)
                await asyncio.sleep(0)
            wire.half_close()
        told = await wire.octets()
        await wire.close()
        await until(lambda: gateway.sessions.connections == 0)
        return told, gateway.told.messages, len(gateway.told.all("mail"))


def agree(octets: bytes, pieces: list[bytes]) -> None:
    told, messages, senders = asyncio.run(talk(pieces))
    simple = SimpleSession(octets).read()
    assert (messages, senders) == (simple.messages, simple.senders)
    assert _reply_re.match(told), told


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> object:
    yield
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@fuzzed(150)
@given(STREAMS | GREETED)
def test_session_agrees_with_a_simple_one(octets: bytes) -> None:
    agree(octets, [octets])


@fuzzed(100)
@given(GREETED, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_packets_do_not_matter(octets: bytes, sizes: list[int]) -> None:
    pieces, place = [], 0
    while place < len(octets):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(octets[place : place + size])
        place += size
    agree(octets, pieces)


@pytest.mark.parametrize(
    "octets",
    [
        b"DATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n",
        b"BDAT 9\r\nSubject: BDAT 5 LAST\r\n\r\n.\r\nQUIT\r\n",
        b"BDAT 3\r\n\r\n\rBDAT 4 LAST\r\n\n.\r\nQUIT\r\n",
        b"BDAT 2\r\nx\nBDAT 6 LAST\r\nRSET\r\nQUIT\r\n",
    ],
    ids=["data", "bdat", "cr-between-chunks", "failed-chunk"],
)
def test_cut_at_every_octet(octets: bytes) -> None:
    octets = b"EHLO c\r\n" + ENVELOPE + octets
    for cut in range(len(octets) + 1):
        agree(octets, [octets[:cut], octets[cut:]])
    agree(octets, [bytes([octet]) for octet in octets])


@fuzzed(300)
@given(texts(("86", "0 LAST", "9" * 20)))
def test_no_argument_of_bdat_raises(argument: str) -> None:
    parsed = parse_chunk(argument)
    assert parsed is None or parsed.size >= 0
