"""What is known of a message, and what of that is gathered before there is one."""

from ipaddress import ip_address
from pathlib import Path

from gateway.checks.base import Subject, Unavailable
from gateway.checks.dnslists.result import ADDRESSES, DOMAINS, DnsListsResult
from gateway.checks.iprev import IprevResult, IprevStatus
from gateway.checks.run import Answers
from gateway.checks.spf.result import Finding, SpfIdentity, SpfResult, SpfWord
from gateway.connection import Connection, Role, Tls
from gateway.envelope import Envelope, Recipient, parse_forward_path, parse_reverse_path
from gateway.facts import Stage, families
from gateway.judgement import early_facts, facts_of
from gateway.vocabulary import FACTS
from tests.support.dnstable import TableResolver
from tests.support.journeys import NOW, walking

CLIENT = Connection(
    id="c1",
    ip=ip_address("192.0.2.7"),
    port=40000,
    role=Role.RELAY,
    opened=NOW,
    helo="Mail.sender.example",
    tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256),
    early_talker=True,
)
ENVELOPE = Envelope(
    id="m1",
    sender=parse_reverse_path("<ann@sender.example>"),
    recipients=(Recipient(parse_forward_path("<a@b.fact.example.org>")),),
)
PASSED = Finding(result=SpfWord.PASS, domain="sender.example", mechanism="mx")
OF_CLIENT = Answers(
    {
        "iprev": IprevResult(result=IprevStatus.PASS, ip=CLIENT.ip, name="mail.sender.example"),
        ADDRESSES: DnsListsResult(check=ADDRESSES),
    }
)
OF_SENDER = Answers(
    {
        "spf": SpfResult(identity=SpfIdentity.MAILFROM, finding=PASSED, helo=PASSED),
        DOMAINS: DnsListsResult(check=DOMAINS),
    }
)
SILENT = Answers({name: Unavailable(check=name, reason="x") for name in ("iprev", "spf", ADDRESSES, DOMAINS)})
PROFILES = {"profile": {"fact": {}}, "domain": {".fact.example.org": {"profile": "fact"}}}


async def test_whatever_is_read_before_there_is_a_message_is_as_it_is_known_then(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({}), **PROFILES) as walk:
        known = facts_of(walk.parts, Subject(CLIENT, ENVELOPE), OF_CLIENT | OF_SENDER)
        assert set(known) == {fact.name for fact in FACTS if fact.stage <= Stage.RCPT}
        for name, value in known.items():
            read = early_facts(walk.parts, CLIENT, ENVELOPE, (OF_CLIENT, OF_SENDER), frozenset({name}))
            assert read[name] == value


async def test_that_a_check_gave_no_answer_is_known_before_there_is_a_message(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({})) as walk:
        for check, result in SILENT.results.items():
            read = frozenset({f"{check}.result"})
            assert early_facts(walk.parts, CLIENT, ENVELOPE, (SILENT,), read) == result.facts()


async def test_what_no_rule_reads_is_not_gathered_for_each_recipient(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver({})) as walk:
        read = frozenset({"client.role", "iprev.result"})
        found = early_facts(walk.parts, CLIENT, ENVELOPE, (OF_CLIENT, OF_SENDER), read)
        assert found == {**CLIENT.facts(), **OF_CLIENT.results["iprev"].facts()}


async def test_what_a_check_finds_begins_with_its_name(tmp_path: Path) -> None:
    lists = {"zen": {"zone": "zen.example"}, "dbl": {"zone": "dbl.example", "about": "sender"}}
    rules = "[[rule]]\nid = 'x'\nwhy = 'x'\nwhen = 'attachments.count > 0'\nthen = 'tag'"
    async with walking(tmp_path, TableResolver({}), rules=rules, dnslist=lists) as walk:
        waves = walk.parts.waves
        every = (waves.client, waves.sender, waves.message, waves.conclusion, waves.scoring)
        checks = {check.name: check for wave in every for check in wave.checks}
        assert {ADDRESSES, DOMAINS, "attachments"} < checks.keys()
        for name, check in checks.items():
            assert families(fact.name for fact in check.facts) == {name}
