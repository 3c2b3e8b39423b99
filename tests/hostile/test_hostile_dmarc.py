"""Senders whose name servers keep silent: DMARC answers before the time of a check is over, and rules act on it."""

import asyncio
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

from gateway.inspection import Case, Inspector
from gateway.policy.verdict import Action
from gateway.system.dns import Answer
from tests.support.dnstable import TableResolver
from tests.support.journeys import NOW, settings_of

EVIL, BANK = "evil.example", "bank.example"
CHECK_TIMEOUT = 3.0  # seconds; the test takes four fifths of them


class Silent(TableResolver):
    """What is asked about the sender is never answered."""

    async def query(self, name: str, rrtype: str) -> Answer:
        if name == f"_dmarc.{EVIL}":
            await asyncio.Event().wait()
        return await super().query(name, rrtype)


async def test_silent_domain_beside_another_does_not_save_the_message(tmp_path: Path) -> None:
    resolver = Silent({(f"_dmarc.{BANK}", "TXT"): [b"v=DMARC1; p=reject"]})
    settings = settings_of(tmp_path, limits={"check_timeout": CHECK_TIMEOUT})
    octets = f"From: service@{BANK}, eve@{EVIL}\r\nTo: alice@example.org\r\n\r\nHello.\r\n".encode()
    case = Case.of(octets, ip=ip_address("192.0.2.66"), helo=EVIL, mail_from="", recipients=["alice@example.org"])
    with closing(Inspector(settings, resolver=resolver, clock=lambda: NOW)) as inspector:
        found = (await inspector.inspect(case)).examination
    assert (found.facts["dmarc.result"], found.facts["dmarc.author"]) == ("fail", BANK)
    assert found.verdict.action is Action.QUARANTINE
