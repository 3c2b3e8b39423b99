"""The front with the clients of others: swaks and Python's smtplib, in the clear and over TLS."""

import asyncio
import shutil
import smtplib
from pathlib import Path

import pytest

from gateway.system.tls import ServerTls, TlsSettings, server_tls
from tests.support.front import listening
from tests.support.loops import on_both_loops
from tests.support.wire import any_certificate

MESSAGE = "Subject: dots\r\n\r\n.\r\n..\r\ntext\r\n"


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return server_tls(TlsSettings(), hostname="mx.example.net", state=tmp_path)


def send_with_smtplib(port: int, *, over_tls: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=5) as client:
        client.ehlo()
        if over_tls == "tls":
            client.starttls(context=any_certificate())
        for _ in range(2):
            refused = client.sendmail("a@example.org", ["b@example.net", "c@example.net"], MESSAGE)
            assert refused == {}
        assert client.verify("b@example.net")[0] == 252
        assert client.noop()[0] == 250


@pytest.mark.parametrize("over_tls", ["clear", "tls"])
@on_both_loops
async def test_smtplib(tls: ServerTls, over_tls: str) -> None:
    async with listening(tls=tls) as gateway:
        await asyncio.to_thread(send_with_smtplib, gateway.port, over_tls=over_tls)
        assert gateway.told.messages == [MESSAGE.encode()] * 2
        assert (gateway.told.all("helo")[-1].tls is not None) == (over_tls == "tls")
        assert [str(recipient.address) for recipient in gateway.told.all("rcpt")][:2] == [
            "b@example.net",
            "c@example.net",
        ]


@pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")
@pytest.mark.parametrize("options", [(), ("--tls",), ("--pipeline",), ("--tls", "--pipeline"), ("--protocol", "SMTP")])
@on_both_loops
async def test_swaks(tls: ServerTls, options: tuple[str, ...]) -> None:
    async with listening(tls=tls) as gateway:
        process = await asyncio.create_subprocess_exec(
            *("swaks", "--server", f"127.0.0.1:{gateway.port}", "--ehlo", "client.example"),
            *("--from", "a@example.org", "--to", "b@example.net,c@example.net"),
            *("--data", "Subject: dots\\n\\n.\\n..\\ntext\\n", "--timeout", "5", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        (message,) = gateway.told.messages
        assert message.startswith(MESSAGE.encode())
        assert (gateway.told.all("helo")[-1].tls is not None) == ("--tls" in options)
        assert len(gateway.told.all("rcpt")) == 2
