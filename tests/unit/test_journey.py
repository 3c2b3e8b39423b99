"""The journey of a message: its steps, their order, and what the client is told at each."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.connection import Role
from gateway.delivery.outcome import Outcome
from gateway.journey import RECIPIENT_OK
from gateway.record import Event
from gateway.reply import Reply
from gateway.smtp.replies import TOO_LARGE
from gateway.visit import INTERNAL_ERROR
from gateway.vocabulary import FACTS
from tests.support.checking import Said, ScriptedCheck
from tests.support.dnstable import TableResolver
from tests.support.downstream import Downstream, Fault, Script
from tests.support.journeys import ALICE, CLIENT, LETTER, NOW, SENDER, Walk, walking
from tests.support.signing import rsa_key, signed
from tests.support.waiting import until

ZONE = {
    ("sender.example", "TXT"): [f"v=spf1 ip4:{CLIENT} -all".encode()],
    ("_dmarc.sender.example", "TXT"): [b"v=DMARC1; p=reject"],
    ("s1._domainkey.sender.example", "TXT"): [rsa_key().record],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["mail.sender.example"],
    ("mail.sender.example", "A"): [CLIENT],
}
STRANGER = "192.0.2.66"  # whom no record names


def rule(name: str, when: str, then: str, **more: str) -> str:
    lines = "".join(f'{key} = "{value}"\n' for key, value in more.items())
    return f'[[rule]]\nid = "{name}"\nwhy = "a test"\nwhen = \'{when}\'\nthen = "{then}"\n{lines}'


@asynccontextmanager
async def walking_to(script: Script, directory: Path) -> AsyncIterator[Walk]:
    """A client of a gateway before a mail server that follows the script."""
    async with Downstream(script) as server:
        route = {"default": {"hosts": [str(server.endpoint)]}}
        async with walking(directory, TableResolver(ZONE), route=route) as walk:
            yield walk


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    async with walking(tmp_path, TableResolver(ZONE)) as walk:
        yield walk


# The whole way.


async def test_a_good_message_goes_all_the_way(walk: Walk) -> None:
    letter = signed(LETTER, rsa_key(), domain="sender.example")
    await walk.connect()
    assert await walk.transaction(ALICE) == ["250 2.1.5 Recipient ok"]
    assert await walk.message(letter) == "250 2.0.0 Stored as m1"
    [mail] = walk.delivered()
    assert mail.endswith(letter)
    header = mail.partition(b"\r\n\r\n")[0]
    positions = [
        header.index(b"\r\n" + name) for name in (b"X-Mailward-Unscored:", b"Authentication-Results:", b"Received:")
    ]
    assert positions == sorted(positions)
    for word in (b"iprev=pass", b"spf=pass", b"dkim=pass", b"dmarc=pass"):
        assert word in header


async def test_each_check_sees_what_those_before_it_have_found(walk: Walk) -> None:
    names = ("client", "sender", "message", "conclusion", "scoring")
    checks = {name: ScriptedCheck(name, Said({f"{name}.x": name})) for name in names}
    for name, check in checks.items():
        walk.with_wave(name, check)
    await walk.connect()
    await walk.send()
    subjects = {name: check.asked[0] for name, check in checks.items()}
    assert [set(subject.results or ()) for subject in subjects.values()] == [
        set(),
        set(),
        {"client", "sender"},
        {"client", "sender", "message"},
        {"client", "sender", "message", "conclusion"},
    ]
    assert [subject.message is not None for subject in subjects.values()] == [False, False, True, True, True]
    assert [subject.copy is not None for subject in subjects.values()] == [False] * 4 + [True]
    assert all(len(check.asked) == 1 for check in checks.values())


async def test_the_scanner_is_shown_our_fields_and_no_others_results(walk: Walk) -> None:
    scanner = ScriptedCheck("spam")
    walk.with_wave("scoring", scanner)
    await walk.connect()
    await walk.send(b"Authentication-Results: other.example; spf=pass\r\n" + LETTER)
    copy = b"".join(scanner.asked[0].copy.chunks())  # type: ignore[union-attr]
    assert copy.startswith(b"Authentication-Results: mx.example.org;")
    assert b"other.example" not in copy
    assert b"other.example" in walk.delivered()[0]


async def test_many_messages_come_on_one_connection(walk: Walk) -> None:
    await walk.connect()
    for number in range(3):
        assert (await walk.send(LETTER.replace(b"letter", b"letter %d" % number))).startswith("250 ")
    assert len(walk.delivered()) == 3
    assert [record.id for record in walk.records] == ["m1", "m2", "m3"]


async def test_lookups_begin_while_the_client_talks_and_are_awaited_for_the_message(walk: Walk) -> None:
    gate = asyncio.Event()
    early = ScriptedCheck("spf", Said({"spf.result": "pass"}), gate=gate)
    walk.with_wave("sender", early)
    await walk.connect()
    await walk.transaction(ALICE)
    await until(lambda: bool(early.asked))
    sending = asyncio.create_task(walk.message())
    await asyncio.sleep(0.01)
    assert not sending.done()
    gate.set()
    assert (await sending).startswith("250 ")
    assert walk.recorded().results["spf"] == "pass"


# Recipients.


@pytest.mark.parametrize(
    "recipient", ["a@elsewhere.example", "a%elsewhere.example@example.org", '"a@elsewhere.example"@example.org']
)
async def test_what_is_not_for_us_is_not_relayed(walk: Walk, recipient: str) -> None:
    await walk.connect("127.0.0.1")
    [answer] = await walk.transaction(recipient)
    assert answer.startswith("550 5.7.1 Relaying denied")
    record = walk.recorded(Event.REFUSED)
    assert (record.stage, record.recipients, record.began) == ("rcpt", (recipient,), NOW)


async def test_recipients_with_another_next_hop_are_to_be_brought_separately(tmp_path: Path) -> None:
    routes = {name: {"hosts": [f"maildir://{tmp_path}/{name}"]} for name in ("default", "other")}
    domain = {"b.example.org": {"route": "other"}}
    async with walking(tmp_path, TableResolver(ZONE), route=routes, domain=domain) as walk:
        await walk.connect()
        answers = await walk.transaction("a@a.example.org", "b@b.example.org", "c@c.example.org")
        assert [answer[:9] for answer in answers] == ["250 2.1.5", "452 4.5.3", "250 2.1.5"]
        assert (await walk.message()).startswith("250 ")
        assert walk.recorded().recipients == ("a@a.example.org", "c@c.example.org")
        assert not (tmp_path / "other").exists()


async def test_a_next_hop_that_took_nobody_is_given_up_for_another(tmp_path: Path) -> None:
    async with Downstream({"RCPT": ["550 5.1.1 Unknown"]}) as refusing, Downstream() as taking:
        routes = {"default": {"hosts": [str(refusing.endpoint)]}, "other": {"hosts": [str(taking.endpoint)]}}
        domain = {"b.example.org": {"route": "other"}}
        async with walking(tmp_path, TableResolver(ZONE), route=routes, domain=domain) as walk:
            await walk.connect()
            answers = await walk.transaction("a@example.org", "b@b.example.org", "c@example.org")
            assert [answer[:9] for answer in answers] == ["550 5.1.1", "250 2.1.5", "452 4.5.3"]
            assert (await walk.message()).startswith("250 ")
            assert len(taking.messages) == 1
            await until(lambda: "RSET" in refusing.sessions[0].commands or refusing.open_count == 0)


async def test_the_downstream_servers_refusal_is_the_clients(tmp_path: Path) -> None:
    async with walking_to({"RCPT": ["550 5.1.1 No such user here", "250 2.1.5 Ok"]}, tmp_path) as walk:
        await walk.connect()
        answers = await walk.transaction("nobody@example.org", ALICE)
        assert answers == ["550 5.1.1 No such user here", "250 2.1.5 Recipient ok"]
        assert (await walk.message()).startswith("250 2.0.0 ")
        record = walk.recorded()
    assert (record.recipients, record.queue_id, record.stage) == ((ALICE,), "4F1CA1", "delivered")


async def test_a_rule_that_needs_no_message_refuses_at_rcpt_and_is_recorded(tmp_path: Path) -> None:
    rules = [
        rule("no-talkers", "client.early_talker", "reject", reply="5.5.1 wait for the banner"),
        rule("seen", 'client.role == "stranger"', "tag", mode="shadow"),
    ]
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        await walk.connect(early_talker=True)
        assert await walk.transaction(ALICE) == ["550 5.5.1 wait for the banner"]
        record = walk.recorded(Event.REFUSED)
    assert record.action == "reject"
    assert "no-talkers" in record.rules
    assert record.shadow == ("seen",)
    assert record.rules_digest == walk.parts.rules.digest


async def test_a_rule_about_one_recipient_refuses_that_one_alone(tmp_path: Path) -> None:
    rules = rule("trap", '"trap@example.org" in recipients', "reject")
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        await walk.connect()
        answers = await walk.transaction(ALICE, "trap@example.org", "bob@example.org")
        assert [answer[:3] for answer in answers] == ["250", "550", "250"]
        assert (await walk.message()).startswith("250 ")
        assert "trap" not in walk.recorded().rules


# Rules up to RCPT, and the checks that they need.

RESULT_FACTS = {fact.name: fact for fact in FACTS}


def early(name: str, word: str, gate: asyncio.Event | None = None) -> ScriptedCheck:
    """A check of the waves before RCPT whose result is that word."""
    facts = (RESULT_FACTS[f"{name}.result"],)
    return ScriptedCheck(name, Said({f"{name}.result": word}), gate=gate, facts=facts)


@pytest.mark.parametrize(
    ("wave", "name", "word"),
    [
        ("client", "iprev", "fail"),
        ("client", "dnslists", "permerror"),
        ("sender", "spf", "fail"),
        ("sender", "domainlists", "permerror"),
    ],
)
async def test_a_rule_on_what_is_asked_early_refuses_at_rcpt(tmp_path: Path, wave: str, name: str, word: str) -> None:
    gate = asyncio.Event()
    rules = rule("early", f'{name}.result == "{word}"', "reject", reply="5.7.1 not you")
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        walk.with_wave(wave, early(name, word, gate))
        await walk.connect()
        asking = asyncio.create_task(walk.transaction(ALICE))
        await asyncio.sleep(0.01)
        assert not asking.done()
        gate.set()
        assert await asking == ["550 5.7.1 not you"]
        record = walk.recorded(Event.REFUSED)
    assert (record.action, record.results[name]) == ("reject", word)
    assert "early" in record.rules


async def test_nobody_waits_at_rcpt_for_a_check_that_no_rule_needs_there(tmp_path: Path) -> None:
    never = asyncio.Event()
    rules = [
        rule("later", 'spf.result == "fail" and dkim.result == "fail"', "reject"),
        rule("early", 'iprev.result == "fail"', "tag"),
    ]
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        walk.with_wave("client", early("dnslists", "none"), early("iprev", "pass"))
        walk.with_wave("sender", early("spf", "pass", never))
        await walk.connect()
        assert await walk.transaction(ALICE) == ["250 2.1.5 Recipient ok"]
        await walk.journey.reset()


async def test_a_check_that_only_a_reply_needs_is_waited_for_as_well(tmp_path: Path) -> None:
    reply = {"reply": "5.5.1 {iprev.name} did not wait", "stage": "rcpt"}
    rules = rule("no-talkers", "client.early_talker", "reject", **reply)
    async with walking(tmp_path, TableResolver(ZONE, delay=0.05), rules=rules) as walk:
        await walk.connect(early_talker=True)
        assert await walk.transaction(ALICE) == ["550 5.5.1 mail.sender.example did not wait"]


async def test_a_check_past_its_deadline_keeps_no_recipient_waiting(tmp_path: Path) -> None:
    rules = [
        rule("early", 'spf.result == "fail"', "reject"),
        rule("unknown", 'spf.result == "unavailable"', "defer", reply="4.7.1 come again"),
    ]
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        walk.with_wave("sender", early("spf", "fail", asyncio.Event()), seconds=0.05)
        await walk.connect()
        assert await walk.transaction(ALICE) == ["451 4.7.1 come again"]


async def test_a_rule_on_spf_alone_spares_role_accounts_at_rcpt(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver(ZONE), rules=rule("no-spf", 'spf.result == "fail"', "reject")) as walk:
        await walk.connect(STRANGER)
        assert [answer[:3] for answer in await walk.transaction(ALICE, "postmaster@example.org")] == ["550", "250"]
        assert (await walk.message()).startswith("250 ")
    assert b"no-spf" in walk.delivered()[0].partition(b"X-Mailward-Tag:")[2].partition(b"\r\n")[0]


async def test_a_rule_on_spf_that_weighs_dmarc_waits_for_the_message(tmp_path: Path) -> None:
    rules = rule("no-spf", 'spf.result == "fail" and dmarc.result != "pass"', "reject")
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        await walk.connect(STRANGER)
        answer = await walk.send(signed(LETTER, rsa_key(), domain="sender.example"))
        assert answer.startswith("250 ")
        assert (await walk.send()).startswith("550 ")


async def test_a_recipient_that_the_next_hop_refuses_is_noted_with_what_was_found(tmp_path: Path) -> None:
    async with walking_to({"RCPT": ["550 5.1.1 No such user here"]}, tmp_path) as walk:
        await walk.connect()
        await walk.transaction("nobody@example.org")
        record = walk.recorded(Event.REFUSED)
    assert record.results["iprev"] == "pass"
    assert (record.client_name, record.action) == ("mail.sender.example", "")


async def test_what_is_refused_for_lack_of_a_route_can_be_tried_again(walk: Walk) -> None:
    class Nowhere:
        def hop_for(self, domain: str) -> None:
            return None

    walk.parts = replace(walk.parts, routes=Nowhere())  # type: ignore[arg-type]
    await walk.connect()
    assert (await walk.transaction(ALICE))[0].startswith("451 4.3.5 ")


# Verdicts.


async def test_what_is_refused_before_the_stamp_is_not_scored(tmp_path: Path) -> None:
    scanner = ScriptedCheck("spam")
    rules = rule("no-spf", 'spf.result == "fail" and dkim.result != "pass"', "reject", reply="5.7.23 not from here")
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        walk.with_wave("scoring", scanner)
        await walk.connect(STRANGER)
        assert await walk.send() == "550 5.7.23 not from here"
        assert (scanner.asked, walk.delivered()) == ([], [])
        record = walk.recorded()
    assert (record.action, record.stage, record.next_hop) == ("reject", "judged", "")
    assert "no-spf" in record.rules
    assert record.subject == "A letter"


async def test_what_the_score_decides_is_refused_after_it(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver(ZONE)) as walk:
        walk.with_wave("scoring", ScriptedCheck("spam", Said({"spam.result": "scored", "spam.score": 20.0})))
        await walk.connect()
        assert (await walk.send()).startswith("550 5.7.1 ")
        record = walk.recorded()
    assert walk.delivered() == []
    assert (record.score, record.total, record.action) == (20.0, 20.0, "reject")


async def test_a_forged_message_is_delivered_marked(walk: Walk) -> None:
    """p=reject alone is no reason to refuse: nothing else speaks against this one."""
    await walk.connect(STRANGER)
    assert (await walk.send(sender="eve@elsewhere.example")).startswith("250 ")
    assert b"X-Mailward-Quarantine: dmarc-quarantine" in walk.delivered()[0]


async def test_quarantined_mail_is_kept_where_there_is_a_place(tmp_path: Path) -> None:
    rules = rule("keep", 'subject == "A letter"', "quarantine")
    quarantine = {"directory": tmp_path / "quarantine"}
    async with walking(tmp_path, TableResolver(ZONE), rules=rules, quarantine=quarantine) as walk:
        await walk.connect()
        assert await walk.send() == "250 2.0.0 Accepted as m1"
        assert walk.delivered() == []
        assert len(list((tmp_path / "quarantine" / "new").iterdir())) == 1
        record = walk.recorded()
    assert (record.action, record.next_hop) == ("quarantine", "quarantine")


@pytest.mark.parametrize("recipient", ["postmaster", "postmaster@example.org", "Abuse@sub.example.org"])
@pytest.mark.parametrize("when", ['client.role == "stranger"', 'subject == "A letter"', "spam.score >= 0"])
async def test_mail_to_role_accounts_is_tagged_and_never_refused(tmp_path: Path, recipient: str, when: str) -> None:
    async with walking(tmp_path, TableResolver(ZONE), rules=rule("all", when, "reject")) as walk:
        await walk.connect()
        assert (await walk.send(LETTER, recipient)).startswith("250 ")
        [mail] = walk.delivered()
    assert b"X-Mailward-Tag: " in mail
    assert b"all" in mail.partition(b"X-Mailward-Tag:")[2].partition(b"\r\n")[0]


async def test_role_accounts_come_alone(walk: Walk) -> None:
    await walk.connect()
    for recipients in (("abuse@example.org", ALICE), (ALICE, "postmaster")):
        answers = await walk.transaction(*recipients)
        assert [answer[:9] for answer in answers] == ["250 2.1.5", "452 4.5.3"]
        await walk.journey.reset()
    both = await walk.transaction("abuse@example.org", "postmaster@example.org")
    assert [answer[:3] for answer in both] == ["250", "250"]


async def test_panic_makes_everything_a_tag_at_once(tmp_path: Path) -> None:
    rules = [rule("rcpt", "client.early_talker", "reject"), rule("late", 'subject == "A letter"', "reject")]
    async with walking(tmp_path, TableResolver(ZONE), rules=rules) as walk:
        await walk.connect(early_talker=True)
        assert (await walk.transaction(ALICE))[0].startswith("550 ")
        await walk.journey.reset()
        walk.parts.panic.switch_on("a test")
        assert (await walk.send()).startswith("250 ")
        record = walk.recorded()
        walk.parts.panic.switch_off()
        assert (await walk.transaction(ALICE))[0].startswith("550 ")
    assert record.panic
    assert record.action == "tag"
    assert {"rcpt", "late"} <= set(record.rules)
    assert b"X-Mailward-Tag: " in walk.delivered()[0]


# What is not looked at.


async def test_too_large_a_header_is_refused(tmp_path: Path) -> None:
    async with walking(tmp_path, TableResolver(ZONE), limits={"header_size": 16384}) as walk:
        await walk.connect()
        assert (await walk.send(b"X: " + b"y" * 20000 + b"\r\n" + LETTER)).startswith("554 5.3.4 ")
        record = walk.recorded()
    assert (record.action, record.results, record.client_name) == (
        "reject",
        {"iprev": "pass", "spf": "pass"},
        "mail.sender.example",
    )


@pytest.mark.parametrize(
    ("received", "count", "code"),
    [
        (b"Received: by somewhere.example; then\r\n", 100, "250"),
        (b"Received: by somewhere.example; then\r\n", 101, "554"),
        (b"Received: from a (b [192.0.2.1]) by MX.example.org (Mailward) with ESMTP id 1; then\r\n", 3, "250"),
        (b"Received: from a (b [192.0.2.1])\r\n by mx.example.org (Mailward) with ESMTP id 1; then\r\n", 4, "554"),
        (b"Received: from a by mx.example.org.evil.example (Mailward) with ESMTP; then\r\n", 9, "250"),
    ],
)
async def test_a_message_that_loops_is_refused(walk: Walk, received: bytes, count: int, code: str) -> None:
    await walk.connect()
    answer = await walk.send(received * count + LETTER)
    assert answer.startswith(code)
    assert (code == "250") is ("5.4.6" not in answer)
    assert walk.recorded().author == SENDER


async def test_a_message_without_any_content_is_a_message(walk: Walk) -> None:
    await walk.connect()
    for octets in (b"", b"\r\n", b"\r\n\r\n", b"no header at all\r\n", b"From: x\r\n"):
        assert (await walk.send(octets)).startswith("250 ")


# What goes wrong.


async def test_a_check_that_raises_is_unavailable_and_the_message_goes_on(
    walk: Walk, caplog: pytest.LogCaptureFixture
) -> None:
    walk.with_wave("message", ScriptedCheck("dkim", ZeroDivisionError("of a bug")))
    await walk.connect()
    assert (await walk.send()).startswith("250 ")
    assert walk.recorded().results["dkim"] == "unavailable"
    assert b"dkim=" not in walk.delivered()[0]
    [logged] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert logged.exc_info is not None
    assert "of a bug" in str(logged.exc_info[1])


async def test_a_check_past_its_deadline_is_unavailable_and_the_message_goes_on(walk: Walk) -> None:
    slow = ScriptedCheck("dkim", delay=60.0)
    walk.with_wave("message", slow, seconds=0.05)
    await walk.connect()
    assert (await walk.send()).startswith("250 ")
    assert walk.recorded().results["dkim"] == "unavailable"
    assert walk.recorded().milliseconds["dkim"] >= 50
    assert slow.cancelled == 1


async def test_checks_that_cannot_answer_never_count_as_a_pass(walk: Walk) -> None:
    for name in ("client", "sender", "message", "conclusion", "scoring"):
        walk.with_wave(name, ScriptedCheck(name, RuntimeError("broken")))
    await walk.connect()
    assert (await walk.send()).startswith("250 ")
    assert set(walk.recorded().results.values()) == {"unavailable"}
    assert b"=pass" not in walk.delivered()[0]


class StubbornDelivery:
    """Takes every recipient; what happens to the message is for the test to say."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome = outcome
        self.closed = 0

    name, shares_transactions = "stubborn", True

    def open(self, *_: object) -> "StubbornDelivery":
        return self

    def hop_for(self, _: str) -> "StubbornDelivery":
        return self

    async def recipient(self, _: object) -> Reply:
        return RECIPIENT_OK

    async def send(self, *_: object, **__: object) -> Outcome:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def close(self) -> None:
        self.closed += 1


async def walk_to(walk: Walk, delivery: StubbornDelivery) -> None:
    walk.parts = replace(walk.parts, routes=delivery)  # type: ignore[arg-type]
    await walk.connect()
    await walk.transaction(ALICE)


async def test_a_delivery_that_raises_is_closed_and_the_session_is_told(walk: Walk) -> None:
    delivery = StubbornDelivery(ConnectionError("a bug"))
    await walk_to(walk, delivery)
    with pytest.raises(ConnectionError):
        await walk.message()
    assert delivery.closed == 1
    await walk.journey.reset()
    assert delivery.closed == 1
    assert_failure_is_noted(walk)


def assert_failure_is_noted(walk: Walk) -> None:
    [record] = walk.records
    assert (record.event, record.action, record.reply) == (Event.MESSAGE, "defer", str(INTERNAL_ERROR))
    assert (record.id, record.sender, record.recipients) == ("m1", SENDER, (ALICE,))
    assert record.size == len(LETTER)


async def test_an_examination_that_fails_closes_the_delivery_and_sends_nothing(walk: Walk) -> None:
    delivery = StubbornDelivery(AssertionError("nothing is to be sent"))
    await walk_to(walk, delivery)
    walk.journey._parts = replace(walk.parts, identity=None)  # type: ignore[arg-type]
    with pytest.raises((AttributeError, TypeError)):
        await walk.message()
    assert delivery.closed == 1
    assert_failure_is_noted(walk)


async def test_a_message_refused_while_it_was_collected_is_noted_with_the_reply_and_not_as_lost(walk: Walk) -> None:
    delivery = StubbornDelivery(AssertionError("nothing is to be sent"))
    await walk_to(walk, delivery)
    await walk.journey.refused(TOO_LARGE)
    await walk.journey.reset()
    assert delivery.closed == 1
    [record] = walk.records
    assert (record.event, record.stage, record.reply) == (Event.REFUSED, "data", str(TOO_LARGE))
    assert (record.id, record.sender, record.recipients) == ("m1", SENDER, (ALICE,))


async def test_reset_closes_the_delivery_once_and_notes_the_transaction(walk: Walk) -> None:
    delivery = StubbornDelivery(AssertionError("nothing is to be sent"))
    await walk_to(walk, delivery)
    await walk.journey.reset()
    await walk.journey.reset()
    assert delivery.closed == 1
    record = walk.recorded(Event.LOST)
    assert (record.id, record.sender, record.recipients) == ("m1", SENDER, (ALICE,))


async def test_reset_without_accepted_recipients_is_nothing_to_note(walk: Walk) -> None:
    await walk.connect()
    await walk.journey.reset()
    await walk.transaction()
    await walk.journey.reset()
    assert walk.records == []


async def test_reset_ends_the_lookups_of_the_transaction(walk: Walk) -> None:
    slow = ScriptedCheck("spf", delay=60.0)
    walk.with_wave("sender", slow)
    await walk.connect()
    await walk.transaction(ALICE)
    await walk.journey.reset()
    await until(lambda: slow.cancelled == 1)


async def test_a_downstream_server_that_is_lost_defers_the_message(tmp_path: Path) -> None:
    async with walking_to({".": [Fault.CLOSE]}, tmp_path) as walk:
        await walk.connect()
        assert (await walk.send()).startswith("451 4.4.2 ")
        assert walk.recorded().answer.startswith("unknown")
        assert (await walk.send()).startswith("250 ")


async def test_a_question_about_no_transaction_is_a_bug_of_the_session(walk: Walk) -> None:
    await walk.connect()
    with pytest.raises(RuntimeError, match="not begun"):
        await walk.rcpt(ALICE)


# The record.


async def test_the_record_tells_the_whole_journey(walk: Walk) -> None:
    await walk.connect()
    await walk.send(signed(LETTER, rsa_key(), domain="sender.example"), ALICE, "bob@example.org")
    record = walk.recorded()
    assert record.event is Event.MESSAGE
    assert (record.id, record.connection, record.began, record.stage) == ("m1", "c1", NOW, "delivered")
    assert (record.client_ip, record.client_port, record.client_name) == (CLIENT, 40000, "mail.sender.example")
    assert (record.client_role, record.helo) == (Role.STRANGER.value, "mail.sender.example")
    assert (record.sender, record.recipients) == (SENDER, (ALICE, "bob@example.org"))
    assert (record.author, record.subject, record.message_id) == (SENDER, "A letter", "<1@sender.example>")
    assert record.results == {
        "iprev": "pass", "spf": "pass", "dkim": "pass", "arc": "none", "dmarc": "pass", "spam": "skipped",
    }  # fmt: skip
    assert (record.score, record.required, record.symbols, record.total) == (None, None, (), 0.0)
    assert (record.action, record.rules, record.shadow) == ("tag", ("unscored",), ())
    assert record.rules_digest == walk.parts.rules.digest
    assert (record.reply, record.next_hop) == ("250 2.0.0 Stored as m1", "default")
    assert list(record.milliseconds) == ["iprev", "spf", "dkim", "arc", "dmarc", "spam", "deliver", "total"]
    assert record.milliseconds["total"] >= record.milliseconds["deliver"] > 0
