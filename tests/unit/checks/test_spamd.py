"""The check "spam": its settings, its facts and its report."""

import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from gateway.checks.base import Subject
from gateway.checks.spamd import SpamdCheck, SpamdSettings
from gateway.checks.spamresult import FACTS, SpamResult, SpamStatus, judge
from gateway.connection import Connection, Role
from gateway.envelope import Address, Envelope
from gateway.facts import FactType
from gateway.message import Stamped, parse_message
from gateway.scoring.breaker import Cause
from gateway.scoring.hosts import SpamdHost
from gateway.scoring.outcome import Scored, Unscored
from gateway.scoring.spamc import Score
from gateway.system.spool import Spool
from tests.support.fakespamd import FakeSpamd, replying, scored

SCORE = Score(is_spam=True, score=7.5, required=5.0, symbols=("ONE", "TWO"))


def subject(body: bytes = b"Hello\r\n") -> Subject:
    spool = Spool(threshold=10_000_000, directory=Path("/nonexistent"))
    spool.write(b"Subject: x\r\n\r\n" + body)
    message = parse_message(spool, max_header=1000)
    return Subject(
        connection=Connection(id="c1", ip=IPv4Address("192.0.2.1"), port=4000, role=Role.STRANGER, opened=0.0),
        envelope=Envelope(id="m1", sender=Address(local="ann", domain="example.org")),
        message=message,
        copy=Stamped(header=b"Subject: x\r\n", message=message),
    )


async def test_score_becomes_facts():
    async with FakeSpamd(replying(scored("7.5", "5.0", "ONE,TWO", flag="True"))) as spamd:
        result = await SpamdCheck(SpamdSettings(hosts=(spamd.host,)))(subject())
    assert result.facts() == {
        "spam.result": "scored",
        "spam.truncated": False,
        "spam.score": 7.5,
        "spam.required": 5.0,
        "spam.symbols": ("ONE", "TWO"),
        "spam.flag": True,
    }


async def test_large_message_is_scored_by_its_beginning_and_says_so():
    async with FakeSpamd(replying(scored())) as spamd:
        check = SpamdCheck(SpamdSettings(hosts=(spamd.host,), max_size=4096))
        assert (await check(subject(b"x" * 70 + b"\r\n"))).truncated is False
        assert (await check(subject((b"x" * 70 + b"\r\n") * 100))).truncated is True


@pytest.mark.parametrize(
    "settings",
    [SpamdSettings(), SpamdSettings(enabled=False, hosts=(SpamdHost(address="127.0.0.1:783"),))],
)
async def test_without_a_host_or_switched_off_the_message_is_skipped(settings):
    result = await SpamdCheck(settings)(subject())
    assert (result.status, result.reason) == (SpamStatus.SKIPPED, "no spamd is configured")


async def test_what_spamd_is_not_asked_about_is_known_without_waiting():
    asking = SpamdCheck(SpamdSettings(hosts=(SpamdHost(address="127.0.0.1:783"),)))
    exempt = replace(subject(), unscanned_by="list-mail")
    assert SpamdCheck(SpamdSettings()).known(subject()) == await SpamdCheck(SpamdSettings())(subject())
    assert asking.known(exempt) == await asking(exempt) == SpamResult(SpamStatus.EXEMPT, reason="rule list-mail")
    assert asking.known(subject()) is None


@pytest.mark.parametrize(("cause", "word"), [(Cause.BUSY, "busy"), (Cause.DEAD, "unavailable")])
def test_message_without_a_score_has_no_score_among_its_facts(cause, word):
    result = judge(Unscored(cause, "why"), truncated=False)
    assert result.facts() == {"spam.result": word, "spam.truncated": False}


def test_facts_are_declared_with_their_types():
    declared = {fact.name: fact for fact in FACTS}
    types = {FactType.STRING: str, FactType.NUMBER: float, FactType.STRINGS: tuple, FactType.BOOLEAN: bool}
    for name, value in judge(Scored("h:1", SCORE), truncated=True).facts().items():
        assert isinstance(value, types[declared[name].type])
    assert set(declared["spam.result"].values) == set(SpamStatus)


def test_report_is_plain_json_and_names_rules_score_and_host():
    report = judge(Scored("h:1", SCORE), truncated=False).report()
    assert json.loads(json.dumps(report)) == report
    assert (report["score"], report["required"], report["symbols"], report["host"]) == (7.5, 5.0, ["ONE", "TWO"], "h:1")


def test_report_of_a_message_without_a_score_says_why():
    report = SpamResult(status=SpamStatus.BUSY, reason="the line is full").report()
    assert (report["result"], report["score"], report["reason"]) == ("busy", None, "the line is full")


def test_score_is_no_authentication_result():
    assert judge(Scored("h:1", SCORE), truncated=False).authres() == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"hosts": [{"address": "h:1"}, {"address": "h:1"}]},
        {"hosts": [{"address": "nowhere"}]},
        {"user": "two\r\nlines"},
        {"timeout": 0},
        {"max_size": 1},
        {"unknown": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValidationError):
        SpamdSettings.model_validate(settings)
