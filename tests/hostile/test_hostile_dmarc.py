"""Senders whose name servers keep silent: DMARC answers before the time of a check is over, and rules act on it."""

import asyncio
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.inspection import Case, Inspector
from gateway.journey import Examination
from gateway.policy.verdict import Action
from gateway.system.dns import Answer
from tests.support.dnstable import TableResolver
from tests.support.journeys import NOW, settings_of

EVIL, BANK = "evil.example", "bank.example"
CHECK_TIMEOUT = 3.0  # seconds; the test takes four fifths of them


class Silent(TableResolver):
    """What is asked about the policy of the sender, or of a part of the bank, is never answered."""

    async def query(self, name: str, rrtype: str) -> Answer:
        if name == f"_dmarc.{EVIL}" or name.endswith(f"lame.{BANK}"):
            await asyncio.Event().wait()
        return await super().query(name, rrtype)


async def examined(directory: Path, author: str, record: bytes, **networks: list[str]) -> Examination:
    """A message of `author` from a client for whom nobody vouches. The bank publishes `record`."""
    resolver = Silent({(f"_dmarc.{BANK}", "TXT"): [record]})
    settings = settings_of(directory, limits={"check_timeout": CHECK_TIMEOUT}, networks=networks)
    octets = f"From: {author}\r\nTo: alice@example.org\r\n\r\nHello.\r\n".encode()
    case = Case.of(octets, ip=ip_address("192.0.2.66"), helo=EVIL, mail_from="", recipients=["alice@example.org"])
    with closing(Inspector(settings, resolver=resolver, clock=lambda: NOW)) as inspector:
        return (await inspector.inspect(case)).examination


async def test_silent_domain_beside_another_does_not_save_the_message(tmp_path: Path) -> None:
    found = await examined(tmp_path, f"service@{BANK}, eve@{EVIL}", b"v=DMARC1; p=reject")
    assert (found.facts["dmarc.result"], found.facts["dmarc.author"]) == ("fail", BANK)
    assert found.verdict.action is Action.QUARANTINE


@pytest.mark.parametrize("author", [f"x@lame.{BANK}", f"x@a.b.c.d.lame.{BANK}"])
@pytest.mark.parametrize("record", [b"v=DMARC1; p=reject", b"v=DMARC1; p=reject; sp=quarantine; np=reject"])
async def test_subdomain_whose_name_server_is_lame_does_not_escape_the_policy_above(
    tmp_path: Path, author: str, record: bytes
) -> None:
    found = await examined(tmp_path, author, record)
    assert found.facts["dmarc.result"] == "temperror"
    assert (found.verdict.action, found.verdict.rules) == (Action.DEFER, ("dmarc-undecided",))


@pytest.mark.parametrize(
    ("list_of_networks", "rules"), [("relays", ("dmarc-relayed", "unscored")), ("own", ("unscored",))]
)
async def test_forgery_through_a_client_that_spf_is_not_asked_about_is_told_as_what_it_is(
    tmp_path: Path, list_of_networks: str, rules: tuple[str, ...]
) -> None:
    found = await examined(tmp_path, f"x@{BANK}", b"v=DMARC1; p=reject", **{list_of_networks: ["192.0.2.66"]})
    assert found.facts["dmarc.result"] == "fail"
    assert found.answers.results["dmarc"].authres() == ()
    assert found.stamped is not None
    assert b"dmarc=" not in found.stamped.header
    assert found.verdict.rules == rules
    assert f"X-Mailward-Tag: {', '.join(rules)}\r\n".encode() in found.stamped.header
