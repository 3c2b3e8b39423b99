"""Rules by the recipient's domain, next hops that rules choose, and a candidate whose verdicts are only recorded."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.record import Event
from tests.support.checking import Said, ScriptedCheck
from tests.support.dnstable import TableResolver
from tests.support.journeys import ALICE, LETTER, Walk, walking

LISTS = "bob@lists.example.org"
SEPARATELY = "452 4.5.3 Bring this recipient in a transaction of its own"


def rule(lines: str, when: str = 'subject == "A letter"', name: str = "x") -> str:
    return f"[[rule]]\nid = '{name}'\nwhy = 'x'\nwhen = '''{when}'''\n{lines}\n"


def by_profile(directory: Path, *, rules: str, strict: str = "") -> AbstractAsyncContextManager[Walk]:
    """lists.example.org has the profile "strict", with these rules of its own."""
    (directory / "strict").mkdir()
    (directory / "strict" / "10.toml").write_text(strict)
    settings = {
        "profile": {"strict": {"rules": directory / "strict"}, "fact": {}},
        "domain": {"lists.example.org": {"profile": "strict"}, ".fact.example.org": {"profile": "fact"}},
    }
    return walking(directory, TableResolver({}), rules=rules, **settings)


async def test_rules_of_a_profile_change_those_of_the_site_for_its_domains_alone(tmp_path: Path) -> None:
    rules, strict = rule("then = 'tag'"), "[[rule]]\nid = 'x'\nthen = 'reject'\n"
    async with by_profile(tmp_path, rules=rules, strict=strict) as walk:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
        assert (await walk.send(LETTER, LISTS)).startswith("550 ")
        first, second = (record.rules_digest for record in walk.records)
    assert first == walk.parts.rules.digest
    assert second == walk.parts.profiles.named["strict"].digest != first


async def test_conditions_can_read_the_profile(tmp_path: Path) -> None:
    rules = rule("then = 'reject'", 'recipient.profile == "fact" and subject == "A letter"')
    async with by_profile(tmp_path, rules=rules) as walk:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
        assert (await walk.send(LETTER, "a@b.fact.example.org")).startswith("550 ")


async def test_recipients_of_different_profiles_come_separately(tmp_path: Path) -> None:
    async with by_profile(tmp_path, rules="") as walk:
        await walk.connect()
        answers = await walk.transaction(ALICE, LISTS, "c@example.org")
        assert answers == ["250 2.1.5 Recipient ok", SEPARATELY, "250 2.1.5 Recipient ok"]
        assert (await walk.transaction(LISTS, "d@lists.example.org", ALICE))[1:] == [
            "250 2.1.5 Recipient ok",
            SEPARATELY,
        ]


async def test_early_rules_of_a_profile_are_recorded_with_their_version(tmp_path: Path) -> None:
    strict = rule("then = 'reject'", "recipient.count > 0", "early")
    async with by_profile(tmp_path, rules="", strict=strict) as walk:
        await walk.connect()
        [answer] = await walk.transaction(LISTS)
    assert answer.startswith("550 ")
    assert walk.recorded(Event.REFUSED).rules_digest == walk.parts.profiles.named["strict"].digest


def routed(directory: Path, *rules: str) -> AbstractAsyncContextManager[Walk]:
    hosts = {name: {"hosts": [f"maildir://{directory}/{name}"]} for name in ("mail", "bulk")}
    routes = {"default": hosts["mail"], "bulk": hosts["bulk"]}
    return walking(directory, TableResolver({}), rules=rules, route=routes)


def stored(directory: Path) -> list[str]:
    return [name for name in ("mail", "bulk") for _ in (directory / name).rglob("new/*")]


async def test_rule_chooses_the_next_hop(tmp_path: Path) -> None:
    bulk = rule("route = 'bulk'", '"bulk@example.org" in recipients')
    async with routed(tmp_path, bulk) as walk:
        await walk.connect()
        assert (await walk.send(LETTER, "bulk@example.org")).startswith("250 ")
        assert stored(tmp_path) == ["bulk"]
        assert (await walk.send()).startswith("250 ")
        assert stored(tmp_path) == ["mail", "bulk"]
    assert [record.next_hop for record in walk.records] == ["bulk", "default"]


async def test_recipients_of_different_next_hops_come_separately(tmp_path: Path) -> None:
    bulk = rule("route = 'bulk'", '"bulk@example.org" in recipients')
    async with routed(tmp_path, bulk) as walk:
        await walk.connect()
        assert (await walk.transaction(ALICE, "bulk@example.org"))[1] == SEPARATELY


async def test_routes_of_rules_count_for_what_is_offered(tmp_path: Path) -> None:
    async with routed(tmp_path) as walk:
        assert walk.parts.routes.are_one
    async with routed(tmp_path, rule("route = 'bulk'", "recipient.count > 5")) as walk:
        assert not walk.parts.routes.are_one


def with_candidate(directory: Path, candidate: str) -> AbstractAsyncContextManager[Walk]:
    (directory / "next").mkdir()
    (directory / "next" / "10.toml").write_text(candidate)
    return walking(directory, TableResolver({}), rules=rule("then = 'tag'", name="live"), candidate=directory / "next")


async def test_candidate_is_recorded_and_does_nothing(tmp_path: Path) -> None:
    async with with_candidate(tmp_path, rule("then = 'reject'", name="next")) as walk:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
    record = walk.recorded()
    assert (record.action, record.candidate_action) == ("tag", "reject")
    assert ("live" in record.rules, "next" in record.rules) == (True, False)
    assert ("live" in record.candidate_rules, "next" in record.candidate_rules) == (False, True)


async def test_candidate_stands_beside_a_refusal_at_rcpt(tmp_path: Path) -> None:
    async with with_candidate(tmp_path, rule("then = 'reject'", "recipient.count > 0", "next")) as walk:
        await walk.connect()
        await walk.transaction("nobody@elsewhere.example")
    assert walk.recorded(Event.REFUSED).candidate_action == "reject"


async def test_candidate_that_defers_is_not_asked_again_about_the_score(tmp_path: Path) -> None:
    """It would have ended there, so what its later rules would do stays out of the log."""
    candidate = rule("then = 'defer'", 'subject != ""', "early") + rule("then = 'reject'", "spam.score >= 0", "late")
    async with with_candidate(tmp_path, candidate) as walk:
        await walk.connect()
        await walk.send()
    record = walk.recorded()
    assert (record.candidate_action, record.candidate_rules) == ("defer", ("early",))


async def test_candidate_by_which_spamd_is_not_asked_judges_without_the_score(tmp_path: Path) -> None:
    candidate = rule("scan = 'skip'", 'subject != ""', "skip") + rule("then = 'reject'", "spam.score > 3", "late")
    async with with_candidate(tmp_path, candidate) as walk:
        walk.with_wave("scoring", ScriptedCheck("spam", Said({"spam.result": "scored", "spam.score": 9.0})))
        await walk.connect()
        await walk.send()
    record = walk.recorded()
    assert (record.candidate_action, record.candidate_rules) == ("accept", ("skip",))


async def test_fields_that_only_the_candidate_reads_are_there_for_it(tmp_path: Path) -> None:
    async with with_candidate(tmp_path, rule("then = 'reject'", '"x" in header("X-A")', "next")) as walk:
        await walk.connect()
        await walk.send(b"X-A: x\r\n" + LETTER)
    assert walk.recorded().candidate_action == "reject"


async def test_broken_candidate_is_logged_and_harms_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with with_candidate(tmp_path, rule("then = 'rejct'", "nothing > 5", "next")) as walk:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
    assert walk.recorded().candidate_action == ""
    assert [message.split(": ", 2)[2] for message in caplog.messages if message.startswith("candidate rules")] == [
        'unknown fact "nothing"',
        'then is not "rejct" (did you mean "reject"?)',
    ]
