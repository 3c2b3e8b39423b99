"""What is known against SMTP servers, and what nobody has thought of yet: no crash, no hang, no detail of ours told."""

import asyncio
import errno
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.reply import Reply, reply
from gateway.smtp.inbox import HIGH_WATER
from gateway.system import threads
from gateway.system.spool import Spool
from tests.support.front import ACCEPTED, Gateway, Slow, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until

SECRET = "password of the database"


def fail(_: Any) -> Reply:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    ("step", "command"),
    [("helo", "EHLO c"), ("mail", "MAIL FROM:<>"), ("rcpt", "RCPT TO:<b@example.net>"), ("message", "x\r\n.")],
)
async def test_our_own_error_is_told_without_detail_and_logged_with_it(
    step: str, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as gateway:
        wire = await {
            "helo": gateway.greeted,
            "mail": gateway.greeted,
            "rcpt": gateway.with_recipient,
            "message": gateway.in_data,
        }[step]()
        gateway.told.answers[step] = fail
        assert await wire.command(command) == "451 4.3.0 Local trouble, try again later"
        assert SECRET in caplog.text
        assert "Traceback" in caplog.text
        del gateway.told.answers[step]
        after = {"rcpt": "DATA", "helo": "EHLO c"}.get(step, "MAIL FROM:<>")
        assert (await wire.command(after))[0] in "23"


@pytest.mark.parametrize("step", ["connect", "reset"])
async def test_our_own_error_outside_of_commands(step: str, caplog: pytest.LogCaptureFixture) -> None:
    async with listening({step: fail}) as gateway:
        wire = await gateway.wire()
        await wire.send(b"QUIT\r\n")
        answer = await wire.rest()
        assert SECRET not in answer
        assert answer.splitlines()[-1][:3] in ("421", "221")
        assert SECRET in caplog.text


@on_both_loops
async def test_client_gone_after_its_final_dot_still_gets_its_message_delivered() -> None:
    release, finished = asyncio.Event(), asyncio.Event()

    async def deliver(_: bytes) -> Reply:
        await release.wait()
        finished.set()
        return ACCEPTED

    for leave in ("half_close", "abort", "reset"):
        release.clear()
        finished.clear()
        async with listening({"message": deliver}) as gateway:
            wire = await gateway.in_data()
            await wire.send(b"x\r\n.\r\n")
            await until(lambda gateway=gateway: gateway.sessions.messages == 1)
            getattr(wire, leave)()
            await asyncio.sleep(0.02)
            release.set()
            await asyncio.wait_for(finished.wait(), 1)
            await until(lambda gateway=gateway: gateway.sessions.messages == 0)
            wire.abort()
            await until(lambda gateway=gateway: gateway.sessions.connections == 0)


@on_both_loops
async def test_commands_of_a_client_that_is_lost_are_not_carried_out() -> None:
    slow = Slow()
    async with listening({"message": slow}) as gateway:
        wire = await gateway.in_data()
        await wire.send(b"x\r\n.\r\nMAIL FROM:<second@example.org>\r\n")
        await until(lambda: gateway.sessions.messages == 1)
        wire.reset()
        await asyncio.sleep(0.02)
        slow.go_on.set()
        await until(lambda: gateway.sessions.connections == 0)
        assert len(gateway.told.all("mail")) == 1


@on_both_loops
async def test_client_gone_before_its_final_dot_ends_the_work() -> None:
    spools: list[Spool] = []

    class Closing(Spool):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

    def spool() -> Spool:
        spools.append(Closing(threshold=1000, directory="/nonexistent"))  # type: ignore[arg-type]
        return spools[-1]

    for leave in ("half_close", "abort", "reset"):
        async with listening(spool=spool) as gateway:
            wire = await gateway.in_data()
            await wire.send(b"half a mess")
            getattr(wire, leave)()
            await until(lambda gateway=gateway: gateway.told.steps[-1][0] == "reset")
            assert gateway.told.messages == []
            assert spools[-1].closed  # type: ignore[attr-defined]
            wire.abort()
            await until(lambda gateway=gateway: gateway.sessions.connections == 0)


@on_both_loops
async def test_client_gone_while_a_recipient_is_asked_for_ends_the_work() -> None:
    cancelled: list[str] = []

    async def ask(_: Any) -> Reply:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append("rcpt")
            raise
        return ACCEPTED

    for leave in ("half_close", "abort", "reset"):
        cancelled.clear()
        async with listening({"rcpt": ask}) as gateway:
            wire = await gateway.greeted()
            await wire.command("MAIL FROM:<>")
            await wire.send(b"RCPT TO:<b@example.net>\r\n")
            await until(lambda gateway=gateway: bool(gateway.told.all("rcpt")))
            getattr(wire, leave)()
            await until(lambda gateway=gateway: gateway.told.steps[-1][0] == "reset")
            assert cancelled == ["rcpt"]


async def test_full_disk_is_the_senders_to_wait_out() -> None:
    class Full(Spool):
        def unload(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    async with listening(spool=lambda: Full(threshold=1, directory="/nonexistent")) as gateway:  # type: ignore[arg-type]
        wire = await gateway.in_data()
        assert (await wire.command("x\r\n" * 1000 + ".")).startswith("452 4.3.1 ")
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
        assert [refusal.code for refusal in gateway.told.all("refused")] == [452]
        assert gateway.told.messages == []


class Hanging(Spool):
    """A spool whose disk does not answer until it is released."""

    released: threading.Event

    def unload(self) -> None:
        self.released.wait()
        super().unload()


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Callable[[], Spool]]:
    Hanging.released = threading.Event()
    yield lambda: Hanging(threshold=1000, directory=tmp_path)
    Hanging.released.set()


@on_both_loops
async def test_disk_that_hangs_holds_the_sender_and_nobody_else(hanging: Callable[[], Spool]) -> None:
    async with listening(spool=hanging) as gateway:
        wire = await gateway.in_data()
        flood = asyncio.create_task(wire.send(b"x" * 998 + b"\r\n" + b"x\r\n" * 5_000_000))
        other = await gateway.in_data()
        assert (await other.command("x\r\n.")).startswith("250 ")
        await until(lambda: len(_inbox_of(gateway)) > HIGH_WATER)
        await asyncio.sleep(0.05)
        assert len(_inbox_of(gateway)) < 4 * HIGH_WATER
        assert not flood.done()
        Hanging.released.set()
        await flood
        assert (await wire.command(".")).startswith("250 ")
        assert len(gateway.told.messages[-1]) == 15_001_000


@pytest.mark.parametrize("how", ["DATA", "BDAT"])
async def test_disk_that_hangs_for_good_is_the_senders_to_wait_out(
    hanging: Callable[[], Spool], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "DISK_PATIENCE", 0.01)
    async with listening(spool=hanging) as gateway:
        if how == "DATA":
            wire = await gateway.in_data()
            await wire.send(b"x\r\n" * 1000 + b".\r\n")
        else:
            wire = await gateway.with_recipient()
            await wire.send(b"BDAT 3000 LAST\r\n" + b"x\r\n" * 1000)
        assert (await wire.reply()).startswith("452 4.3.1 ")
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
        assert [refusal.code for refusal in gateway.told.all("refused")] == [452]


def _inbox_of(gateway: Gateway) -> bytearray:
    """What the longest-waiting session holds of its client."""
    sessions = cast(Any, gateway.sessions)._open
    return max((session._inbox._buffer for session in sessions), key=len)


@on_both_loops
async def test_error_of_ours_within_a_message_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """What follows is a part of the message, and would be read as commands."""

    class Broken(Spool):
        def write(self, data: bytes | bytearray) -> None:
            raise RuntimeError(SECRET)

    inner = b"MAIL FROM:<evil@example.org>\r\n"
    for begin in (b"DATA\r\n", b"BDAT 1000 LAST\r\n"):
        async with listening(spool=lambda: Broken(threshold=1, directory=Path("/nonexistent"))) as gateway:
            wire = await gateway.with_recipient()
            await wire.send(begin + b"x" * 100 + b"\r\n" + inner * 28)
            assert (await wire.octets()).splitlines()[-1] == b"421 4.3.0 Local trouble, try again later"
            assert len(gateway.told.all("mail")) == 1
            assert gateway.told.steps[-1][0] == "reset"
    assert SECRET in caplog.text


@pytest.mark.parametrize("octets", [b"bare\nLF\r\n.\r\n", b"x\r\n" * 100_000])
async def test_a_message_that_was_refused_stays_refused_where_the_visit_fails(octets: bytes) -> None:
    async with listening({"refused": fail}, max_size=65536) as gateway:
        wire = await gateway.in_data()
        await wire.send(octets)
        assert (await wire.reply())[:3] in ("552", "554")
        assert gateway.told.messages == []


async def test_a_line_without_end_costs_no_memory(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        for _ in range(100):
            await wire.send(b"x" * 65536)
        await wire.send(b"\r\nNOOP\r\n")
        assert (await wire.reply()).startswith("500 5.5.2 Command line too long")
        assert (await wire.reply()).startswith("250 ")
        assert not caplog.records


async def test_a_browser_is_sent_away_at_once() -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.send(b"POST / HTTP/1.1\r\nHost: mx.example.net\r\n\r\nMAIL FROM:<>\r\n")
        assert [line[:9] for line in (await wire.rest()).splitlines()] == ["220 mx.ex", "421 4.7.0"]


@pytest.mark.parametrize("command", ["EHLO x\\r\\nX", "MAIL FROM:<a\\r\\nb@c.example>", "NOOP {}", "HELP %s{0}"])
async def test_nothing_of_a_client_is_repeated_to_it(command: str) -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        argument = command.partition(" ")[2]
        assert argument not in await wire.command(command)


async def test_reply_of_the_visit_cannot_break_out() -> None:
    hostile = Reply(code=550, detail="7.1", lines=("x" * 600,))
    async with listening({"mail": hostile}) as gateway:
        wire = await gateway.greeted()
        assert len(await wire.command("MAIL FROM:<>")) == 510
    assert reply("550 5.7.1", "a\r\n250 b").to_bytes() == b"550-5.7.1 a?\r\n550 5.7.1 250 b\r\n"


def _close(client: socket.socket) -> None:
    client.close()


def _half_close(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("sent", [b"", b"EHLO c\r\n", b"QUI"])
@pytest.mark.parametrize("leave", [_close, _half_close, _reset])
@on_both_loops
async def test_client_gone_before_its_session_has_begun_leaves_nothing_behind(
    leave: Callable[[socket.socket], None], sent: bytes
) -> None:
    """The end is there in the very turn of the loop in which the connection is made."""
    async with listening(max_connections_per_address=30) as gateway:
        clients = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(20)]
        for client in clients:
            client.sendall(sent)
            leave(client)
        wire = await gateway.greeted()  # all others were accepted before it
        await until(lambda: gateway.sessions.connections == 1)
        assert await wire.command("NOOP") == "250 2.0.0 OK"
        for client in clients:
            client.close()
