"""SMTP smuggling: what is no CRLF.CRLF ends no message, and no bare CR, bare LF or NUL gets through to anybody. Chunks
of BDAT have no end in them at all, and go on as DATA without one."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.reply import Reply
from gateway.smtp.data import DataReader
from gateway.smtp.intake import Intake, Unclean
from tests.support.deliveries import deliver, route, stamped
from tests.support.downstream import Downstream
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


@asynccontextmanager
async def relaying(**settings: object) -> AsyncIterator[tuple[Gateway, Downstream]]:
    """A gateway whose messages go on, in the form they are to have, by DATA to a server that tells what it heard."""
    async with Downstream() as server:
        with route(server.endpoint) as hop:

            async def hand_on(content: bytes) -> Reply:
                message = stamped(gateway.told.cleaned[-1] or content)
                course = await deliver(hop, sender="outer@example.org", message=message)
                assert course.outcome is not None
                return course.outcome.reply

            async with listening({"message": hand_on}, max_errors=1000, **settings) as gateway:
                yield gateway, server


def none_smuggled(gateway: Gateway, server: Downstream) -> bool:
    """The next hop got the messages that the gateway took, one for one and clean, and no command from within one."""
    heard = [command for session in server.sessions for command in session.heard("MAIL")]
    return (
        len(server.messages) == len(gateway.told.messages) == len(heard)
        and not any(b"evil@" in command.encode() for command in heard)
        and not any(_bare_re.search(message) for message in server.messages)
    )


WAYS = ["send", "trickle", *range(-2, 7)]  # at once, octet by octet, or in two packets that are cut in the sequence


async def send_in_data(sequence: bytes, how: str | int, unclean: Unclean) -> None:
    """A message with the sequence in it, and behind the sequence another one."""
    before = b"Subject: outer\r\n\r\nouter"
    octets = before + sequence + INNER
    async with relaying(unclean_text=unclean) as (gateway, server):
        wire = await gateway.in_data()
        if isinstance(how, int):
            for piece in (octets[: len(before) + how], octets[len(before) + how :]):
                await wire.send(piece)
                await wire.pause()
        else:
            await getattr(wire, how)(octets)
        wire.half_close()
        await wire.octets()
        assert none_smuggled(gateway, server), (sequence, server.messages)
        assert len(gateway.told.messages) <= genuine_ends(octets)
        if genuine_ends(octets) == 1:
            assert gateway.told.all("mail")[1:] == []
        if unclean is Unclean.REJECT:
            assert harmless(gateway, octets), (sequence, gateway.told.messages)


async def send_in_chunks(sequence: bytes, cut: int, unclean: Unclean) -> None:
    """The same by BDAT: in two chunks, with their border in the sequence."""
    before = b"Subject: outer\r\n\r\nouter"
    octets = before + sequence + INNER
    first, last = octets[: len(before) + cut], octets[len(before) + cut :]
    async with relaying(unclean_text=unclean) as (gateway, server):
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (len(first), first, len(last), last))
        wire.half_close()
        await wire.octets()
        assert none_smuggled(gateway, server), (sequence, server.messages)
        assert gateway.told.all("mail")[1:] == []
        is_taken = unclean is Unclean.NORMALISE or not _bare_re.search(octets)
        assert len(server.messages) == is_taken


@pytest.mark.parametrize("unclean", Unclean)
@pytest.mark.parametrize("how", WAYS)
async def test_known_sequences_end_nothing(how: str | int, unclean: Unclean) -> None:
    for sequence in KNOWN:
        await send_in_data(sequence, how, unclean)


@pytest.mark.parametrize("unclean", Unclean)
@pytest.mark.parametrize("cut", range(-2, 7))
async def test_known_sequences_end_nothing_in_chunks(cut: int, unclean: Unclean) -> None:
    for sequence in (*KNOWN, b"\r\n.\r\n"):
        await send_in_chunks(sequence, cut, unclean)


@pytest.mark.suites
@pytest.mark.parametrize("unclean", Unclean)
@pytest.mark.parametrize("how", WAYS)
def test_suite_over_a_socket(
    sequences: list[bytes], score: Callable[[str, int, int], None], how: str | int, unclean: Unclean
) -> None:
    @on_both_loops
    async def run() -> None:
        for sequence in sequences:
            await send_in_data(sequence, how, unclean)

    for loop in ("asyncio", "uvloop"):
        run(event_loop_name=loop)
    if how in ("send", "trickle"):
        score(f"SMTP smuggling, {how}, {unclean.value}", len(sequences), len(sequences))


@pytest.mark.suites
@pytest.mark.parametrize("unclean", Unclean)
async def test_suite_in_chunks(
    sequences: list[bytes], score: Callable[[str, int, int], None], unclean: Unclean
) -> None:
    for sequence in sequences:
        for cut in range(-2, len(sequence) + 3):
            await send_in_chunks(sequence, cut, unclean)
    score(f"SMTP smuggling, BDAT, {unclean.value}", len(sequences), len(sequences))


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
    intake = Intake(written.extend, max_size=1000, max_line=1000)
    reader = DataReader(intake)
    ended: bytearray | None = None
    for piece in pieces:
        if ended is None:
            ended = reader.feed(piece)
            rest = bytes(ended or b"")
        else:
            rest += piece
    assert ended is not None
    return (bytes(written), True, rest) if intake.fault is None else (b"", False, rest)


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
