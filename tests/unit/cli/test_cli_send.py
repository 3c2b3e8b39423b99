"""mailward send: what the server hears, what is printed, and the exit status."""

import asyncio
import io
import socket
import threading
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.reply import reply
from gateway.smtp.caller import Proxies
from gateway.system.tls import ServerTls
from tests.support.certificates import make_certificate
from tests.support.front import Gateway, listening
from tests.support.spamd import free_port

LETTER = b"From: Ann <ann@example.com>\nTo: bob@example.org, Carl <carl@example.org>\nSubject: hi\n\n.dot\nbye\n"


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    file = tmp_path / "letter.eml"
    file.write_bytes(LETTER)
    return file


async def send(gateway: Gateway, *arguments: object) -> int:
    """Run the command beside the gateway."""
    return await asyncio.to_thread(main, ["send", "--to", f"127.0.0.1:{gateway.port}", *map(str, arguments)])


async def test_the_envelope_is_read_from_the_message(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening() as gateway:
        assert await send(gateway, letter) == 0
    [envelope] = gateway.told.all("mail")
    assert envelope.reverse_path == "ann@example.com"
    assert [str(rcpt.address) for rcpt in gateway.told.all("rcpt")] == ["bob@example.org", "carl@example.org"]
    assert gateway.told.messages == [LETTER.replace(b"\n", b"\r\n")]
    assert capsys.readouterr().out.splitlines() == [
        "MAIL FROM:<ann@example.com>: 250 2.1.0 Sender ok",
        "RCPT TO:<bob@example.org>: 250 2.1.5 Recipient ok",
        "RCPT TO:<carl@example.org>: 250 2.1.5 Recipient ok",
        "the message: 250 2.0.0 Accepted",
    ]


async def test_the_envelope_can_be_given(letter: Path) -> None:
    async with listening() as gateway:
        assert await send(gateway, letter, "--from", "<>", "--rcpt", "<x@example.org>", "--helo", "me.example") == 0
    assert gateway.told.all("mail")[0].sender is None
    assert [str(rcpt.address) for rcpt in gateway.told.all("rcpt")] == ["x@example.org"]
    assert gateway.told.all("helo")[0].helo == "me.example"


@pytest.mark.parametrize("client", ["192.0.2.9", "2001:db8::9"])
async def test_it_can_come_as_a_balancer_with_a_client(client: str, letter: Path) -> None:
    async with listening(proxies=Proxies(balancers=(ip_network("127.0.0.1/32"),))) as gateway:
        assert await send(gateway, letter, "--client", client) == 0
        [connection] = gateway.told.connections
        assert (str(connection.ip), str(connection.via)) == (client, "127.0.0.1")
        assert connection.port > 0
        assert await send(gateway, letter) == 1


async def test_standard_input_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LETTER)))
    async with listening() as gateway:
        assert await send(gateway, "-") == 0
    assert len(gateway.told.messages) == 1


async def test_tls_is_used_when_asked_for(letter: Path, tmp_path: Path) -> None:
    made = make_certificate(tmp_path, "127.0.0.1")
    async with listening(tls=ServerTls(made.certificate, made.key)) as gateway:
        assert await send(gateway, letter, "--tls") == 0
    assert gateway.told.all("helo")[-1].tls is not None


async def test_tls_that_is_not_offered_is_told(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening() as gateway:
        assert await send(gateway, letter, "--tls") == 1
    assert "STARTTLS" in capsys.readouterr().err
    assert gateway.told.messages == []


async def test_a_refused_recipient_is_a_failure_though_others_get_the_message(letter: Path) -> None:
    refusals = iter([reply("550 5.1.1", "Unknown"), None])
    async with listening({"rcpt": lambda _: next(refusals)}) as gateway:
        assert await send(gateway, letter) == 1
    assert len(gateway.told.messages) == 1


async def test_without_any_recipient_nothing_is_sent(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening({"rcpt": reply("550 5.1.1", "Unknown")}) as gateway:
        assert await send(gateway, letter) == 1
    assert gateway.told.messages == []
    assert capsys.readouterr().out.splitlines()[-1] == "RCPT TO:<carl@example.org>: 550 5.1.1 Unknown"


@pytest.mark.parametrize(
    ("step", "line"),
    [
        ("mail", "MAIL FROM:<ann@example.com>: 451 4.7.1 Later"),
        ("message", "the message: 451 4.7.1 Later"),
    ],
)
async def test_a_refusal_is_printed_and_ends_it(
    letter: Path, step: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with listening({step: reply("451 4.7.1", "Later")}) as gateway:
        assert await send(gateway, letter) == 1
    assert capsys.readouterr().out.splitlines()[-1] == line


async def test_a_refused_connection_is_printed(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening({"connect": reply("554 5.7.1", "Not you")}) as gateway:
        assert await send(gateway, letter) == 1
    assert capsys.readouterr().out == "the connection: 554 5.7.1 Not you\n"


async def test_eight_bit_text_is_declared(tmp_path: Path) -> None:
    file = tmp_path / "letter.eml"
    file.write_bytes(LETTER + "Grüße\n".encode())
    async with listening() as gateway:
        assert await send(gateway, file) == 0
    assert gateway.told.all("mail")[0].body.value == "8BITMIME"
    assert gateway.told.messages[0].endswith("Grüße\r\n".encode())


async def test_an_international_address_is_declared(letter: Path) -> None:
    async with listening() as gateway:
        assert await send(gateway, letter, "--rcpt", "jürgen@example.org") == 0
    assert gateway.told.all("mail")[0].smtputf8
    assert str(gateway.told.all("rcpt")[0].address) == "jürgen@example.org"


async def _dangerous(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"554 go \x1b[2J away\r\n")
    writer.close()


async def test_what_the_server_says_does_not_drive_the_terminal(
    letter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await asyncio.start_server(_dangerous, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await asyncio.to_thread(main, ["send", "--to", f"127.0.0.1:{port}", str(letter)]) == 1
    assert capsys.readouterr().out == "the connection: 554 go ?[2J away\n"
    server.close()


def test_nobody_listening_is_told(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main(["send", "--to", f"127.0.0.1:{port}", str(letter)]) == 1
    assert capsys.readouterr().err == f"mailward send: 127.0.0.1:{port}: [Errno 111] Connection refused\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--to", "nowhere", "{letter}"], "--to nowhere: must be HOST:PORT"),
        (["--to", "127.0.0.1:1", "/nonexistent/file"], "/nonexistent/file: No such file or directory"),
        (["--to", "127.0.0.1:1", "/dev/null"], "no recipient: the message has no To field"),
    ],
)
def test_a_wrong_command_line_is_told(
    letter: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", *(argument.format(letter=letter) for argument in arguments)]) == 2
    assert told in capsys.readouterr().err


async def test_a_name_that_no_command_can_carry_is_told(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with listening() as gateway:
        assert await send(gateway, letter, "--helo", "grüße.example") == 1
    assert gateway.told.all("helo") == []
    assert "mailward send: " in capsys.readouterr().err


def test_a_server_that_hangs_up_is_told(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close()).start()
        port = server.getsockname()[1]
        assert main(["send", "--to", f"127.0.0.1:{port}", str(letter)]) == 1
    assert "closed" in capsys.readouterr().err
