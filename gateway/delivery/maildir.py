"""Maildir: the embedded next hop. Turns a message into one fsynced file for each recipient, under
ROOT/DOMAIN/LOCAL-PART.

RFC 5321 section 4.4 (Return-Path). The octets are kept as they came, with CRLF, so that signatures still verify.
"""

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path

from msgspec import Struct

from gateway.connection import Connection
from gateway.delivery.durable import Draft, make_maildir, write_draft
from gateway.delivery.outcome import Failure, Outcome, disk_failure, failed
from gateway.envelope import Address, Envelope, Recipient
from gateway.message import Stamped
from gateway.reply import Reply, reply
from gateway.system.threads import DISK_PATIENCE, on_disk

MAX_NAME = 255  # octets of a file name, NAME_MAX of Linux

ACCEPTED = reply("250 2.1.5", "Recipient ok")
TOO_LONG = reply("553 5.1.3", "The address is too long for a mailbox here")

_not_in_name_re = re.compile(rb"[^a-z0-9.+_=-]|\A\.")


class MaildirNames:
    """Names for files, unique on this host: time, process and a counter (the Maildir convention)."""

    def __init__(self, hostname: str) -> None:
        self._host = _file_name(hostname)[:64]
        self._count = count(1)

    def next(self, suffix: str = "") -> str:
        now = time.time_ns()
        stamp = f"{now // 10**9}.M{now % 10**9 // 1000}P{os.getpid()}Q{next(self._count)}"
        return f"{stamp}.{self._host}{suffix}"


class MaildirHop:
    """Takes mail for any address it is asked for (a gateway.delivery.base.NextHop)."""

    shares_transactions = True
    carries = frozenset({"REQUIRETLS"})  # nothing leaves this host; and nobody here writes the notifications of DSN

    def __init__(self, name: str, root: Path, *, disk: Executor, names: MaildirNames) -> None:
        self.name = name
        self.root = root
        self.disk = disk
        self.names = names

    def open(self, connection: Connection, envelope: Envelope, client_name: str) -> "MaildirDelivery":
        return MaildirDelivery(self)


class MaildirDelivery(Struct, frozen=True):
    """One transaction's way into the Maildirs (a gateway.delivery.base.Delivery)."""

    hop: MaildirHop

    async def recipient(self, recipient: Recipient) -> Reply:
        return ACCEPTED if _fits(recipient.address) else TOO_LONG

    def let_go(self) -> None:
        pass

    async def send(self, envelope: Envelope, stamped: Stamped, *, spent: float = 0.0) -> Outcome:
        hop = self.hop
        try:
            names = await on_disk(hop.disk, _store, hop, envelope, stamped)
        except TimeoutError:
            return failed(
                Failure.UNKNOWN, next_hop=hop.name, detail=f"the disk has not answered for {DISK_PATIENCE:g} s"
            )
        except OSError as error:
            return disk_failure(error, next_hop=hop.name)
        told = reply("250 2.0.0", f"Stored as {envelope.id}")
        return Outcome(reply=told, next_hop=hop.name, answer=f"stored in {hop.root}", queue_id=names[0])

    async def close(self) -> None:
        pass


def mailbox(root: Path, address: Address) -> Path:
    """The Maildir of an address: always two levels below `root`, and another one for each address."""
    return root / _file_name(address.domain or "localhost") / _file_name(address.bare_local)


def _file_name(text: str) -> str:
    """A name that is no path: all but plain characters, and a dot at its start, are written as %HH."""
    encoded = _not_in_name_re.sub(lambda match: b"%%%02X" % match[0][0], text.lower().encode())
    return encoded.decode("ascii") or "%"


def _fits(address: Address) -> bool:
    return max(len(_file_name(address.domain)), len(_file_name(address.bare_local))) <= MAX_NAME


def _store(hop: MaildirHop, envelope: Envelope, stamped: Stamped) -> list[str]:
    """Write all, then show all; whatever fails, nobody has the message. Raises OSError."""
    drafts: list[Draft] = []
    with ExitStack() as undo:
        for maildir, address in _mailboxes(hop.root, envelope).items():
            drafts.append(_draft(hop, envelope, maildir, address, stamped))
            undo.callback(drafts[-1].discard)
        for draft in drafts:
            draft.publish()
        undo.pop_all()
    return [draft.name for draft in drafts]


def _mailboxes(root: Path, envelope: Envelope) -> dict[Path, Address]:
    """The Maildirs of the recipients, each with the address that named it first: nobody gets a message twice."""
    mailboxes: dict[Path, Address] = {}
    for recipient in envelope.recipients:
        mailboxes.setdefault(mailbox(root, recipient.address), recipient.address)
    return mailboxes


def _draft(hop: MaildirHop, envelope: Envelope, maildir: Path, address: Address, stamped: Stamped) -> Draft:
    make_maildir(maildir)
    trace = f"Return-Path: <{envelope.reverse_path}>\r\nDelivered-To: {address}\r\n".encode()
    chunks: Iterator[bytes] = chain((trace,), stamped.chunks())
    return write_draft(maildir, hop.names.next(), chunks, size=len(trace) + stamped.size)
