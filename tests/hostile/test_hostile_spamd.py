"""A spamd that is slow, broken or hostile: every way ends in a typed failure, in bounded time and memory."""

import asyncio
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from gateway.scoring.client import Patience, Spamd
from gateway.scoring.failure import Failure, Fault
from gateway.scoring.hosts import parse_address
from gateway.scoring.payload import Excerpt
from tests.support.fakespamd import Behaviour, FakeSpamd, replying, scored

MESSAGE = Excerpt(b"Subject: x\r\n\r\nHello\r\n")
LARGE = Excerpt(b"x" * 2_000_000)
SHORT = Patience(connect=1.0, total=0.2)
LONG = Patience(connect=5.0, total=10.0)


async def ask(behaviour: Behaviour, patience: Patience = LONG, message: Excerpt = MESSAGE) -> Failure:
    async with FakeSpamd(behaviour) as spamd:
        started = time.monotonic()
        outcome = await Spamd(parse_address(spamd.address), patience).score(message)
        assert time.monotonic() - started < patience.total + 2.0
    assert isinstance(outcome, Failure)
    return outcome


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One octet at a time, and never done: each arrives, so only a total deadline ends it."""
    await reader.read()
    writer.write(b"SPAMD/1.1 0 EX_OK\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def half_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await asyncio.Event().wait()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(scored()[:30])
    await writer.drain()
    writer.transport.abort()


async def reset_unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.transport.abort()


def endless(piece: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        while True:
            writer.write(piece)
            await writer.drain()

    return behave


def after(head: bytes, behaviour: Behaviour) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await behaviour(reader, writer)

    return behave


@pytest.mark.parametrize("behaviour", [silence, drops])
async def test_slow_spamd_is_a_timeout(behaviour):
    assert (await ask(behaviour, SHORT)).fault is Fault.TIMEOUT


async def test_spamd_that_never_reads_is_a_timeout():
    assert (await ask(silence, SHORT, LARGE)).fault is Fault.TIMEOUT


class Counted:
    """A message that tells how much of it was asked for."""

    size = 100_000_000
    given = 0

    def chunks(self) -> Iterator[bytes]:
        while self.given < self.size:
            self.given += 10_000
            yield b"x" * 10_000


async def test_what_spamd_does_not_take_is_not_held_in_memory():
    message = Counted()
    async with FakeSpamd(silence) as spamd:
        await Spamd(parse_address(spamd.address), SHORT).score(message)
    assert message.given < message.size / 2  # what the kernel takes is a few million


@pytest.mark.parametrize(
    "behaviour", [half_closed, reset, replying(), replying(scored()[:50]), replying(scored()[:-1])]
)
async def test_spamd_that_breaks_off_is_broken(behaviour):
    assert (await ask(behaviour)).fault is Fault.BROKEN


async def test_spamd_that_dies_while_the_message_is_sent_is_broken():
    failure = await ask(reset_unread, message=LARGE)
    assert failure.fault is Fault.BROKEN
    assert "Errno" not in failure.reason


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"\x00" * 100_000,
        b"SPAMD/1.1 0 EX_OK\r\n",
        scored("nan"),
        scored("1e999"),
        scored("9" * 5000),
        scored(symbols="A\r\nX-Injected: yes"),
        scored().replace(b"Content-length: 14", b"Content-length: 13"),
        scored().replace(b"Content-length: 14", b"Content-length: 999999999"),
        scored().replace(b"Content-length: 14\r\n", b""),
    ],
)
async def test_nonsense_is_not_believed(octets):
    assert (await ask(replying(octets))).fault is Fault.NONSENSE


async def test_body_shorter_than_its_content_length_is_broken():
    assert (await ask(replying(scored().replace(b"Content-length: 14", b"Content-length: 15")))).fault is Fault.BROKEN


async def test_error_code_is_a_refusal_with_its_words():
    failure = await ask(replying(b"SPAMD/1.0 69 Service Unavailable: no\r\n"))
    assert (failure.fault, failure.reason) == (Fault.REFUSED, "69 Service Unavailable: no")


async def test_words_of_a_refusal_are_bounded_and_printable():
    failure = await ask(replying(b"SPAMD/1.0 69 " + b"\x1b" * 5000 + b"\r\n"))
    assert failure.reason == ("69 " + "?" * 5000)[:200]


@pytest.mark.parametrize(
    "behaviour",
    [
        endless(b"x" * 65536),
        endless(b"X-Field: y\r\n" * 5000),
        after(b"SPAMD/1.1 0 EX_OK\r\nContent-length: 60000\r\n\r\n", endless(b"A" * 65536)),
    ],
)
async def test_endless_reply_is_cut_short_in_little_memory(behaviour):
    tracemalloc.start()
    failure = await ask(behaviour)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert failure.fault is Fault.NONSENSE
    assert peak < 3_000_000


async def test_pong_is_demanded_of_a_ping():
    async with FakeSpamd(replying(b"SPAMD/1.5 0 EX_OK\r\n")) as spamd:
        failure = await Spamd(parse_address(spamd.address), LONG).ping()
        assert failure
        assert failure.fault is Fault.NONSENSE


async def test_nobody_listening_is_unreachable(tmp_path):
    failure = await Spamd(parse_address(f"unix://{tmp_path}/none"), LONG).ping()
    assert failure
    assert failure.fault is Fault.UNREACHABLE


async def test_name_without_an_address_is_unreachable():
    failure = await Spamd(parse_address("no-such-host.invalid:783"), LONG).ping()
    assert failure
    assert failure.fault is Fault.UNREACHABLE


async def deaf_refusal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that waits for no message, and takes none."""
    writer.write(b"SPAMD/1.0 76 Bad header line: no\r\n")
    writer.write_eof()
    await asyncio.Event().wait()


async def test_an_answer_is_heard_though_the_message_is_not_taken():
    assert (await ask(deaf_refusal, message=LARGE)).fault is Fault.REFUSED


async def test_asking_can_be_given_up_while_the_message_is_not_taken():
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    begun = asyncio.Event()

    async def reads_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        begun.set()
        await silence(reader, writer)

    async with FakeSpamd(reads_little) as spamd:
        asking = asyncio.create_task(Spamd(parse_address(spamd.address), LONG).score(Excerpt(b"x" * 30_000_000)))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0)
    assert complaints == []
