"""SMTP smuggling: what is no CRLF.CRLF ends no message, and no bare CR, bare LF or NUL gets through to anybody."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.smtp.data import DataReader
from tests.support.front import Gateway, listening
from tests.support.loops import on_both_loops

INNER = (
    b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nevil\r\n.\r\nQUIT\r\n"
)
_bare_re = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")

# Those that the papers of 2023 name, so that something is shown where the suite is not at hand.
KNOWN = (
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\0\r\n",
    b"\r\0\n.\r\n",
    b"\r\r\n.\r\r\n",
)


@pytest.fixture(scope="module")
def sequences(suites: Path) -> list[bytes]:
    cases = json.loads((suites / "smuggling" / "end-of-data-sequences.json").read_text())
    return [case["sequence"].encode("latin-1") for case in cases]


def genuine_ends(octets: bytes) -> int:
    return (b"\r\n" + octets).count(b"\r\n.\r\n")


def harmless(gateway: Gateway, sent: bytes) -> bool:
    """At most one message a genuine end, and nothing bare in any."""
    messages = gateway.told.messages
    return len(messages) <= genuine_ends(sent) and not any(_bare_re.search(message) for message in messages)


async def send_all(sequence: bytes, how: str) -> None:
    """A message with the sequence in it, and behind the sequence another one."""
    async with listening(max_errors=1000) as gateway:
        wire = await gateway.in_data()
        octets = b"Subject: outer\r\n\r\nouter" + sequence + INNER
        await getattr(wire, how)(octets)
        wire.half_close()
        await wire.octets()
        assert harmless(gateway, octets), (sequence, gateway.told.messages)
        if genuine_ends(octets) == 1:
            assert gateway.told.all("mail")[1:] == []


@pytest.mark.parametrize("how", ["send", "trickle"])
async def test_known_sequences_end_nothing(how: str) -> None:
    for sequence in KNOWN:
        await send_all(sequence, how)


@pytest.mark.suites
@pytest.mark.parametrize("how", ["send", "trickle"])
def test_suite_over_a_socket(sequences: list[bytes], score: Callable[[str, int, int], None], how: str) -> None:
    @on_both_loops
    async def run() -> None:
        for sequence in sequences:
            await send_all(sequence, how)

    for loop in ("asyncio", "uvloop"):
        run(event_loop_name=loop)
    score(f"SMTP smuggling, {how}", len(sequences), len(sequences))


@pytest.mark.suites
def test_suite_split_at_every_octet(sequences: list[bytes]) -> None:
    """The reader alone, for each place where a packet may end, and for each pair of places."""
    for sequence in sequences:
        octets = b"outer" + sequence + b"inner\r\n.\r\n"
        whole = read(octets)
        for first in range(len(octets) + 1):
            for second in range(first, len(octets) + 1):
                assert read(octets[:first], octets[first:second], octets[second:]) == whole
        message, is_taken, rest = whole
        assert not is_taken or not _bare_re.search(message)
        assert (b"inner" in rest) == (genuine_ends(octets) == 2)


def read(*pieces: bytes) -> tuple[bytes, bool, bytes]:
    """The message if it is taken, whether it is, and what is read as commands behind it."""
    written, rest = bytearray(), b""
    reader = DataReader(written.extend, max_size=1000, max_line=1000)
    ended: bytearray | None = None
    for piece in pieces:
        if ended is None:
            ended = reader.feed(piece)
            rest = bytes(ended or b"")
        else:
            rest += piece
    assert ended is not None
    return (bytes(written), True, rest) if reader.fault is None else (b"", False, rest)


async def test_message_with_a_bare_line_feed_is_refused_and_the_session_goes_on() -> None:
    async with listening() as gateway:
        wire = await gateway.in_data()
        await wire.send(b"one\ntwo\r\n.\r\n")
        assert await wire.reply() == "554 5.6.11 Message refused: it has a CR or an LF without the other"
        await wire.transcript("""
            C: DATA
            S: 503 5.5.1
            C: MAIL FROM:<a@example.org>
            S: 250
        """)
        assert gateway.told.messages == []


@pytest.mark.parametrize("line", [b"NOOP\n", b"NO\rOP\r\n", b"NOOP\r\r\n", b"\n", b"NOOP\nNOOP\r\n"])
async def test_command_lines_end_with_crlf_only(line: bytes) -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.send(line)
        assert (await wire.reply()).startswith("500 5.5.2 ")
