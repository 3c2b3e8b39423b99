"""The parts of a session by themselves: inbox, outbox, watchdog, ids."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.reply import reply
from gateway.smtp.ids import connection_id, envelope_id
from gateway.smtp.inbox import HIGH_WATER, BadLine, EndOfInput, Inbox, Interrupted
from gateway.smtp.outbox import Outbox
from gateway.system.burst import AT_ONCE
from gateway.system.watchdog import NAP, NEVER, Watchdog


class Pipe(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reading = True
        self.written: list[bytes] = []

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


def inbox_with(*pieces: bytes) -> tuple[Inbox, Pipe]:
    inbox, pipe = Inbox(asyncio.get_running_loop()), Pipe()
    inbox.attach(pipe)
    for piece in pieces:
        inbox.receive(piece)
    return inbox, pipe


async def test_lines_in_pieces() -> None:
    inbox, _ = inbox_with(b"NO", b"OP\r", b"\nQUIT\r\nREST")
    assert [await inbox.line(100), await inbox.line(100)] == [b"NOOP", b"QUIT"]
    assert await inbox.some() == b"REST"


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"\r\n", b""),
        (b"12345678\r\n", b"12345678"),
        (b"123456789\r\n", BadLine.TOO_LONG),
        (b"x" * 50 + b"\r\n", BadLine.TOO_LONG),
        (b"\n", BadLine.BARE_LINE_END),
        (b"x\n", BadLine.BARE_LINE_END),
        (b"x\ry\r\n", BadLine.BARE_LINE_END),
        (b"x\r\r\n", BadLine.BARE_LINE_END),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_line(octets: bytes, line: bytes | BadLine, size: int) -> None:
    inbox, _ = inbox_with()
    waiting = asyncio.create_task(inbox.line(10))
    for start in range(0, len(octets), size):
        await asyncio.sleep(0)
        inbox.receive(octets[start : start + size])
    assert await waiting == line
    assert inbox.is_empty


async def test_fast_client_is_paused_and_resumed() -> None:
    inbox, pipe = inbox_with(b"NOOP\r\n" * (HIGH_WATER // 6 + 1))
    assert not pipe.is_reading
    await inbox.line(100)
    assert not pipe.is_reading
    while not pipe.is_reading:
        await inbox.line(100)
    inbox.give_back(await inbox.some())
    assert 0 < len(await inbox.some()) <= HIGH_WATER // 2


async def test_what_is_given_back_comes_first() -> None:
    inbox, _ = inbox_with(b"one\r\n")
    taken = await inbox.some()
    inbox.receive(b"two\r\n")
    inbox.give_back(taken)
    assert await inbox.some() == b"one\r\ntwo\r\n"


async def test_end_of_input_comes_after_what_was_sent() -> None:
    inbox, _ = inbox_with(b"NOOP\r\nhalf")
    inbox.end()
    assert await inbox.line(100) == b"NOOP"
    with pytest.raises(EndOfInput):
        await inbox.line(100)


async def test_what_comes_after_the_end_is_for_nobody() -> None:
    inbox, _ = inbox_with()
    inbox.end()
    inbox.receive(b"NOOP\r\n")
    assert inbox.is_empty


async def test_wait_is_interrupted_once() -> None:
    inbox, _ = inbox_with()
    waiting = asyncio.create_task(inbox.some())
    await asyncio.sleep(0)
    assert inbox.is_awaited
    assert inbox.interrupt()
    assert not inbox.interrupt()
    with pytest.raises(Interrupted):
        await waiting


async def test_replies_leave_in_one_write_before_the_session_waits() -> None:
    outbox, pipe = Outbox(asyncio.get_running_loop(), AT_ONCE), Pipe()
    outbox.transport = pipe
    inbox = Inbox(asyncio.get_running_loop(), before_waiting=outbox.flush)
    inbox.receive(b"NOOP\r\nNOOP\r\n")
    for text in ("one", "two"):
        await inbox.line(100)
        outbox.say(reply("250 2.0.0", text))
    assert pipe.written == []
    waiting = asyncio.create_task(inbox.line(100))
    await asyncio.sleep(0)
    assert pipe.written == [b"250 2.0.0 one\r\n250 2.0.0 two\r\n"]
    waiting.cancel()


async def test_held_reply_does_not_wait_long_for_the_next_one() -> None:
    outbox, pipe = Outbox(asyncio.get_running_loop(), AT_ONCE), Pipe()
    outbox.transport = pipe
    outbox.say(reply("250 2.1.0", "one"))
    outbox.hold()
    async with asyncio.timeout(5):
        while not pipe.written:
            await asyncio.sleep(0.005)
    assert pipe.written == [b"250 2.1.0 one\r\n"]


class Clock:
    """The time and the timers of a loop, which pass at a word."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> None:
        self.timers.append((when, call))

    def ring(self) -> None:
        self.now, call = self.timers[-1]
        call()


def test_far_deadlines_share_a_timer_and_ring_in_time() -> None:
    clock, rung = Clock(), list[float]()
    watchdog = Watchdog(cast(asyncio.AbstractEventLoop, clock), lambda: rung.append(clock.now))
    for deadline in (5.5 * NAP, NEVER, 3 * NAP, 2.5 * NAP):
        watchdog.until(deadline)
    assert [when for when, _ in clock.timers] == [NAP]
    for _ in range(3):
        assert rung == []
        clock.ring()
    assert ([when for when, _ in clock.timers], rung) == ([NAP, 2 * NAP, 2.5 * NAP], [2.5 * NAP])


async def test_deadline_that_moves_away_does_not_ring() -> None:
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    watchdog = Watchdog(loop, rung.set)
    started = loop.time()
    watchdog.until(started + 0.02)
    watchdog.until(started + 0.06)
    await asyncio.wait_for(rung.wait(), 1)
    assert loop.time() - started >= 0.06


async def test_deadline_that_comes_nearer_rings_earlier() -> None:
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    watchdog = Watchdog(loop, rung.set)
    watchdog.until(loop.time() + 3600)
    watchdog.until(loop.time() + 0.01)
    await asyncio.wait_for(rung.wait(), 1)


async def test_no_deadline_rings_never() -> None:
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    watchdog = Watchdog(loop, rung.set)
    watchdog.until(loop.time() + 0.01)
    watchdog.until(NEVER)
    await asyncio.sleep(0.03)
    assert not rung.is_set()
    watchdog.until(loop.time() + 0.01)
    await asyncio.wait_for(rung.wait(), 1)


async def test_stopped_watchdog_rings_never_whatever_is_set() -> None:
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    watchdog = Watchdog(loop, rung.set)
    watchdog.until(loop.time() + 0.01)
    watchdog.stop()
    watchdog.until(loop.time() + 0.01)
    await asyncio.sleep(0.03)
    assert not rung.is_set()


def test_ids_are_different_and_in_the_order_of_time() -> None:
    now = 1_800_000_000.0
    ids = [connection_id(now + second) for second in range(1000)]
    assert ids == sorted(set(ids))
    assert connection_id(now) != connection_id(now)
    assert {len(ident) for ident in ids} == {16}
    assert len(envelope_id(ids[0], 1_000_000)) <= 24
