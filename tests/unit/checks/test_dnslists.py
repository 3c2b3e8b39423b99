"""DNS lists: what is asked, what follows from the answers, and what all of them together say."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.field import MethodResult, Property
from gateway.checks.dnslists import (
    FACTS,
    DnsListsCheck,
    DnsListSettings,
    DnsListsResult,
    address_lists,
    domain_lists,
)
from gateway.checks.dnslists.check import MISSING, PAUSE
from gateway.checks.dnslists.question import question
from gateway.checks.dnslists.result import ADDRESS_FACTS, DOMAIN_FACTS
from gateway.checks.dnslists.silence import Silence
from gateway.connection import Role
from gateway.system.dns import Answer, Status, is_name
from tests.support.dnstable import Table, TableResolver
from tests.support.spfcase import spf_subject

CLIENT = "192.0.2.7"
ENTRY = "7.2.0.192.block.example"
CONTROL = "1.0.0.127.block.example"
BLOCK: dict[str, Any] = {"zone": "block.example"}
ALLOW: dict[str, Any] = {"zone": "allow.example", "kind": "allow"}
ALLOWED = "7.2.0.192.allow.example"


def check_of(lists: Mapping[str, Mapping[str, Any]], table: Table, **more: Any) -> DnsListsCheck:
    """The one check of these lists."""
    settings = {name: DnsListSettings.model_validate(each) for name, each in lists.items()}
    resolver = TableResolver(table, **more)
    [check] = (*address_lists(settings, resolver=resolver), *domain_lists(settings, resolver=resolver))
    return check


async def ask(
    lists: Mapping[str, Mapping[str, Any]],
    table: Table,
    *,
    ip: str = CLIENT,
    helo: str = "mail.sender.example",
    sender: str = "ann@sender.example",
    role: Role = Role.STRANGER,
) -> DnsListsResult:
    return await check_of(lists, table)(spf_subject(ip, helo, sender, role=role))


# One list.

ANSWERS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "no entry": ([], "none", ()),
    "an entry": (["127.0.0.2"], "listed", ("127.0.0.2",)),
    "several": (["127.0.0.10", "127.0.0.2", "127.0.0.2"], "listed", ("127.0.0.2", "127.0.0.10")),
    "a code that does not count": (["127.0.1.2"], "none", ()),
    "one that counts, and another": (["127.0.1.2", "127.0.0.3"], "listed", ("127.0.0.3",)),
    "an error code": (["127.255.255.254"], "permerror", ()),
    "a listing with an error code": (["127.0.0.2", "127.255.255.252"], "permerror", ()),
    "too many questions": (["127.0.0.1"], "permerror", ()),
    "a web server": (["203.0.113.80"], "permerror", ()),
    "a listing with a web server": (["127.0.0.2", "203.0.113.80"], "permerror", ()),
    "a failure": (Status.SERVFAIL, "temperror", ()),
    "silence": (Status.TIMEOUT, "temperror", ()),
}


@pytest.mark.parametrize(("answer", "status", "codes"), ANSWERS.values(), ids=list(ANSWERS))
async def test_only_codes_that_count_are_listings(answer: Any, status: str, codes: tuple[str, ...]) -> None:
    result = await ask({"a": BLOCK}, {(ENTRY, "A"): answer})
    [listing] = result.listings
    assert (listing.status, listing.codes) == (status, codes)
    assert bool(listing.reason) is (status in ("temperror", "permerror"))


@pytest.mark.parametrize(
    ("control", "status"),
    [([], "listed"), (["127.0.0.2"], "permerror"), (["203.0.113.80"], "permerror"), (Status.SERVFAIL, "temperror")],
)
async def test_a_list_of_everything_is_not_believed(control: Any, status: str) -> None:
    result = await ask({"a": BLOCK}, {(ENTRY, "A"): ["127.0.0.2"], (CONTROL, "A"): control})
    assert result.listings[0].status == status


async def test_the_control_is_asked_for_only_where_there_is_an_entry() -> None:
    check = check_of({"a": BLOCK}, {("block.example", "TXT"): [b"a list"]})
    await check(spf_subject(CLIENT, "", ""))
    assert check._resolver.asked == [(ENTRY, "A")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [17, 4000])
async def test_only_so_many_codes_are_looked_at_further(count: int) -> None:
    answers = [f"127.0.{number // 200}.{2 + number % 200}" for number in range(count)]
    lists = {"a": {**BLOCK, "listed": ["127.0.[0..255].[0..255]"]}}
    result = await ask(lists, {(ENTRY, "A"): answers})
    assert len(result.listings[0].codes) == 16


@pytest.mark.parametrize("words", [{"127.0.0.2": "sbl", "127.0.0.[4..7]": "xbl"}])
async def test_codes_have_the_names_that_the_site_gives_them(words: dict[str, str]) -> None:
    answers = ["127.0.0.2", "127.0.0.4", "127.0.0.5", "127.0.0.9"]
    result = await ask({"zen": {**BLOCK, "names": words}}, {(ENTRY, "A"): answers})
    assert result.facts()["dnslists.listings"] == ("zen:sbl", "zen:xbl", "zen:127.0.0.9")


# What is asked.

ADDRESSES = {
    "192.0.2.7": "7.2.0.192.block.example",
    "::ffff:192.0.2.7": "7.2.0.192.block.example",
    "2001:db8:1:2:3:4:567:89ab": "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.block.example",
    "fe80::1%eth0": "1." + "0." * 28 + "8.e.f.block.example",
}


@pytest.mark.parametrize(("ip", "entry"), ADDRESSES.items())
async def test_addresses_are_asked_for_in_reverse(ip: str, entry: str) -> None:
    result = await ask({"a": BLOCK}, {(entry, "A"): ["127.0.0.2"]}, ip=ip)
    assert result.result == "blocked"


async def test_the_control_of_an_ipv6_address_is_one_of_ipv6() -> None:
    settings = DnsListSettings.model_validate(BLOCK)
    asked = question(settings, spf_subject("2001:db8::1", "", ""))
    assert asked is not None
    assert asked.control == "1.0.0.0.0.0.f.7.f.f.f.f." + "0." * 20 + "block.example"


NAMES = {
    "sender": ({"sender": "ann@sender.example"}, "sender", "sender.example"),
    "helo": ({"helo": "Mail.Sender.Example"}, "helo", "mail.sender.example"),
    "a U-label": ({"helo": "bücher.example"}, "helo", "xn--bcher-kva.example"),
}


@pytest.mark.parametrize(("given_names", "about", "entry"), NAMES.values(), ids=list(NAMES))
async def test_names_are_asked_for_as_they_are(given_names: dict[str, str], about: str, entry: str) -> None:
    lists = {"dbl": {"zone": "names.example", "about": about}}
    result = await ask(lists, {(f"{entry}.names.example", "A"): ["127.0.0.2"]}, **given_names)  # type: ignore[arg-type]
    assert result.facts()["domainlists.blocked"] == ("dbl",)


async def test_a_list_of_names_that_has_everything_is_not_believed() -> None:
    lists = {"dbl": {"zone": "names.example", "about": "sender"}}
    table = {(f"{name}.names.example", "A"): ["127.0.0.2"] for name in ("sender.example", "invalid")}
    assert (await ask(lists, table)).result == "permerror"


@pytest.mark.parametrize("helo", ["", "localhost", "[192.0.2.7]", "192.0.2.7", "a b.example", "a..example", "x" * 300])
async def test_what_is_no_name_of_a_host_is_not_asked_for(helo: str) -> None:
    lists = {"a": {"zone": "names.example", "about": "helo"}}
    check = check_of(lists, {})
    result = await check(spf_subject(CLIENT, helo, ""))
    assert (result.result, result.listings, check._resolver.asked) == ("none", (), [])  # type: ignore[attr-defined]


async def test_the_null_reverse_path_has_no_domain_to_ask_for() -> None:
    assert (await ask({"a": {"zone": "names.example", "about": "sender"}}, {}, sender="")).listings == ()


@given(st.text(max_size=300), st.sampled_from(["helo", "sender"]))
def test_nothing_that_a_client_says_asks_for_anything_outside_the_zone(text: str, about: str) -> None:
    settings = DnsListSettings.model_validate({"zone": "names.example", "about": about})
    asked = question(settings, spf_subject(CLIENT, text, f"a@{text}" if about == "sender" else ""))
    if asked is not None:
        assert asked.name.endswith(".names.example")
        assert asked.name.count(".names.example") == 1 or "names.example" in text.lower()
        assert set(asked.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
        assert is_name(asked.name) or len(asked.name) > 253


@pytest.mark.parametrize("role", [Role.RELAY, Role.INTERNAL])
async def test_our_networks_and_partners_are_not_asked_about(role: Role) -> None:
    check = check_of({"a": BLOCK, "b": ALLOW}, {(ENTRY, "A"): ["127.0.0.2"], (ALLOWED, "A"): ["127.0.0.2"]})
    result = await check(spf_subject(CLIENT, "", "", role=role))
    assert check._resolver.asked == []  # type: ignore[attr-defined]
    assert (result.facts(), result.authres()) == ({}, ())
    assert result.report() == [{"result": "none", "reason": result.skipped}]


class AllOrNone(TableResolver):
    """Answers nobody before everybody has asked."""

    def __init__(self, number: int) -> None:
        super().__init__({})
        self.everybody = asyncio.Barrier(number)

    async def query(self, name: str, rrtype: str) -> Answer:
        await self.everybody.wait()
        return await super().query(name, rrtype)


async def test_all_lists_are_asked_at_once() -> None:
    lists = {f"l{number}": DnsListSettings(zone=f"l{number}.example") for number in range(20)}
    [check] = address_lists(lists, resolver=AllOrNone(20))
    assert [listing.status for listing in (await check(spf_subject(CLIENT, "", ""))).listings] == ["none"] * 20


# All lists together.

TOGETHER: dict[str, tuple[Any, Any, str]] = {
    "nothing": ([], [], "none"),
    "blocked": (["127.0.0.2"], [], "blocked"),
    "allowed": ([], ["127.0.0.2"], "allowed"),
    "an allow list outweighs": (["127.0.0.2"], ["127.0.0.2"], "allowed"),
    "an allow list for now without an answer": (["127.0.0.2"], Status.TIMEOUT, "undecided"),
    "an allow list that is out of order": (["127.0.0.2"], ["127.255.255.254"], "blocked"),
    "no answer for now": (Status.SERVFAIL, [], "temperror"),
    "none for now, and none ever": (Status.SERVFAIL, ["127.255.255.254"], "temperror"),
    "none ever": (["203.0.113.80"], [], "permerror"),
    "no answer, and allowed": (Status.SERVFAIL, ["127.0.0.2"], "allowed"),
}


@pytest.mark.parametrize(("block", "allow", "word"), TOGETHER.values(), ids=list(TOGETHER))
async def test_the_lists_together_have_one_word(block: Any, allow: Any, word: str) -> None:
    result = await ask({"b": BLOCK, "a": ALLOW}, {(ENTRY, "A"): block, (ALLOWED, "A"): allow})
    assert result.facts()["dnslists.result"] == word


async def test_rules_see_which_lists_said_what() -> None:
    lists = {
        "zen": BLOCK,
        "dnswl": {**ALLOW, "listed": ["127.0.[0..255].[1..3]"]},
        "dead": {"zone": "dead.example"},
        "sold": {"zone": "sold.example"},
    }
    table = {
        (ENTRY, "A"): ["127.0.0.10"],
        (ALLOWED, "A"): ["127.0.10.3"],
        ("7.2.0.192.dead.example", "A"): Status.TIMEOUT,
        ("7.2.0.192.sold.example", "A"): ["203.0.113.80"],
    }
    assert (await ask(lists, table)).facts() == {
        "dnslists.result": "allowed",
        "dnslists.blocked": ("zen",),
        "dnslists.allowed": ("dnswl",),
        "dnslists.listings": ("zen:127.0.0.10", "dnswl:127.0.10.3"),
        "dnslists.failed": ("dead", "sold"),
    }


@pytest.mark.parametrize(("about", "declared"), [("client", ADDRESS_FACTS), ("helo", DOMAIN_FACTS)])
async def test_the_facts_are_those_that_are_declared(about: str, declared: Any) -> None:
    check = check_of({"a": {**BLOCK, "about": about}}, {})
    result = await check(spf_subject(CLIENT, "mail.sender.example", ""))
    assert check.facts == declared
    assert list(result.facts()) == [fact.name for fact in declared]
    assert set(declared) < set(FACTS)
    assert result.result in declared[0].values


def test_where_no_list_is_configured_there_is_no_check() -> None:
    settings = DnsListSettings.model_validate(BLOCK)
    resolver = TableResolver({})
    assert address_lists({}, resolver=resolver) == domain_lists({}, resolver=resolver) == ()
    assert domain_lists({"a": settings}, resolver=resolver) == ()
    assert len(address_lists({"a": settings}, resolver=resolver)) == 1


# Our field, and people.


async def test_allow_lists_of_addresses_stand_in_our_field() -> None:
    lists = {"a": ALLOW, "b": BLOCK, "c": {"zone": "c.example", "kind": "allow"}}
    table = {(ALLOWED, "A"): ["127.0.0.3", "127.0.0.2"], (ENTRY, "A"): ["127.0.0.2"]}
    first, second = (await ask(lists, table)).authres()
    codes = Property("policy", "ip", "127.0.0.2,127.0.0.3")
    assert first == MethodResult("dnswl", "pass", properties=(Property("dns", "zone", "allow.example"), codes))
    assert second == MethodResult("dnswl", "none", properties=(Property("dns", "zone", "c.example"),))


@pytest.mark.parametrize(("answer", "word"), [(Status.TIMEOUT, "temperror"), (["127.255.255.254"], "permerror")])
async def test_an_allow_list_without_an_answer_says_so(answer: Any, word: str) -> None:
    [stated] = (await ask({"a": ALLOW}, {(ALLOWED, "A"): answer})).authres()
    assert (stated.result, bool(stated.reason)) == (word, True)


async def test_lists_of_names_do_not_stand_in_our_field() -> None:
    lists = {"a": {"zone": "names.example", "about": "sender", "kind": "allow"}}
    result = await ask(lists, {("sender.example.names.example", "A"): ["127.0.0.2"]})
    assert (result.result, result.authres()) == ("allowed", ())


async def test_the_report_has_a_line_for_each_list_and_no_zone() -> None:
    lists = {"zen": {"zone": "secretkey.block.example"}, "dnswl": ALLOW}
    report = (await ask(lists, {("7.2.0.192.secretkey.block.example", "A"): ["127.0.0.2"]})).report()
    assert [(line["list"], line["kind"], line["about"], line["result"]) for line in report] == [
        ("zen", "block", "client", "listed"),
        ("dnswl", "allow", "client", "none"),
    ]
    assert "secretkey" not in str(report)


# Time.


async def test_a_list_that_is_silent_costs_its_timeout_and_no_more() -> None:
    check = check_of({"a": {**BLOCK, "timeout": 0.05}}, {}, delay=60)
    async with asyncio.timeout(30):
        [listing] = (await check(spf_subject(CLIENT, "", ""))).listings
    assert (listing.status, listing.reason) == ("temperror", "no answer within 0.05 s")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_list_that_stays_silent_is_left_out_and_tried_again() -> None:
    clock, resolver = Clock(), TableResolver({(ENTRY, "A"): Status.TIMEOUT})
    settings = {"a": DnsListSettings.model_validate(BLOCK)}
    check = DnsListsCheck("dnslists", ADDRESS_FACTS, settings, resolver=resolver, clock=clock)
    for _ in range(MISSING + 5):
        result = await check(spf_subject(CLIENT, "", ""))
        assert result.result == "temperror"
    assert len(resolver.asked) == MISSING
    assert "left out" in result.listings[0].reason
    clock.now = PAUSE
    assert (await check(spf_subject("192.0.2.8", "", ""))).result == "none"
    assert (await check(spf_subject("192.0.2.9", "", ""))).result == "none"
    assert len(resolver.asked) == MISSING + 2


def test_a_silent_list_is_tried_by_one_client_at_a_time() -> None:
    silence = Silence(limit=1, pause=PAUSE)
    silence.goes_on(0.0)
    assert [silence.allows(now) for now in (PAUSE - 1, PAUSE, PAUSE, PAUSE * 2 - 1, PAUSE * 2)] == [
        False,
        True,
        False,
        False,
        True,
    ]


async def test_a_list_that_answers_now_and_then_is_not_left_out() -> None:
    table = {(ENTRY, "A"): Status.TIMEOUT}
    check = check_of({"a": BLOCK}, table)
    for ip in [CLIENT, "192.0.2.8"] * MISSING * 2:
        await check(spf_subject(ip, "", ""))
    assert len(check._resolver.asked) == MISSING * 4  # type: ignore[attr-defined]
