"""What aiosmtpd 1.4.6 gets wrong, or lacks, and we do not: one test for each, with its lines of smtp.py.

Our session subclasses its SMTP class, so a release of it, or a change of ours, could bring any of them back.
"""

import asyncio
import inspect
import logging
import socket
import threading
import time
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from gateway.reply import Reply
from gateway.session import SmtpSession
from gateway.smtp import replies
from gateway.system.spool import BATCH, Spool
from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.front import ACCEPTED, Slow, listening
from tests.support.loops import on_both_loops
from tests.support.waiting import until


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


@on_both_loops
async def test_half_close_does_not_cancel_a_message_that_is_being_handed_on() -> None:
    """Lines 545-555, eof_received: it cancels whatever is done."""
    slow = Slow()
    async with listening({"message": slow}) as gateway:
        wire = await gateway.in_data()
        await wire.send(b"x\r\n.\r\n")
        wire.half_close()
        await until(lambda: gateway.sessions.messages == 1)
        await wire.pause()
        slow.go_on.set()
        assert await wire.rest() == "250 2.0.0 Accepted\r\n"


@on_both_loops
async def test_no_timeout_fires_while_a_message_is_handed_on() -> None:
    """Lines 557-570, _reset_timeout: one timer, set at each command, which knows nothing of what goes on."""

    async def deliver(_: bytes) -> Reply:
        await asyncio.sleep(0.15)
        return ACCEPTED

    limits = {"command_timeout": 0.05, "idle_timeout": 0.05, "block_timeout": 0.05, "data_timeout": 0.05}
    async with listening({"message": deliver}, **limits) as gateway:
        wire = await gateway.in_data()
        assert await wire.command("x\r\n.") == "250 2.0.0 Accepted"


@pytest.mark.parametrize("command", ["NOOP", "RSET"])
@on_both_loops
async def test_commands_do_not_extend_the_timeout(command: str) -> None:
    """The same lines."""
    async with listening(idle_timeout=0.1, max_commands=10**6) as gateway:
        wire = await gateway.greeted()
        started, answer = time.monotonic(), ""
        while not answer.startswith("421"):
            answer = await wire.command(command)
            assert time.monotonic() - started < 5


@pytest.mark.parametrize("octets", [b"a\nb\r\n", b"a\rb\r\n", b"\n.\nb\r\n", b"\r.\rb\r\n"])
async def test_bare_line_ends_do_not_reach_the_content(octets: bytes) -> None:
    """Lines 1408-1500, smtp_DATA: it splits lines at CRLF, and keeps all else."""
    async with listening() as gateway:
        wire = await gateway.in_data()
        await wire.send(octets + b".\r\n")
        assert (await wire.reply()).startswith("554 5.6.11 ")
        assert gateway.told.messages == []


async def test_commands_do_not_end_with_a_bare_line_feed() -> None:
    """Line 649: readuntil() stops at an LF."""
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<a@example.org>\nNOOP\r\n")
        assert (await wire.reply()).startswith("500 5.5.2 ")
        assert gateway.told.all("mail") == []


async def test_limit_of_commands_is_the_same_for_all_connections() -> None:
    """Lines 296, 346 and 849, command_size_limits of the class: a connection clears it, each EHLO adds 26 to it."""
    async with listening(max_commands=10**6) as gateway:
        other, wire = await gateway.greeted(), await gateway.greeted()
        for _ in range(100):
            await other.command("EHLO client.example")
        assert (await wire.command("NOOP " + "x" * 2041)).startswith("250 ")
        assert (await wire.command("NOOP " + "x" * 2042)).startswith("500 5.5.2 Command line too long")


async def test_auth_is_not_offered(tls: ServerTls) -> None:
    """Lines 838-890, smtp_EHLO: after STARTTLS, and without a mechanism as well."""
    async with listening(tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.start_tls()
        assert "AUTH" not in await wire.command("EHLO client.example")
        assert (await wire.command("AUTH PLAIN AGEAYg==")).startswith("502 5.5.1 ")


@pytest.mark.parametrize("step", ["helo", "mail", "rcpt", "message"])
async def test_text_of_an_exception_does_not_go_to_the_client(step: str) -> None:
    """Lines 609 and 778."""

    def fail(_: object) -> Reply:
        raise ValueError("password of the database")

    async with listening({step: fail}) as gateway:
        wire = await gateway.wire()
        await wire.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
        answer = await wire.rest()
        assert "451 4.3.0 Local trouble" in answer
        assert "password" not in answer
        assert "ValueError" not in answer


async def test_null_sender_is_no_address() -> None:
    """Lines 1177-1210, _getaddr: `<>` comes to the handler as these two characters."""
    async with listening() as gateway:
        wire = await gateway.greeted()
        assert (await wire.command("MAIL FROM:<>")).startswith("250 ")
        assert gateway.told.all("mail")[0].sender is None


@pytest.mark.parametrize(
    "path", ["<>", "<a(comment)@example.net>", "<(comment)a@example.net>", "<a@example.net(comment)>", "a@example.net"]
)
async def test_recipients_that_are_none_are_refused(path: str) -> None:
    """The same lines: the email package parses what is a path of RFC 5321."""
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.command("MAIL FROM:<>")
        assert (await wire.command(f"RCPT TO:{path}")).startswith("501 5.")
        assert gateway.told.all("rcpt") == []


@pytest.mark.parametrize("octets", [b'<"a\rb"@example.net>', b'<"a\r\nb"@example.net>', b'<"a\nb"@example.net>'])
async def test_no_line_end_stands_in_a_quoted_local_part(octets: bytes) -> None:
    """The same lines."""
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.command("MAIL FROM:<>")
        await wire.send(b"RCPT TO:" + octets + b"\r\n")
        assert (await wire.reply())[:2] == "50"
        assert gateway.told.all("rcpt") == []


async def test_recipients_are_bounded() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"MAIL FROM:<>\r\n" + b"RCPT TO:<b@example.net>\r\n" * 5000)
        codes = [(await wire.reply())[:9] for _ in range(5001)]
        assert (codes.count("250 2.1.5"), codes.count("452 4.5.3")) == (100, 4900)


async def test_commands_without_a_message_are_bounded() -> None:
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.send(b"NOOP\r\n" * 4000)
        assert (await wire.octets()).splitlines()[-1].startswith(b"421 4.7.0 Too many commands")


async def test_parameters_of_dsn_and_requiretls_are_known(tls: ServerTls) -> None:
    async with listening(carried={"DSN", "REQUIRETLS"}, tls=tls) as gateway:
        wire = await gateway.greeted()
        await wire.start_tls()
        await wire.transcript("""
            C: HELO client.example
            S: 250
            C: MAIL FROM:<a@example.org> REQUIRETLS
            S: 555 5.5.4
        """)
        assert (await wire.command("EHLO client.example")).startswith("250")
        await wire.transcript("""
            C: MAIL FROM:<a@example.org> REQUIRETLS RET=FULL ENVID=x
            C: RCPT TO:<b@example.net> NOTIFY=NEVER ORCPT=rfc822;b@example.net
            S: 250 2.1.0
            S: 250 2.1.5
        """)


async def test_pipelining_is_offered() -> None:
    async with listening() as gateway:
        wire = await gateway.wire()
        await wire.reply()
        assert "PIPELINING" in await wire.command("EHLO client.example")


async def test_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Line 350: getfqdn() asks DNS, in the event loop."""

    def asked(*_: object) -> str:
        raise AssertionError("the resolver of the system was asked")

    for name in ("getfqdn", "gethostbyaddr", "gethostname"):
        monkeypatch.setattr(socket, name, asked)
    async with listening() as gateway:
        await gateway.greeted()


async def test_no_thread_is_started() -> None:
    """The Controller runs a loop of its own in one."""
    seen: list[threading.Thread] = []
    async with listening({"connect": lambda _: seen.append(threading.current_thread())}) as gateway:
        await gateway.greeted()
        assert seen == [threading.current_thread()]


async def test_message_is_not_held_in_memory_whole(tmp_path: Path) -> None:
    """Lines 1408-1500: a list of lines, joined."""
    spools: list[Spool] = []

    def spool() -> Spool:
        spools.append(Spool(threshold=1000, directory=tmp_path))
        return spools[-1]

    def look(_: bytes) -> Reply:
        assert spools[-1].in_memory <= BATCH < spools[-1].size
        return ACCEPTED

    async with listening({"message": look}, spool=spool) as gateway:
        wire = await gateway.in_data()
        assert (await wire.command("x\r\n" * 1_000_000 + ".")).startswith("250 ")


async def test_bdat_is_known() -> None:
    async with listening() as gateway:
        wire = await gateway.with_recipient()
        await wire.send(b"BDAT 3 LAST\r\nx\r\n")
        assert (await wire.reply()).startswith("250 ")


async def test_early_talkers_are_seen() -> None:
    async with listening() as gateway:
        client = socket.create_connection(("127.0.0.1", gateway.port))
        client.sendall(b"EHLO client.example\r\n")
        await until(lambda: bool(gateway.told.all("helo")))
        assert gateway.told.all("helo")[0].early_talker
        client.close()


async def test_connections_are_bounded() -> None:
    async with listening(max_connections=1) as gateway:
        await gateway.greeted()
        assert (await (await gateway.wire()).rest()).startswith("421 4.3.2 ")


async def test_worker_can_be_drained() -> None:
    async with listening() as gateway:
        idle, busy = await gateway.greeted(), await gateway.in_data()
        drain = asyncio.create_task(gateway.sessions.drain(60))
        assert (await idle.rest()).startswith("421 4.3.2 ")
        await busy.send(b"x\r\n.\r\n")
        assert (await busy.rest()).startswith("250 2.0.0 Accepted\r\n421 4.3.2 ")
        await drain


def test_replies_have_enhanced_codes() -> None:
    """RFC 2034 section 4: all but the banner, the answers to greetings and 3yz have one."""
    ours = [value for value in vars(replies).values() if isinstance(value, Reply)]
    ours += [*replies.LINE.values(), *replies.MESSAGE.values()]
    assert len(ours) > 40
    assert [str(reply) for reply in ours if not reply.enhanced] == [str(replies.START_MAIL)]


async def test_connections_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each at the level of information, with what the client has sent."""
    caplog.set_level(logging.DEBUG)
    async with listening() as gateway:
        wire = await gateway.greeted()
        await wire.command("BOGUS \x01")
    assert [record for record in caplog.records if record.name.startswith("mail")] == []


async def test_its_own_commands_cannot_be_reached() -> None:
    """What it calls by the name of a method is ours to call, or nobody's."""
    theirs = {name[5:] for name, _ in inspect.getmembers(SMTP, inspect.isfunction) if name.startswith("smtp_")}
    assert {"DATA", "AUTH"} < theirs
    assert issubclass(SmtpSession, SMTP)

    async with listening(max_errors=100) as gateway:
        wire = await gateway.greeted()
        known = {verb: (await wire.command(verb))[:1] for verb in sorted(theirs - {"QUIT", "DATA"})}
        assert set(known.values()) <= {"2", "5"}
        assert gateway.told.messages == []
