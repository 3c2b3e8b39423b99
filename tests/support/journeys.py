"""Journeys without a session: the parts of a worker on a DNS table, the shipped rules and a Maildir, and a client that
walks through them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway.checks.run import Wave
from gateway.config import Settings
from gateway.connection import Connection
from gateway.envelope import Envelope, Recipient, parse_forward_path, parse_reverse_path
from gateway.journey import Journey
from gateway.parts import Parts
from gateway.record import Event, Record
from gateway.reply import Reply
from gateway.serve import build_parts
from gateway.system.dns import Resolver
from gateway.system.spool import Spool
from tests.support.deliveries import disk_threads

NOW = 1_795_000_000.0
CLIENT = "192.0.2.7"
SENDER = "ann@sender.example"
ALICE = "alice@example.org"
HOSTNAME = "mx.example.org"

LETTER = (
    b"From: Ann <ann@sender.example>\r\nTo: alice@example.org\r\nSubject: A letter\r\n"
    b"Message-ID: <1@sender.example>\r\n\r\nDear Alice,\r\n"
)


@dataclass
class Walk:
    """One client of a gateway with these parts."""

    parts: Parts
    records: list[Record]
    mail: Path
    journey: Journey = field(init=False)
    connection: Connection = field(init=False)
    _transactions: int = 0

    async def connect(self, ip: str = CLIENT, helo: str = "mail.sender.example", **more: Any) -> None:
        address = ip_address(ip)
        role = self.parts.realm.role_of(address)
        self.journey = Journey(self.parts)
        self.connection = Connection(id="c1", ip=address, port=40000, role=role, opened=NOW, **more)
        assert await self.journey.connect(self.connection) is None
        self.connection = replace(self.connection, helo=helo, esmtp=True)
        assert await self.journey.helo(self.connection) is None

    async def transaction(self, *recipients: str, sender: str = SENDER) -> list[str]:
        """MAIL, and the answers to RCPT."""
        self._transactions += 1
        envelope = Envelope(id=f"m{self._transactions}", sender=parse_reverse_path(f"<{sender}>"))
        assert (await self.journey.mail(envelope)).is_success
        return [str(await self.rcpt(recipient)) for recipient in recipients]

    async def rcpt(self, recipient: str) -> Reply:
        return await self.journey.rcpt(Recipient(parse_forward_path(f"<{recipient}>")))

    async def message(self, octets: bytes = LETTER) -> str:
        spool = Spool(threshold=1 << 26, directory=Path("/nonexistent"))
        spool.write(octets)
        try:
            return str(await self.journey.message(spool))
        finally:
            spool.close()

    async def send(self, octets: bytes = LETTER, *recipients: str, **more: Any) -> str:
        """A whole transaction whose recipients are accepted; the answer to the message."""
        answers = await self.transaction(*(recipients or (ALICE,)), **more)
        assert all(answer.startswith("250 ") for answer in answers), answers
        return await self.message(octets)

    def delivered(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted(self.mail.rglob("new/*"))]

    def recorded(self, event: Event = Event.MESSAGE) -> Record:
        """The one record of that kind."""
        [record] = [record for record in self.records if record.event is event]
        return record

    def with_wave(self, name: str, *checks: Any, seconds: float = 5.0) -> None:
        """Replace a wave of checks."""
        self.parts = replace(self.parts, waves=replace(self.parts.waves, **{name: Wave(tuple(checks), seconds)}))


def settings_of(directory: Path, *, candidate: Path | None = None, **settings: Any) -> Settings:
    return Settings.model_validate(
        {
            "hostname": HOSTNAME,
            "domains": ["example.org", ".example.org"],
            "state_directory": directory,
            "route": {"default": {"hosts": [f"maildir://{directory}/mail"]}},
            "rules": {"site": directory / "rules.d", "lists": directory / "lists", "candidate": candidate},
        }
        | settings
    )


@asynccontextmanager
async def walking(
    directory: Path,
    resolver: Resolver,
    *,
    rules: str | Sequence[str] = "",
    candidate: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Walk]:
    """A client before it connects. `rules` are the site's, `settings` tables of the configuration."""
    (directory / "rules.d").mkdir(exist_ok=True)
    (directory / "rules.d" / "site.toml").write_text(rules if isinstance(rules, str) else "\n".join(rules))
    records: list[Record] = []
    with disk_threads() as disk:
        parts = build_parts(
            settings_of(directory, candidate=candidate, **settings),
            resolver=resolver,
            disk=disk,
            clock=lambda: NOW,
            record=records.append,
        )
        try:
            yield Walk(parts=parts, records=records, mail=directory / "mail")
        finally:
            parts.routes.close()
