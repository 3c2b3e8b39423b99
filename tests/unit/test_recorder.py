"""Records: what is noted of a message, of a refused recipient and of a message that never came."""

import json
from ipaddress import ip_address
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.author import find_author
from gateway.checks.base import Subject
from gateway.checks.dkim import DkimResult
from gateway.checks.dnslists import DnsListSettings, DnsListsResult, Listing, ListStatus
from gateway.checks.iprev import IprevResult, IprevStatus
from gateway.checks.run import NO_ANSWERS, Answers
from gateway.connection import Connection, Role, Tls
from gateway.delivery.outcome import Outcome
from gateway.facts import Stage
from gateway.policy.verdict import UNDECIDED, Action, Hit, Mode, Verdict
from gateway.record import Event, Record
from gateway.recorder import lost_record, message_record, refusal_record, unread_record
from gateway.reply import reply
from tests.support.deliveries import envelope
from tests.support.mailbytes import message_of

CONNECTION = Connection(
    id="c1", ip=ip_address("2001:db8::1"), port=4000, role=Role.RELAY, opened=1.0, helo="client.example", esmtp=True
)
MESSAGE = message_of(b"From: a@example.org\r\nSubject: hi\r\nMessage-ID:  <1@x>\r\nMessage-ID: <2@x>\r\n\r\nbody\r\n")
SUBJECT = Subject(
    connection=CONNECTION, envelope=envelope("bob@example.org"), message=MESSAGE, author=find_author(MESSAGE)
)
LIST = DnsListSettings(zone="list.example")
STORED = Outcome(reply=reply("250 2.0.0", "Stored"), next_hop="mail", answer="250 ok", queue_id="Q1")


def noted(facts: dict[str, Any] | None = None, verdict: Verdict = UNDECIDED, **more: Any) -> Record:
    given: dict[str, Any] = {"subject": SUBJECT, "answers": NO_ANSWERS, "outcome": STORED, "steps": {}, "began": 7.0}
    return message_record(facts=facts or {}, verdict=verdict, **(given | more))


def test_a_message_is_noted_with_who_and_what() -> None:
    found = {"author.address": "a@example.org", "subject": "hi", "dkim.result": "pass", "dkim.count": 1}
    record = noted(found, answers=Answers(results={"dkim": DkimResult()}))
    assert (record.event, record.stage, record.began) == (Event.MESSAGE, "delivered", 7.0)
    assert (record.client_ip, record.client_port, record.client_role) == ("2001:db8::1", 4000, "relay")
    assert (record.sender, record.recipients) == ("alice@example.com", ("bob@example.org",))
    assert (record.author, record.subject, record.message_id) == ("a@example.org", "hi", "<1@x>")
    assert record.size == MESSAGE.size
    assert record.results == {"dkim": "pass"}
    assert (record.reply, record.answer, record.queue_id) == ("250 2.0.0 Stored", "250 ok", "Q1")


def test_the_field_of_a_header_is_no_result_of_a_check_whatever_its_name_is() -> None:
    assert noted({"header.x.result": ("word",)}).results == {}


def test_a_score_is_noted_where_there_is_one() -> None:
    scored = {"spam.result": "scored", "spam.score": 0.0, "spam.required": 5, "spam.symbols": ("A", "B")}
    record = noted(scored)
    assert (record.score, record.required, record.symbols) == (0.0, 5.0, ("A", "B"))
    assert record.to_dict()["score"] == 0.0
    unscored = noted({"spam.result": "busy", "spam.score": 0.0})
    assert (unscored.score, unscored.required) == (None, None)
    assert "score" not in unscored.to_dict()


def test_rules_in_shadow_mode_are_noted_apart() -> None:
    def hit(name: str, mode: Mode) -> Hit:
        return Hit(rule=name, why="", mode=mode, action=Action.TAG, score=0.0)

    hits = (hit("a", Mode.ENFORCE), hit("b", Mode.SHADOW), hit("c", Mode.ENFORCE))
    record = noted(verdict=Verdict(action=Action.TAG, hits=hits, total=3.5))
    assert (record.action, record.rules, record.shadow, record.total) == ("tag", ("a", "c"), ("b",), 3.5)


def test_a_message_that_fails_dmarc_and_goes_on_is_noted_with_why() -> None:
    facts = {"dmarc.result": "fail", "dmarc.policy": "reject", "dmarc.published": "reject"}
    assert noted(facts).to_dict()["dmarc_override"] == "local_policy"
    assert noted(facts | {"arc.trusted": True}).to_dict()["dmarc_override"] == "trusted_forwarder"
    assert "dmarc_override" not in noted(facts, Verdict(action=Action.REJECT)).to_dict()


def test_a_message_that_was_judged_and_not_delivered_has_no_next_hop() -> None:
    record = noted(outcome=Outcome(reply=reply("550 5.7.1", "no")))
    assert (record.stage, record.next_hop, record.reply) == ("judged", "", "550 5.7.1 no")


def test_the_times_of_checks_and_steps_stand_together() -> None:
    answers = Answers(
        results={"iprev": IprevResult(result=IprevStatus.PASS, ip=ip_address("192.0.2.1"), name="mail.example.org")},
        milliseconds={"iprev": 1.5},
    )
    record = noted(answers=answers, steps={"deliver": 2.0, "total": 3.0})
    assert record.milliseconds == {"iprev": 1.5, "deliver": 2.0, "total": 3.0}
    assert record.client_name == "mail.example.org"


def test_times_are_written_in_hundredths_of_a_millisecond() -> None:
    steps = {"deliver": 2.3456, "total": 3.3333, "none": 0.0, "long": 600_000.126}
    written = {"deliver": 2.35, "total": 3.33, "none": 0.0, "long": 600_000.13}
    assert noted(steps=steps).to_dict()["milliseconds"] == written


@pytest.mark.parametrize(("tls", "noted_as"), [(None, ""), (Tls("TLSv1.3", "AES", 256), "TLSv1.3 AES")])
def test_tls_is_noted(tls: Tls | None, noted_as: str) -> None:
    assert noted(subject=replace(SUBJECT, connection=replace(CONNECTION, tls=tls))).tls == noted_as


def test_a_subject_without_a_message_is_noted_too() -> None:
    record = noted(subject=Subject(connection=CONNECTION, envelope=envelope("bob@example.org")))
    assert (record.size, record.message_id) == (0, "")


def test_a_refused_recipient_is_the_last_one_alone() -> None:
    refusal = reply("550 5.1.1", "no such user")
    verdict = Verdict(action=Action.REJECT, hits=(Hit("r", "", Mode.ENFORCE, Action.REJECT, 0.0),))
    both = envelope("bob@example.org", "eve@example.org")
    record = refusal_record(CONNECTION, both, NO_ANSWERS, refusal, verdict, began=7.0)
    assert (record.event, record.stage, record.recipients) == (Event.REFUSED, "rcpt", ("eve@example.org",))
    assert (record.reply, record.action, record.rules) == ("550 5.1.1 no such user", "reject", ("r",))


def test_a_recipient_that_no_rule_refused_is_noted_without_an_action() -> None:
    refusal = reply("550 5.1.1", "no")
    record = refusal_record(CONNECTION, envelope("bob@example.org"), NO_ANSWERS, refusal, UNDECIDED, began=7.0)
    assert "action" not in record.to_dict()


def test_what_was_found_before_there_was_a_message_is_noted_too() -> None:
    listings = (
        Listing(list="zen", settings=LIST, status=ListStatus.LISTED, codes=("127.0.0.2", "127.0.0.10")),
        Listing(list="dead", settings=LIST, status=ListStatus.TEMPERROR, reason="no answer"),
    )
    answers = Answers(
        results={
            "iprev": IprevResult(result=IprevStatus.PASS, ip=ip_address("192.0.2.1"), name="mail.example.org"),
            "dnslists": DnsListsResult(check="dnslists", listings=listings),
            "domainlists": DnsListsResult(check="domainlists", listings=listings[:1]),
        },
        milliseconds={"iprev": 1.5, "dnslists": 2.5},
    )
    one, no = envelope("bob@example.org"), reply("550 5.7.1", "no")
    records = (
        refusal_record(CONNECTION, one, answers, no, UNDECIDED, began=7.0),
        unread_record(Event.REFUSED, CONNECTION, one, answers, no, began=7.0),
        lost_record(CONNECTION, one, answers, began=7.0),
        noted(answers.facts(), answers=answers),
    )
    for record in records:
        assert record.results == {"iprev": "pass", "dnslists": "blocked", "domainlists": "blocked"}
        assert record.client_name == "mail.example.org"
        assert record.listings == ("zen:127.0.0.2", "zen:127.0.0.10") * 2
        assert record.failed_lists == ("dead",)
    assert records[0].milliseconds == answers.milliseconds


@pytest.mark.parametrize("event", [Event.REFUSED, Event.MESSAGE])
def test_a_message_without_an_examination_is_noted_with_its_recipients_and_the_reply(event: Event) -> None:
    recipients = ("bob@example.org", "eve@example.org")
    too_large = reply("552 5.3.4", "too large")
    record = unread_record(event, CONNECTION, envelope(*recipients), NO_ANSWERS, too_large, began=7.0, size=9)
    assert (record.event, record.stage, record.reply) == (event, "data", "552 5.3.4 too large")
    assert (record.recipients, record.size) == (recipients, 9)


def test_a_message_that_never_came_is_noted_with_its_recipients() -> None:
    record = lost_record(CONNECTION, envelope("bob@example.org", "eve@example.org"), NO_ANSWERS, began=7.0)
    assert (record.event, record.stage) == (Event.LOST, "data")
    assert record.recipients == ("bob@example.org", "eve@example.org")
    assert record.reply == ""


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ({"subject": "hi"}, Stage.RCPT),
        ({"subject": "hi", "dmarc.result": "unavailable"}, Stage.AUTHENTICATED),
        ({"subject": "hi", "dmarc.result": "none", "spam.result": "skipped"}, Stage.SCORED),
    ],
)
def test_a_message_is_noted_with_the_facts_it_was_judged_by(facts: dict[str, Any], stage: Stage) -> None:
    basis = noted(facts).basis
    assert basis is not None
    assert (basis.facts, basis.settled, basis.dmarc) == (facts, stage, None)


def test_the_basis_is_not_for_the_log() -> None:
    assert "basis" not in noted({"subject": "hi"}).to_dict()


@pytest.mark.parametrize("known", [{}, {"answers": NO_ANSWERS, "outcome": Outcome(reply=reply("550 5.7.1", "no"))}])
def test_a_record_as_json_is_the_record_as_values(known: dict[str, Any]) -> None:
    given = {"answers": Answers(results={"dkim": DkimResult()}, milliseconds={"dkim": 1.2345}), **known}
    record = noted({"dkim.result": "pass", "spam.result": "scored", "spam.symbols": ("A", "B")}, **given)
    assert list(json.loads(record.to_json()).items()) == list(json.loads(json.dumps(record.to_dict())).items())


def test_a_record_without_results_and_recipients_is_json_too() -> None:
    record = Record(event=Event.LOST, connection="c1", began=7.0, stage="data", client_ip="192.0.2.1")
    assert json.loads(record.to_json()) == record.to_dict()
