"""Messages examined as they are, by every check and the shipped rules, before a DNS that lies; what comes of it must be
sound, and nothing may have been logged as an error."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gateway.checks.base import Subject
from gateway.checks.run import NO_ANSWERS
from gateway.connection import Connection, Role
from gateway.envelope import Envelope, Recipient, parse_forward_path, parse_reverse_path
from gateway.inspection import Inspector
from gateway.journey import Arrival, Examination, ask, examine
from gateway.parts import Parts
from gateway.system.dns import Answer, Status
from tests.support.hostility import LyingResolver
from tests.support.journeys import ALICE, CLIENT, NOW, SENDER, settings_of
from tests.support.mailbytes import Bytes
from tests.support.soundness import assert_examination

UNBOUND = {"received": 10**6, "own_received": 10**6}  # so that the checks see what would be refused as a loop
ENVELOPE = Envelope(
    id="m1", sender=parse_reverse_path(f"<{SENDER}>"), recipients=(Recipient(parse_forward_path(f"<{ALICE}>")),)
)


class Examiner:
    """`resolver` may be given other answers at any time."""

    def __init__(self, parts: Parts, resolver: LyingResolver, errors: list[str]) -> None:
        self._parts = parts
        self._errors = errors
        self.resolver = resolver

    async def examine(self, octets: bytes, *, helo: str = "mail.sender.example") -> Examination:
        """Raises AssertionError where something is wrong."""
        self._errors.clear()
        connection = Connection(
            id="c1", ip=ip_address(CLIENT), port=40000, role=Role.STRANGER, opened=NOW, helo=helo, esmtp=True
        )
        subject = Subject(connection=connection, envelope=ENVELOPE)
        early = await ask(self._parts.waves.client, subject, NO_ANSWERS)
        early |= await ask(self._parts.waves.sender, subject, early)
        arrival = Arrival(connection=connection, envelope=ENVELOPE, content=Bytes(octets), early=early)
        found = await examine(self._parts, arrival)
        assert_examination(found)
        assert not self._errors, self._errors
        return found


@contextmanager
def examining(directory: Path, **settings: Any) -> Iterator[Examiner]:
    """Inside a running event loop. DNS has nothing until the resolver is told otherwise."""
    (directory / "rules.d").mkdir()
    resolver = LyingResolver([Answer(Status.NXDOMAIN)])
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        with closing(Inspector(settings_of(directory, **settings), resolver=resolver, clock=lambda: NOW)) as inspector:
            yield Examiner(inspector.parts, resolver, errors.logged)
    finally:
        logging.getLogger().removeHandler(errors)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.logged: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.logged.append(record.getMessage())
