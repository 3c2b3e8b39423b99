"""The journey of forwarded mail: whose seal excuses a failing DMARC, and what we seal ourselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from gateway.checks.arc import ArcCheck, ArcSettings, ChainStatus
from gateway.checks.base import Unavailable
from gateway.delivery.quarantine import as_released, read
from gateway.inspection import Case, Inspector
from tests.support.checking import Said, ScriptedCheck
from tests.support.dnstable import TableResolver
from tests.support.journeys import ALICE, LETTER, NOW, Walk, settings_of, walking
from tests.support.mailbytes import message_of, subject_of
from tests.support.sealing import pem, sealed
from tests.support.signing import rsa_key

LIST_HOST = "192.0.2.9"
BOUNCES = "bounces@lists.example"
ZONE: dict[Any, Any] = {
    ("lists.example", "TXT"): [f"v=spf1 ip4:{LIST_HOST} -all".encode()],
    ("9.2.0.192.in-addr.arpa", "PTR"): ["mail.lists.example"],
    ("mail.lists.example", "A"): [LIST_HOST],
    ("_dmarc.sender.example", "TXT"): [b"v=DMARC1; p=reject"],
    ("_dmarc.testing.example", "TXT"): [b"v=DMARC1; p=quarantine; t=y"],
    ("_dmarc.unasking.example", "TXT"): [b"v=DMARC1; p=none"],
    ("s1._domainkey.lists.example", "TXT"): [rsa_key().record],
    ("s1._domainkey.mx.example.org", "TXT"): [rsa_key().record],
}
FORWARDED = sealed(LETTER, rsa_key(), found="dmarc=pass header.from=sender.example")
TRUSTING = {"arc": {"trusted_sealers": ["lists.example"]}}


@asynccontextmanager
async def forwarding(directory: Path, *, ip: str = LIST_HOST, **settings: Any) -> AsyncIterator[Walk]:
    """A client that is a list server, unless `ip` says otherwise."""
    async with walking(directory, TableResolver(ZONE), **settings) as walk:
        await walk.connect(ip, helo="mail.lists.example")
        yield walk


def sealing(directory: Path) -> dict[str, Any]:
    path = directory / "arc.pem"
    path.write_bytes(pem(rsa_key()))
    path.chmod(0o600)
    return {"arc": {"seal": {"domain": "mx.example.org", "selector": "s1", "key": path}}}


async def chain_of(mail: bytes) -> tuple[ChainStatus, int, str]:
    result = await ArcCheck(ArcSettings(), resolver=TableResolver(ZONE), clock=lambda: NOW)(subject_of(mail))
    return result.result, result.length, result.sealer


# Whose word counts.


async def test_what_a_trusted_sealer_has_seen_pass_is_accepted_and_the_override_recorded(tmp_path: Path) -> None:
    async with forwarding(tmp_path, **TRUSTING) as walk:
        assert (await walk.send(FORWARDED, sender=BOUNCES)).startswith("250 ")
    record = walk.recorded()
    assert (record.results["dmarc"], record.results["arc"]) == ("fail", "pass")
    assert (record.action, record.dmarc_override) == ("tag", "trusted_forwarder")  # "tag": it was not scored
    assert "arc-override" in record.rules
    assert record.to_dict()["dmarc_override"] == "trusted_forwarder"


async def test_a_sealer_that_is_not_listed_excuses_nothing(tmp_path: Path) -> None:
    async with forwarding(tmp_path, arc={"trusted_sealers": ["other.example"]}) as walk:
        assert (await walk.send(FORWARDED, sender=BOUNCES)).startswith("250 ")
    record = walk.recorded()
    assert (record.results["dmarc"], record.results["arc"]) == ("fail", "pass")
    assert (record.action, record.dmarc_override) == ("quarantine", "local_policy")
    assert "dmarc-quarantine" in record.rules


async def test_a_listed_sealer_excuses_nothing_once_the_chain_is_broken(tmp_path: Path) -> None:
    async with forwarding(tmp_path, **TRUSTING) as walk:
        changed = FORWARDED.replace(b"Dear Alice", b"Dear Mallory")
        assert (await walk.send(changed, sender=BOUNCES)).startswith("250 ")
    record = walk.recorded()
    assert (record.results["dmarc"], record.results["arc"]) == ("fail", "fail")
    assert (record.action, record.dmarc_override) == ("quarantine", "local_policy")


async def test_a_domain_that_is_only_testing_is_recorded_as_such(tmp_path: Path) -> None:
    async with forwarding(tmp_path) as walk:
        await walk.send(LETTER.replace(b"ann@sender.example", b"ann@testing.example"), sender=BOUNCES)
    assert (walk.recorded().results["dmarc"], walk.recorded().dmarc_override) == ("fail", "policy_test_mode")


async def test_what_passes_or_breaks_no_policy_has_no_override(tmp_path: Path) -> None:
    async with forwarding(tmp_path) as walk:
        await walk.send(LETTER.replace(b"ann@sender.example", b"ann@unasking.example"), sender=BOUNCES)
        await walk.send(LETTER.replace(b"ann@sender.example", b"ann@lists.example"), sender=BOUNCES)
    assert [record.results["dmarc"] for record in walk.records] == ["fail", "none"]
    assert [record.dmarc_override for record in walk.records] == ["", ""]


async def test_what_is_refused_as_its_domain_asks_has_no_override(tmp_path: Path) -> None:
    async with forwarding(tmp_path, ip="192.0.2.66") as walk:  # SPF fails as well
        assert (await walk.send(LETTER, sender=BOUNCES)).startswith("550 5.7.26 ")
    assert (walk.recorded().action, walk.recorded().dmarc_override) == ("reject", "")


# What we seal.


async def test_nothing_is_sealed_unless_it_is_configured(tmp_path: Path) -> None:
    async with forwarding(tmp_path) as walk:
        await walk.send(LETTER)
    assert b"ARC-" not in walk.delivered()[0]


async def test_what_goes_on_is_sealed_on_top_of_all_our_fields(tmp_path: Path) -> None:
    async with forwarding(tmp_path, **sealing(tmp_path)) as walk:
        assert (await walk.send(LETTER, sender=BOUNCES)).startswith("250 ")
    [mail] = walk.delivered()
    names = [field.name for field in message_of(mail).fields]
    ours = names[names.index("arc-seal") : names.index("from")]  # above it stands what the Maildir says
    assert ours == [
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "x-mailward-quarantine",
        "x-mailward-unscored",
        "authentication-results",
        "received",
    ]
    assert mail.endswith(LETTER)
    assert await chain_of(mail) == (ChainStatus.PASS, 1, "mx.example.org")
    [results] = message_of(mail).named("arc-authentication-results")
    [ours] = message_of(mail).named("authentication-results")
    assert results.text == f"i=1; {ours.text}"


async def test_a_chain_goes_on_with_a_set_of_ours(tmp_path: Path) -> None:
    async with forwarding(tmp_path, **sealing(tmp_path)) as walk:
        await walk.send(FORWARDED, sender=BOUNCES)
    assert await chain_of(walk.delivered()[0]) == (ChainStatus.PASS, 2, "mx.example.org")


async def test_what_the_scanner_is_shown_is_not_sealed(tmp_path: Path) -> None:
    scanner = ScriptedCheck("spam", Said({"spam.result": "skipped"}))
    async with walking(tmp_path, TableResolver(ZONE), **sealing(tmp_path)) as walk:
        walk.with_wave("scoring", scanner)
        await walk.connect()
        await walk.send(LETTER)
    assert scanner.asked[0].copy is not None
    assert b"arc-" not in b"".join(scanner.asked[0].copy.chunks()).lower()
    assert b"ARC-Seal: " in walk.delivered()[0]


@pytest.mark.parametrize("ip", ["127.0.0.1", "198.51.100.5"])
async def test_what_our_own_networks_and_partners_bring_is_not_sealed(tmp_path: Path, ip: str) -> None:
    partners = {"networks": {"own": ["127.0.0.0/8"], "relays": ["198.51.100.0/24"]}}
    async with forwarding(tmp_path, ip=ip, **partners, **sealing(tmp_path)) as walk:
        await walk.send(LETTER)
    assert b"ARC-" not in walk.delivered()[0]


async def test_a_chain_on_which_the_check_gave_no_answer_is_left_as_it_is(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver(ZONE), **sealing(tmp_path)) as walk:
        walk.with_wave("message", ScriptedCheck("arc", Unavailable(check="arc", reason="late")))
        await walk.connect()
        await walk.send(FORWARDED)
    assert walk.delivered()[0].endswith(FORWARDED)
    assert walk.delivered()[0].count(b"ARC-Seal") == 1


async def test_what_is_kept_in_the_quarantine_is_still_sealed_when_it_is_released(tmp_path: Path) -> None:
    directory = tmp_path / "quarantine"
    async with forwarding(tmp_path, quarantine={"directory": directory}, **sealing(tmp_path)) as walk:
        await walk.send(LETTER, sender=BOUNCES)
        assert walk.recorded().action == "quarantine"
        assert walk.parts.quarantine is not None
        [entry] = walk.parts.quarantine.entries()
    released = b"".join(as_released(read(entry)).chunks())
    assert released.startswith(b"X-Mailward-Quarantine-Release: ")
    assert await chain_of(released) == (ChainStatus.PASS, 1, "mx.example.org")


async def test_what_is_refused_is_not_sealed(tmp_path: Path) -> None:
    (tmp_path / "rules.d").mkdir()
    rule = '[[rule]]\nid = "no"\nwhy = "a test"\nwhen = \'spam.result == "skipped"\'\nthen = "reject"\n'
    (tmp_path / "rules.d" / "site.toml").write_text(rule)
    case = Case.of(LETTER, ip=ip_address(LIST_HOST), helo="h", mail_from=BOUNCES, recipients=[ALICE])
    settings = settings_of(tmp_path, **sealing(tmp_path))
    with closing(Inspector(settings, resolver=TableResolver(ZONE), clock=lambda: NOW)) as inspector:
        found = await inspector.inspect(case)
    assert found.verdict["action"] == "reject"
    assert found.examination.stamped is not None
    assert b"ARC-" not in found.examination.stamped.header
