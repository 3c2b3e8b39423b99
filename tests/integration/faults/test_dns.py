"""DNS that is dead, slow, lying, cut short or poisoned: mail is delivered with what is known, deferred where a forger
could hide behind it, and no answer is believed that does not belong to its question."""

from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.rrset
import pytest

from gateway.system.dns import Status
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Found, Question
from tests.support.inside import Inside, serving
from tests.support.journeys import LETTER
from tests.support.signing import rsa_key, signed

SPF, DMARC, KEY = ("sender.example", "TXT"), ("_dmarc.sender.example", "TXT"), ("s1._domainkey.sender.example", "TXT")
VICTIM = ("victim.example", "TXT")
ZONE: dict[Question, Any] = {
    SPF: [b"v=spf1 ip4:127.0.0.1 -all"],
    DMARC: [b"v=DMARC1; p=reject"],
    KEY: [rsa_key().record],
    VICTIM: [b"v=spf1 -all"],
}
STRANGER = {"own": ["192.0.2.0/24"]}  # so that our client is none of our own hosts
ELSEWHERE = dns.name.from_text("elsewhere.example")
IMPATIENT = {"timeout": 0.1, "tries": 1, "deadline": 0.3}


async def bring(inside: Inside, **more: Any) -> tuple[str, dict[str, str]]:
    """What the client of a signed letter is told, and what the checks found."""
    letter = signed(LETTER, rsa_key(), domain="sender.example", headers=("from", "to", "subject"))
    told = (await inside.bring(letter=letter, **more))[-1]
    record = await inside.recorded()
    return told, dict(record.results)


@pytest.mark.fault("DNS: no answer")
@pytest.mark.parametrize("way", ["nobody listens", "silence"])
async def test_without_dns_mail_is_delivered_and_nothing_has_passed(way: str, tmp_path: Path) -> None:
    async with DnsServer(dict.fromkeys(ZONE, Status.TIMEOUT)) as server:
        address = server.address if way == "silence" else "127.0.0.1:9"
        async with serving(tmp_path, dns_at=address, dns=IMPATIENT, networks=STRANGER) as inside:
            told, results = await bring(inside)
    assert told.startswith("250 ")
    assert (results["spf"], results["dkim"], results["dmarc"]) == ("temperror", "temperror", "temperror")


@pytest.mark.fault("DNS: slow")
async def test_slow_answers_are_waited_for_within_their_deadline(tmp_path: Path) -> None:
    delays = {"sender.example": 0.1, "_dmarc.sender.example": 60.0}
    patient = {"timeout": 0.5, "tries": 1, "deadline": 0.5}
    async with (
        DnsServer(ZONE, delays=delays) as server,
        serving(tmp_path, dns_at=server.address, dns=patient, networks=STRANGER) as inside,
    ):
        told, results = await bring(inside)
    assert told.startswith("250 ")
    assert (results["spf"], results["dmarc"]) == ("pass", "temperror")


@pytest.mark.fault("DNS: a part of DMARC's answers fails")
async def test_a_forger_cannot_hide_behind_a_name_server_that_fails(tmp_path: Path) -> None:
    zone = ZONE | {SPF: Status.SERVFAIL, KEY: Status.SERVFAIL}
    async with (
        DnsServer(zone) as server,
        serving(tmp_path, dns_at=server.address, dns=IMPATIENT, networks=STRANGER) as inside,
    ):
        told, results = await bring(inside)
    assert told.startswith("451 4.7.0 ")
    assert results["dmarc"] == "temperror"
    assert not list((tmp_path / "mail").rglob("new/*"))


@pytest.mark.fault("DNS: truncated answers")
async def test_truncated_answers_are_asked_for_again_over_tcp(tmp_path: Path) -> None:
    names = [name for name, _ in ZONE]
    async with (
        DnsServer(ZONE, truncated=names) as server,
        serving(tmp_path, dns_at=server.address, networks=STRANGER) as inside,
    ):
        told, results = await bring(inside)
    assert told.startswith("250 ")
    assert (results["spf"], results["dkim"], results["dmarc"]) == ("pass", "pass", "pass")
    assert {transport for name, _, transport in server.asked if name in names} == {"udp", "tcp"}


class Liar(DnsServer):
    """Answers every question with the records of another name."""

    def _reply(self, query: dns.message.Message, found: Found, question: Question) -> dns.message.Message:
        reply = super()._reply(query, found, question)
        for rrset in reply.answer:
            rrset.name = ELSEWHERE
        return reply


class Poisoner(DnsServer):
    """Sends with each answer records of a name that was not asked for."""

    POISON = dns.rrset.from_text("victim.example.", 86400, "IN", "TXT", '"v=spf1 +all"')

    def _reply(self, query: dns.message.Message, found: Found, question: Question) -> dns.message.Message:
        reply = super()._reply(query, found, question)
        if question[0] != VICTIM[0]:
            for section in (reply.answer, reply.authority, reply.additional):
                section.append(self.POISON)
        return reply


@pytest.mark.fault("DNS: answers that belong to other names")
async def test_answers_of_other_names_are_not_believed(tmp_path: Path) -> None:
    async with (
        Liar(ZONE) as server,
        serving(tmp_path, dns_at=server.address, dns=IMPATIENT, networks=STRANGER) as inside,
    ):
        told, results = await bring(inside)
    assert told.startswith("250 ")
    assert (results["spf"], results["dkim"], results["dmarc"]) == ("none", "permerror", "none")


@pytest.mark.fault("DNS: answers that belong to other names")
async def test_what_comes_with_an_answer_is_not_kept_for_the_name_it_is_about(tmp_path: Path) -> None:
    async with Poisoner(ZONE) as server, serving(tmp_path, dns_at=server.address, networks=STRANGER) as inside:
        told, results = await bring(inside)
        assert (results["spf"], results["dkim"]) == ("pass", "pass")
        inside.records.clear()
        _, results = await bring(inside, sender="eve@victim.example")
    assert told.startswith("250 ")
    assert results["spf"] == "fail"
    assert any(name == VICTIM[0] for name, _, _ in server.asked)
