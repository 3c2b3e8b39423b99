"""`mailward check` as an administrator runs it: the command in a process, DNS on loopback, a pipe or a terminal."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from gateway.config import DEFAULT_PATH
from tests.support.dnsserver import DnsServer
from tests.support.signing import handmade, rsa_key

COLUMNS = 80
PATIENCE = 60.0  # seconds

LETTER = (
    b"From: Ann <ann@news.sender.example>\r\nTo: alice@example.org\r\nSubject: A letter\r\n"
    b"Date: Tue, 14 Nov 2023 22:00:00 +0000\r\n\r\nDear Alice,\r\n"
)
RUA = b"rua=mailto:" + b",mailto:".join(b"reports-%d@reports.sender.example" % number for number in range(5))
ZONE = {
    ("sender.example", "TXT"): [b"v=spf1 include:_spf.sender.example -all"],
    ("_spf.sender.example", "TXT"): [b"v=spf1 include:_spf.a-provider-with-a-long-name.example -all"],
    ("_spf.a-provider-with-a-long-name.example", "TXT"): [b"v=spf1 ip4:192.0.2.0/24 -all"],
    ("s1._domainkey.sender.example", "TXT"): [rsa_key().record],
    ("_dmarc.sender.example", "TXT"): [b"v=DMARC1; p=reject; " + RUA],
}

_colour_re = re.compile(r"\x1b\[[0-9;]*m")


def command(file: Path, address: str, *more: str) -> list[str]:
    envelope = ("--ip", "192.0.2.7", "--helo", "mail.sender.example", "--from", "ann@sender.example")
    return [sys.executable, "-m", "gateway", "check", str(file), *envelope, "--dns", address, *more]


async def piped(file: Path, address: str, *more: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command(file, address, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    return output.decode()


async def on_a_terminal(file: Path, address: str) -> str:
    """What appears on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    surroundings = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "NO_COLOR"):
        surroundings.pop(name, None)
    process = await asyncio.create_subprocess_exec(*command(file, address), stdout=theirs, env=surroundings)
    os.close(theirs)
    output = b""
    while piece := await asyncio.to_thread(_read, ours):
        output += piece
    os.close(ours)
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 0
    return output.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    if DEFAULT_PATH.exists():
        pytest.skip(f"{DEFAULT_PATH} is there, and would be used")
    file = tmp_path / "letter.eml"
    file.write_bytes(handmade(LETTER, rsa_key(), d="sender.example", x="1500000000"))
    return file


async def test_through_a_pipe_every_value_is_whole_and_nothing_is_coloured(letter: Path) -> None:
    async with DnsServer(ZONE) as server:
        shown = await piped(letter, server.address)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "\x1b" not in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())
    way = "include:_spf.sender.example -> include:_spf.a-provider-with-a-long-name.example -> ip4:192.0.2.0/24"
    assert f"mailfrom pass: sender.example -> {way}" in lines
    assert "2 of 10 lookups, 0 of 2 without an answer" in lines
    assert "permerror d=sender.example s=s1 a=rsa-sha256: it has expired (x=)" in lines
    assert f"_dmarc.sender.example: v=DMARC1; p=reject; {RUA.decode()}" in lines
    assert "spf sender.example pass, aligned (relaxed): of the same organizational domain" in lines
    assert "verdict tag" in lines


async def test_on_a_terminal_it_fits_and_is_coloured(letter: Path) -> None:
    async with DnsServer(ZONE) as server:
        shown = await on_a_terminal(letter, server.address)
        unfolded = await piped(letter, server.address)
    assert _colour_re.search(shown)
    plain = _colour_re.sub("", shown)
    assert "\x1b" not in plain
    lines = plain.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert "".join(plain.split()).count("ip4:192.0.2.0/24") == "".join(unfolded.split()).count("ip4:192.0.2.0/24") == 1
    continued = [line for line in lines if line.strip().startswith("->") or line.strip().startswith("include:_spf.a-")]
    assert continued
    assert all(line.startswith(" " * 10) for line in continued)
