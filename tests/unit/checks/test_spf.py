"""The SPF check: which identity decides, what is reported, and what the RFC leaves to tell apart."""

import asyncio
from typing import Any

import pytest

from gateway.authres.field import MethodResult, Property
from gateway.checks.spf import FACTS, SpfCheck, SpfResult, SpfSettings
from gateway.connection import Role
from gateway.system.dns import Answer, Status
from tests.support.dnstable import Table, TableResolver
from tests.support.spfcase import spf_subject

IP = "192.0.2.1"
ZONE: Table = {
    ("good.example", "TXT"): [b"unrelated \xff", b"v=spf1 ip4:192.0.2.0/24 -all"],
    ("bad.example", "TXT"): [b"v=spf1 -all"],
    ("broken.example", "TXT"): Status.SERVFAIL,
    ("xn--bcher-kva.example", "TXT"): [b"v=spf1 +all"],
    ("bare.example", "A"): ["192.0.2.1"],
}


async def check(
    ip: str = IP, helo: str = "good.example", sender: str = "ann@good.example", role: Role = Role.STRANGER
) -> SpfResult:
    return await SpfCheck(SpfSettings(), resolver=TableResolver(ZONE))(spf_subject(ip, helo, sender, role=role))


async def judge(record: bytes, *, ip: str = IP, sender: str = "ann@d.example", **zone: Any) -> SpfResult:
    table = {("d.example", "TXT"): [record]} | {tuple(key.split("/")): value for key, value in zone.items()}
    return await SpfCheck(SpfSettings(), resolver=TableResolver(table))(spf_subject(ip, "mail.example", sender))


async def test_the_domain_of_mail_from_decides() -> None:
    result = await check(helo="good.example", sender="ann@bad.example")
    assert (result.result, result.identity, result.domain) == ("fail", "mailfrom", "bad.example")
    assert result.helo.result == "pass"


async def test_helo_decides_for_the_null_reverse_path() -> None:
    result = await check(helo="Good.Example", sender="")
    assert (result.result, result.identity, result.domain) == ("pass", "helo", "good.example")


async def test_the_field_has_one_result_of_the_identity_that_decides() -> None:
    assert (await check(sender="ann@bad.example")).authres() == (
        MethodResult(method="spf", result="fail", properties=(Property("smtp", "mailfrom", "bad.example"),)),
    )
    assert (await check(sender="")).authres()[0].properties == (Property("smtp", "helo", "good.example"),)


async def test_facts_are_those_that_are_declared() -> None:
    result = await check(helo="bad.example")
    assert result.facts() == {
        "spf.result": "pass",
        "spf.identity": "mailfrom",
        "spf.domain": "good.example",
        "spf.helo": "fail",
        "spf.mechanism": "ip4:192.0.2.0/24",
    }
    assert set(result.facts()) == {fact.name for fact in FACTS}


async def test_the_report_says_what_matched() -> None:
    reported = (await check(helo="bare.example")).report()
    assert reported.pop("checked") == [
        {
            "identity": "mailfrom",
            "domain": "good.example",
            "result": "pass",
            "mechanism": "ip4:192.0.2.0/24",
            "trail": [{"domain": "good.example", "term": "ip4:192.0.2.0/24"}],
            "lookups": 0,
            "void_lookups": 0,
            "reason": "",
        },
        {
            "identity": "helo",
            "domain": "bare.example",
            "result": "none",
            "mechanism": "",
            "trail": [],
            "lookups": 0,
            "void_lookups": 0,
            "reason": "",
        },
    ]
    assert reported == {
        "result": "pass",
        "identity": "mailfrom",
        "domain": "good.example",
        "helo": "none",
        "mechanism": "ip4:192.0.2.0/24",
        "reason": "",
    }


async def test_helo_that_decides_is_reported_once() -> None:
    assert [one["identity"] for one in (await check(sender="")).report()["checked"]] == ["helo"]


async def trail(record: bytes, **zone: Any) -> tuple[str, str, int, int]:
    """The word, the way to the term that decided, and the lookups and void lookups spent."""
    finding = (await judge(record, **zone)).finding
    way = " > ".join(f"{domain} {term}" for domain, term in finding.trail)
    return finding.result, way, finding.lookups, finding.void_lookups


INCLUDED = {
    "a.example/TXT": [b"v=spf1 -ip4:203.0.113.0/24 a:gone.example include:b.example -all"],
    "b.example/TXT": [b"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 -all"],
    "c.example/TXT": [b"v=spf1 ip4:192.0.2.1 -all"],
    "fails.example/TXT": [b"v=spf1 -ip4:192.0.2.1 +all"],
}


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (b"v=spf1 ip4:192.0.2.1 -all", ("pass", "d.example ip4:192.0.2.1", 0, 0)),
        (b"v=spf1 -all", ("fail", "d.example -all", 0, 0)),
        (b"v=spf1 ip4:203.0.113.1", ("neutral", "", 0, 0)),
        (b"v=spf1 mx include:c.example ~all", ("pass", "d.example include:c.example > c.example ip4:192.0.2.1", 2, 1)),
        (
            b"v=spf1 include:a.example",
            ("pass", "d.example include:a.example > a.example include:b.example > b.example ip4:192.0.2.0/24", 3, 1),
        ),
        (b"v=spf1 include:fails.example ~all", ("softfail", "d.example ~all", 1, 0)),
        (
            b"v=spf1 include:fails.example redirect=c.example",
            ("pass", "d.example redirect=c.example > c.example ip4:192.0.2.1", 2, 0),
        ),
        (b"v=spf1 include:%{d1}.c.example -all", ("permerror", "d.example include:%{d1}.c.example", 1, 1)),
    ],
)
async def test_the_trail_leads_to_what_matched(record: bytes, found: tuple[str, str, int, int]) -> None:
    assert await trail(record, **INCLUDED) == found


async def test_what_matched_is_the_end_of_the_trail() -> None:
    assert (await judge(b"v=spf1 include:c.example -all", **INCLUDED)).finding.mechanism == "ip4:192.0.2.1"
    assert (await judge(b"v=spf1 redirect=fails.example", **INCLUDED)).finding.mechanism == "-ip4:192.0.2.1"
    assert (await judge(b"v=spf1 include:gone.example", **INCLUDED)).finding.mechanism == ""


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (b"v=spf1 +bogus", ("permerror", "d.example ", 0, 0)),
        (b"v=spf1 a include:gone.example", ("permerror", "d.example include:gone.example", 2, 2)),
        (b"v=spf1 include:slow.example", ("temperror", "d.example include:slow.example", 1, 0)),
        (b"v=spf1 redirect=bad.example", ("permerror", "d.example redirect=bad.example > bad.example ", 1, 0)),
        (b"v=spf1 a:x.example mx:x.example exists:x.example", ("permerror", "d.example exists:x.example", 3, 3)),
    ],
)
async def test_the_trail_of_an_error_ends_where_it_arose(record: bytes, found: tuple[str, str, int, int]) -> None:
    zone = {"slow.example/TXT": Status.SERVFAIL, "bad.example/TXT": [b"v=spf1 ip4:1.2.3"]}
    assert await trail(record, **zone) == found


async def test_terms_that_need_a_lookup_are_counted_and_ten_of_them_are_allowed() -> None:
    zone = {f"n{number}.example/TXT": [b"v=spf1 ?ip4:192.0.2.1"] for number in range(10)}
    ten = b" ".join(b"include:n%d.example" % number for number in range(10))
    assert await trail(b"v=spf1 ip4:203.0.113.1 %b -all" % ten, **zone) == ("fail", "d.example -all", 10, 0)
    word, way, lookups, _ = await trail(b"v=spf1 %b a:late.example -all" % ten, **zone)
    assert (word, way, lookups) == ("permerror", "d.example a:late.example", 11)


async def test_what_took_too_long_is_told_with_its_place() -> None:
    table: Table = {("d.example", "TXT"): [b"v=spf1 include:_spf.d.example -all"]}

    class Slow(TableResolver):
        async def query(self, name: str, rrtype: str) -> Answer:
            if name == "_spf.d.example":
                await asyncio.sleep(60)
            return await super().query(name, rrtype)

    check = SpfCheck(SpfSettings(deadline=1.0), resolver=Slow(table))
    finding = (await check(spf_subject(IP, "mail", "ann@d.example"))).finding
    assert (finding.result, [term for _, term in finding.trail]) == ("temperror", ["include:_spf.d.example"])


async def test_the_directive_is_of_the_domains_own_record() -> None:
    assert (await judge(b"v=spf1 include:c.example -all", **INCLUDED)).finding.directive == "include:c.example"
    assert (await judge(b"v=spf1 redirect=a.example", **INCLUDED)).finding.directive == "include:b.example"
    assert (await judge(b"v=spf1 a:%{z}", **INCLUDED)).finding.directive == ""


@pytest.mark.parametrize("role", [Role.RELAY, Role.INTERNAL])
async def test_our_own_networks_and_partners_are_not_judged(role: Role) -> None:
    result = await check(sender="ann@bad.example", role=role)
    assert (result.result, result.authres(), result.facts()) == ("none", (), {})
    assert result.report()["reason"]


@pytest.mark.parametrize(
    ("sender", "word"),
    [
        ("ann@missing.example", "none"),
        ("ann@bare.example", "none"),
        ("ann@[192.0.2.1]", "none"),
        ("ann@localhost", "none"),
        ("ann@broken.example", "temperror"),
        ("ann@bücher.example", "pass"),
        ("ann@GOOD.example", "pass"),
    ],
)
async def test_what_the_domain_is_decides_the_word(sender: str, word: str) -> None:
    assert (await check(sender=sender)).result == word


async def test_a_mapped_address_is_judged_as_the_ipv4_address_it_is() -> None:
    assert (await check(ip="::ffff:192.0.2.1")).result == "pass"


async def test_a_redirect_that_is_not_followed_costs_no_lookup() -> None:
    terms = b" ".join(b"a:n%d.d.example" % number for number in range(9))
    zone = {f"n{number}.d.example/A": ["203.0.113.1"] for number in range(9)}
    record = b"v=spf1 " + terms + b" mx:d.example all redirect=missing.example"
    result = await judge(record, **zone, **{"d.example/MX": [(1, "n1.d.example")]})
    assert result.result == "pass"


async def test_names_of_modifiers_have_no_case_and_unknown_ones_may_repeat() -> None:
    zone = {"r.example/TXT": [b"v=spf1 -all"]}
    assert (await judge(b"v=spf1 REDIRECT=r.example", **zone)).result == "fail"
    assert (await judge(b"v=spf1 x=1 x=2 +all")).result == "pass"
    assert (await judge(b"v=spf1 exp=a.example EXP=b.example +all")).result == "permerror"


async def test_a_failing_lookup_of_the_clients_own_names_does_not_count_against_the_domain() -> None:
    broken = {"1.2.0.192.in-addr.arpa/PTR": Status.SERVFAIL}
    assert (await judge(b"v=spf1 ptr -all", **broken)).result == "fail"
    names = {"1.2.0.192.in-addr.arpa/PTR": ["x.d.example", "y.d.example", "z.d.example", "good.d.example"]}
    found = {"x.d.example/A": Status.SERVFAIL, "good.d.example/A": [IP]}
    assert (await judge(b"v=spf1 ptr -all", **names, **found)).result == "pass"
    assert (await judge(b"v=spf1 ptr -all", **names)).result == "fail"


async def test_names_that_dns_cannot_hold_have_nothing_and_are_no_void_lookups() -> None:
    terms = b" ".join(b"a:%d%b.example" % (number, b"x" * 63) for number in range(4))
    finding = (await judge(b"v=spf1 " + terms + b" -all")).finding
    assert (finding.result, finding.lookups, finding.void_lookups) == ("fail", 4, 0)


async def test_exchanges_are_looked_up_until_one_matches() -> None:
    resolver = TableResolver(
        {
            ("d.example", "TXT"): [b"v=spf1 mx -all"],
            ("d.example", "MX"): [(20, "second.d.example"), (10, "first.d.example")],
            ("first.d.example", "A"): [IP],
        }
    )
    result = await SpfCheck(SpfSettings(), resolver=resolver)(spf_subject(IP, "localhost", "ann@d.example"))
    assert result.result == "pass"
    assert ("second.d.example", "A") not in resolver.asked


async def test_exchanges_without_an_address_of_the_clients_kind_are_one_void_lookup() -> None:
    """RFC 7208 section 4.6.4 counts terms; each IPv4-only exchange by itself would be one too many for IPv6 clients."""
    zone = {"d.example/MX": [(n, f"mx{n}.d.example") for n in range(5)]}
    zone |= {f"mx{n}.d.example/A": [IP] for n in range(5)}
    assert (await judge(b"v=spf1 mx ip6:2001:db8::/32 -all", ip="2001:db8::1", **zone)).result == "pass"
    assert (await judge(b"v=spf1 a:a.d.example a:b.d.example -all")).result == "fail"
    assert (await judge(b"v=spf1 a:a.d.example a:b.d.example a:c.d.example -all")).result == "permerror"


@pytest.mark.parametrize(
    ("macro", "name"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{h}", "mx.example.org"),
        ("%{p}.x", "unknown.x"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("a%%b%_c%-d.example", "a%b c%20d.example"),
        ("%{o-.}x", None),
    ],
)
async def test_macros_expand_as_in_the_rfcs_examples(macro: str, name: str | None) -> None:
    """RFC 7208 section 7.4."""
    table: Table = {("email.example.com", "TXT"): [f"v=spf1 exists:{macro} -all".encode()]}
    resolver = TableResolver(table | ({(name, "A"): ["127.0.0.2"]} if name else {}))
    subject = spf_subject("192.0.2.3", "mx.example.org", "strong-bad@email.example.com")
    result = await SpfCheck(SpfSettings(), resolver=resolver)(subject)
    assert result.result == ("pass" if name else "permerror")


async def test_a_name_that_grows_too_long_loses_labels_from_the_left() -> None:
    """RFC 7208 section 7.3."""
    long = ".".join(["x" * 61] * 4)
    expanded = f"{long}.d.example"[62:]
    zone = {f"{expanded}/A": ["127.0.0.2"]}
    record = f"v=spf1 exists:{long}.%{{d}} -all".encode()
    assert (await judge(record, **zone)).result == "pass"


async def test_a_slow_helo_name_does_not_hold_up_the_domain_of_mail_from() -> None:
    class SlowHelo(TableResolver):
        async def query(self, name: str, rrtype: str) -> Answer:
            if name == "slow.example":
                await asyncio.sleep(60)
            return await super().query(name, rrtype)

    check = SpfCheck(SpfSettings(helo_deadline=1.0), resolver=SlowHelo(ZONE))
    async with asyncio.timeout(3):
        result = await check(spf_subject(IP, "slow.example", "ann@good.example"))
    assert (result.result, result.helo.result) == ("pass", "temperror")


async def test_answers_at_hand_are_not_awaited() -> None:
    class OnlyCached(TableResolver):
        async def query(self, name: str, rrtype: str) -> Answer:
            raise AssertionError(f"asked for {name}")

    check = SpfCheck(SpfSettings(), resolver=OnlyCached(ZONE, warm=True))
    assert (await check(spf_subject(IP, "bad.example", "ann@good.example"))).result == "pass"


@pytest.mark.parametrize("sender", ["ann@good.example", "ann@bare.example", "ann@localhost", "ann@broken.example", ""])
async def test_what_follows_from_answers_at_hand_is_known_without_waiting(sender: str) -> None:
    check = SpfCheck(SpfSettings(), resolver=TableResolver(ZONE, warm=True))
    subject = spf_subject(IP, "bad.example", sender)
    for _ in ("evaluated", "recalled"):
        assert check.known(subject) == await SpfCheck(SpfSettings(), resolver=TableResolver(ZONE))(subject)


async def test_whoever_is_not_checked_is_known_to_be_so() -> None:
    check = SpfCheck(SpfSettings(), resolver=TableResolver(ZONE))
    subject = spf_subject(IP, "bad.example", "ann@good.example", role=Role.RELAY)
    assert check.known(subject) == await check(subject)


async def test_what_must_be_asked_for_is_not_known() -> None:
    class Half(TableResolver):
        def cached(self, name: str, rrtype: str) -> Answer | None:
            return self._look_up(name, rrtype) if name == "good.example" else None

    check = SpfCheck(SpfSettings(), resolver=Half(ZONE))
    subject = spf_subject(IP, "bad.example", "ann@good.example")
    assert check.known(subject) is None
    assert (await check(subject)).helo.result == "fail"


async def test_another_sender_of_the_domain_is_not_evaluated_anew() -> None:
    resolver = TableResolver({("d.example", "TXT"): [b"v=spf1 a:a.example -all"], ("a.example", "A"): [IP]}, warm=True)
    check = SpfCheck(SpfSettings(), resolver=resolver)
    first = await check(spf_subject(IP, "mail", "ann@d.example"))
    asked, resolver.asked[:] = len(resolver.asked), []
    assert await check(spf_subject(IP, "mail", "bob@d.example")) == first
    assert len(resolver.asked) <= asked
    assert (await check(spf_subject("192.0.2.2", "mail", "bob@d.example"))).result == "fail"


async def test_what_a_macro_asks_for_is_evaluated_for_each_sender() -> None:
    zone: Table = {
        ("d.example", "TXT"): [b"v=spf1 exists:%{l}.%{h}.d.example -all"],
        ("ann.mail.example.d.example", "A"): ["127.0.0.2"],
    }
    check = SpfCheck(SpfSettings(), resolver=TableResolver(zone, warm=True))
    results = [
        (await check(spf_subject(IP, helo, sender))).result
        for helo, sender in (
            ("mail.example", "ann@d.example"),
            ("mail.example", "bob@d.example"),
            ("a.b", "ann@d.example"),
        )
    ]
    assert results == ["pass", "fail", "fail"]


async def test_a_domain_that_changes_its_record_is_evaluated_anew() -> None:
    zone: dict[tuple[str, str], Any] = {("d.example", "TXT"): [b"v=spf1 +all"]}

    class Changing(TableResolver):
        def cached(self, name: str, rrtype: str) -> Answer | None:
            return Answer(Status.OK, tuple(zone[name, rrtype]), 300)

    check = SpfCheck(SpfSettings(), resolver=Changing(zone))
    assert (await check(spf_subject(IP, "mail", "ann@d.example"))).result == "pass"
    zone["d.example", "TXT"] = [b"v=spf1 -all"]
    assert (await check(spf_subject(IP, "mail", "ann@d.example"))).result == "fail"
