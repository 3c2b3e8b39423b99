"""Whatever a client puts into HELO, MAIL and RCPT, and whoever controls its DNS into names and records: the header that
goes on has the fields that it always has, says what is true, and the next hop hears no other commands than always."""

import re
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest

from tests.support.breakouts import BREAKOUTS
from tests.support.dnstable import Table
from tests.support.downstream import Downstream
from tests.support.wire import Wire
from tests.support.working import HEADER, to, working

SOURCE = "127.0.0.9"
MAIL, RCPT = "MAIL FROM:<ann@sender.example>", "RCPT TO:<alice@example.org>"
ENDS = ("\r\nInjected: yes", "\nInjected: yes", "\rInjected: yes", "\0Injected: yes", "\x0bInjected: yes")
TEXTS = (*BREAKOUTS, *(f"x{end}" for end in ENDS), 'x"@evil.example> SIZE=1', "x> ORCPT=rfc822;a@b.example")


def zone(name: str, record: bytes = b"v=spf1 -all") -> Table:
    """The client's reverse name, confirmed, and the records of its domains; all are the attacker's."""
    return {
        (f"{'.'.join(reversed(SOURCE.split('.')))}.in-addr.arpa", "PTR"): [name],
        (name, "A"): [SOURCE],
        ("sender.example", "TXT"): [record],
        ("_dmarc.sender.example", "TXT"): [b"v=DMARC1; p=none; x=" + record],
        ("evil.example", "TXT"): [record],
    }


async def names_of_what_arrives(
    directory: Path, table: Table, *, helo: bytes = b"EHLO client.example", mail: str = MAIL, rcpt: str = RCPT
) -> list[str]:
    """The names of the fields that the next hop got; none where the client was refused."""
    rules = {"shipped": False, "site": directory / "rules.d"}
    async with Downstream() as server, working(directory, {"default": to(server)}, zone=table, rules=rules) as worker:
        wire = await Wire.connect(worker.port, source=SOURCE)
        await wire.reply()
        await say(wire, b"EHLO client.example")
        await say(wire, helo)
        told = "".join([await say(wire, command.encode()) for command in (mail, rcpt)])
        if told.replace("2", "", 1) == "2":
            await wire.send(b"DATA\r\n" + HEADER + b"text\r\n.\r\n")
            assert (await wire.reply()).startswith("354 ")
            assert (await wire.reply()).startswith("250 ")
        heard = [command for session in server.sessions for command in session.commands]
        allowed = ("EHLO ", "XFORWARD ", "MAIL FROM:<", "RCPT TO:<", "DATA", "RSET", "QUIT")
        assert all(command.startswith(allowed) and command.isprintable() for command in heard), heard
        assert len(server.messages) <= 1
        return _judged(server.messages[0]) if server.messages else []


async def say(wire: Wire, command: bytes) -> str:
    """The first digit of each answer to what may be several commands."""
    await wire.send(command + b"\r\nVRFY x\r\n")
    digits = ""
    while not (answer := await wire.reply()).startswith("252 "):
        digits += answer[0]
    return digits


def _judged(message: bytes) -> list[str]:
    header = BytesHeaderParser().parsebytes(message)
    assert message.endswith(HEADER + b"text\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|[\0\x0b\x85]", message)
    (results,) = header.get_all("Authentication-Results")
    unfolded = " ".join(results.split())
    without = re.sub(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)', "", unfolded)
    assert not re.search(r"\b(?:spf|dkim|dmarc)=pass", without), unfolded
    return header.keys()


USUAL = ["X-Mailward-Unscored", "Authentication-Results", "Received", "From", "Subject", "Message-ID"]


async def test_what_is_usual(tmp_path: Path) -> None:
    assert await names_of_what_arrives(tmp_path, zone("mail.sender.example")) == USUAL


@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
@pytest.mark.parametrize("text", TEXTS)
async def test_helo(tmp_path: Path, verb: str, text: str) -> None:
    octets = f"{verb} {text}".encode()
    assert await names_of_what_arrives(tmp_path, zone("mail.sender.example"), helo=octets) in (USUAL, [])


def addresses(text: str) -> list[str]:
    """As a local part, in quotes and not, and as a domain."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return [f"{text}@sender.example", f'"{quoted[:60]}"@sender.example', f"ann@{text}.evil.example", text]


@pytest.mark.parametrize("text", TEXTS)
async def test_mail(tmp_path: Path, text: str) -> None:
    for address in addresses(text):
        for parameters in ("", " SMTPUTF8", f" SIZE=1 {text}"):
            mail = f"MAIL FROM:<{address}>{parameters}"
            assert await names_of_what_arrives(tmp_path, zone("mail.sender.example"), mail=mail) in (USUAL, [])


@pytest.mark.parametrize("text", TEXTS)
async def test_rcpt(tmp_path: Path, text: str) -> None:
    for address in addresses(text):
        rcpt = f"RCPT TO:<{address.replace('sender.example', 'example.org')}>"
        assert await names_of_what_arrives(tmp_path, zone("mail.sender.example"), rcpt=rcpt) in (USUAL, [])


@pytest.mark.parametrize("text", TEXTS)
async def test_reverse_name(tmp_path: Path, text: str) -> None:
    name = f"{text.encode().replace(b'.', b' ')[:60].decode('latin-1')}.evil.example"
    assert await names_of_what_arrives(tmp_path, zone(name)) == USUAL


@pytest.mark.parametrize("text", TEXTS)
async def test_records(tmp_path: Path, text: str) -> None:
    record = b"v=spf1 exp=%{l}.evil.example -all " + text.encode()[:1000]
    assert await names_of_what_arrives(tmp_path, zone("mail.sender.example", record)) == USUAL
    record = text.encode()[:1000]
    assert await names_of_what_arrives(tmp_path, zone("mail.sender.example", record)) == USUAL
