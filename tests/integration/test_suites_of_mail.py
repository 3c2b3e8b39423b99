"""Thousands of messages that others collected, brought over real sockets and handed on to a server that keeps them:
their bodies arrive octet for octet, our fields and no others are added, and no error of ours makes a 4xx or 5xx."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.lines import to_crlf
from gateway.policy.verdict import Action
from gateway.record import Record
from tests.support.downstream import Downstream
from tests.support.inside import Inside, serving
from tests.support.spamd import RunningSpamd
from tests.support.wire import Wire

CLIENTS = 8

# A field whose name is ours to give, with the lines that continue it.
_ours_re = re.compile(rb"(?:x-spam|x-mailward)-[!-9;-~]*[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE)
_field_re = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*\n?")
_added_re = re.compile(
    rb"(?:(?:Authentication-Results|Received|X-Mailward-[A-Za-z-]+|X-Spam-[A-Za-z-]+):[^\n]*\n(?:[ \t][^\n]*\n)*)+\Z"
)

# Why a message may be refused, and what it then has.
_REASONS: dict[str, Callable[[bytes], bool]] = {
    "554 5.6.11 ": lambda octets: b"\0" in octets or max(map(len, octets.split(b"\n"))) > 65535,
    "554 5.4.6 ": lambda octets: octets.lower().count(b"\nreceived:") >= 100,
}


def below_ours(original: bytes) -> bytes:
    """The message without fields that claim to be ours; what would continue the last field of ours goes as well."""
    head, blank, body = original.partition(b"\r\n\r\n")
    if original.startswith(b"\r\n"):
        return original
    fields = _field_re.findall(head + b"\r\n" if blank else head)
    kept = [field for field in fields if field and not _ours_re.fullmatch(field)]
    if kept and kept[0][:1] in (b" ", b"\t"):
        del kept[0]
    return b"".join(kept) + (b"\r\n" + body if blank else b"")


@dataclass(frozen=True)
class Brought:
    """A message, and what its client was told."""

    name: str
    octets: bytes
    told: str


async def bring_all(inside: Inside, files: Sequence[Path]) -> list[Brought]:
    """Bring each file in a transaction whose sender is its number, over several connections at once."""
    waiting = enumerate(files)
    brought: list[Brought] = []

    async def bring_some() -> None:
        wire = await inside.greeted()
        for number, file in waiting:
            octets = to_crlf(file.read_bytes())
            octets = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
            brought.append(Brought(f"{number}@sender.example", octets, await bring(wire, number, octets)))
        wire.abort()

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(bring_some())
    return brought


async def bring(wire: Wire, number: int, octets: bytes) -> str:
    await wire.send(
        f"MAIL FROM:<{number}@sender.example> BODY=8BITMIME\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n".encode()
    )
    assert [(await wire.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
    stuffed = (b"\r\n" + octets).replace(b"\r\n.", b"\r\n..")[2:]
    await wire.send(stuffed + b".\r\n")
    return await wire.reply()


def arrived(server: Downstream) -> dict[str, list[bytes]]:
    """What the server has, by the sender of the envelope."""
    messages: dict[str, list[bytes]] = {}
    for session in server.sessions:
        senders = _senders(session.commands)
        for sender, message in zip(senders, session.messages, strict=True):
            messages.setdefault(sender, []).append(message)
    return messages


def _senders(commands: Sequence[str]) -> Iterator[str]:
    """The sender of each message."""
    sender = ""
    for command in commands:
        if command.startswith("MAIL FROM:<"):
            sender = command[11:].partition(">")[0]
        elif command == "DATA":
            yield sender


def fault(message: Brought, copies: Sequence[bytes], record: Record) -> str:
    """What should not be, or ""."""
    unanswered = [check for check, result in record.results.items() if result == "unavailable"]
    if unanswered:
        return f"no answer of {unanswered}"
    if not message.told.startswith("250 "):
        by_rule = record.action == Action.REJECT and record.rules
        stated = any(message.told.startswith(reply) and has(message.octets) for reply, has in _REASONS.items())
        return "" if not copies and (by_rule or stated) else f"told {message.told}"
    if len(copies) != 1:
        return f"arrived {len(copies)} times"
    kept = below_ours(message.octets)
    if not copies[0].endswith(kept):
        return "something below our fields has changed"
    return "" if _added_re.match(copies[0].removesuffix(kept)) else "something is added that is no field of ours"


async def faults_of(directory: Path, files: Sequence[Path], **settings: Any) -> dict[str, str]:
    async with Downstream() as server, serving(directory, hosts=[server.endpoint], **settings) as inside:
        brought = await bring_all(inside, files)
        copies = arrived(server)
        records = {record.sender: record for record in inside.records}
    found = {message.name: fault(message, copies.get(message.name, []), records[message.name]) for message in brought}
    return {str(files[int(name.partition("@")[0])]): wrong for name, wrong in found.items() if wrong}


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.suites
@pytest.mark.parametrize("suite", ["mime", "spamassassin", "corpus"])
async def test_messages_of_others_are_handed_on_unchanged(
    suites: Path, score: Callable[[str, int, int], None], tmp_path: Path, suite: str
) -> None:
    files = files_of(suites / suite)
    failed = await faults_of(tmp_path, files)
    score(f"mail of {suite}: handed on, and unchanged below our fields", len(files) - len(failed), len(files))
    assert not failed


@pytest.mark.suites
@pytest.mark.spamd
async def test_messages_that_spamd_has_scored_are_handed_on_unchanged(
    suites: Path, score: Callable[[str, int, int], None], tmp_path: Path, spamd: RunningSpamd
) -> None:
    files = files_of(suites / "spamassassin")
    hosts = [{"address": spamd.address, "concurrency": 2}]
    failed = await faults_of(
        tmp_path, files, spamd={"hosts": hosts, "timeout": 600, "queue_wait": 600, "attempt_timeout": 120}
    )
    score("mail of spamassassin: scored by spamd, and unchanged below our fields", len(files) - len(failed), len(files))
    assert not failed
