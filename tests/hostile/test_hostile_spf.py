"""SPF under attack: whatever a domain publishes and a client says, there is a result, soon, and with few lookups."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authres.field import AuthenticationResults, build, parse
from gateway.checks.spf import SpfCheck, SpfResult, SpfSettings
from gateway.checks.spf.query import MAX_RECORD
from gateway.checks.spf.result import MAX_SHOWN
from gateway.system.dns import Status
from tests.support.dnstable import Table, TableResolver
from tests.support.spfcase import spf_subject

IP = "192.0.2.1"
MAX_LOOKUPS = 1 + 10 + 10 * 10  # the record, 10 terms, 10 exchanges each (RFC 7208 section 4.6.4)


async def check(
    table: Table, *, ip: str = IP, helo: str = "mx", sender: str = "ann@example.org"
) -> tuple[SpfResult, TableResolver]:
    resolver = TableResolver(table)
    result = await SpfCheck(SpfSettings(), resolver=resolver)(spf_subject(ip, helo, sender))
    assert_speaks_for_itself(result)
    return result, resolver


async def judge(*records: bytes, **case: Any) -> SpfResult:
    return (await check({("example.org", "TXT"): records}, **case))[0]


def assert_speaks_for_itself(result: SpfResult) -> None:
    """Nothing that a stranger wrote gets out of its place in the header field, the log or the facts."""
    text = f"{result.finding.problem}{result.finding.mechanism}{result.domain}"
    assert text.isprintable()
    assert text.isascii()
    assert max(len(result.finding.problem), len(result.finding.mechanism)) <= MAX_SHOWN
    shown = json.dumps(result.report(), ensure_ascii=False)
    assert shown.isprintable()
    assert shown.isascii()
    field = build(AuthenticationResults("mx.example.net", result.authres()))
    (read,) = parse(field).results
    assert (read.method, read.result) == ("spf", result.result.value)


ENORMOUS = {
    "one label after the other": b"v=spf1 a:" + b"x." * 8000 + b"com -all",
    "percent signs": b"v=spf1 exists:" + b"%" * 16_000 + b" -all",
    "unfinished macros": b"v=spf1 exists:" + b"%{" * 8000 + b" -all",
    "macros with long numbers": b"v=spf1 exists:" + b"%{l" + b"1" * 16_000 + b"}.com -all",
    "an explanation of dots": b"v=spf1 -all exp=" + b"." * 20_000 + b"com",
    "prefix length": b"v=spf1 ip4:192.0.2.0/" + b"9" * 16_000 + b" -all",
    "spaces": b"v=spf1" + b" " * 60_000 + b"-all",
}


@pytest.mark.parametrize("record", ENORMOUS.values(), ids=list(ENORMOUS))
async def test_an_enormous_record_is_an_error_of_its_domain(record: bytes) -> None:
    result = await judge(record)
    assert result.result == "permerror"
    assert str(MAX_RECORD) in result.finding.problem


def filled(head: bytes, unit: bytes, tail: bytes) -> bytes:
    """A record of just the size that is still read."""
    return head + unit * ((MAX_RECORD - len(head) - len(tail)) // len(unit)) + tail


LARGE = {
    "one label after the other": filled(b"v=spf1 a:", b"x.", b"com -all"),
    "literal percents": filled(b"v=spf1 exists:", b"%%", b".com -all"),
    "unfinished macros": filled(b"v=spf1 exists:", b"%{", b".com -all"),
    "the HELO name, encoded": filled(b"v=spf1 exists:", b"%{H}", b".com -all"),
    "the sender, reversed": filled(b"v=spf1 exists:", b"%{sr.}", b".com -all"),
    "the client's name": filled(b"v=spf1 exists:", b"%{p}", b".com -all"),
    "zeros in a macro": filled(b"v=spf1 exists:%{l", b"0", b"}.com -all"),
    "digits in a macro": filled(b"v=spf1 exists:%{l", b"9", b"}.com -all"),
    "digits in many macros": filled(b"v=spf1 exists:", b"%{l" + b"9" * 50, b".com -all"),
    "delimiters": filled(b"v=spf1 exists:%{l", b".-+,/_=", b"}.com -all"),
    "an explanation of dots": filled(b"v=spf1 -all exp=", b".", b"com"),
    "digits of a prefix": filled(b"v=spf1 ip4:192.0.2.0/", b"9", b" -all"),
    "slashes": filled(b"v=spf1 a:example.com", b"//1", b" -all"),
    "colons": filled(b"v=spf1 ip6:", b":", b" -all"),
    "groups": filled(b"v=spf1 ip6:", b"1:", b" -all"),
    "spaces": filled(b"v=spf1 ", b" ", b"-all"),
    "unknown modifiers": filled(b"v=spf1 ", b"m=%{d} ", b"-all"),
    "addresses": filled(b"v=spf1 ", b"ip4:1.2.3.4 ", b"-all"),
    "mechanisms that need a lookup": filled(b"v=spf1 ", b"a ", b"-all"),
}


async def test_of_a_term_without_end_little_is_kept() -> None:
    """A name that is too long loses labels, so that the record can include itself."""
    record = filled(b"v=spf1 include:", b"a" * 60 + b".", b"example.org -all")
    name = (record.split(b":")[1].split()[0][-254:]).partition(b".")[2].decode()
    finding = (await check({("example.org", "TXT"): [record], (name, "TXT"): [record]}))[0].finding
    assert (finding.result, len(finding.trail)) == ("permerror", 11)
    assert max(len(text) for step in finding.trail for text in step) <= MAX_SHOWN


@pytest.mark.parametrize("record", LARGE.values(), ids=list(LARGE))
async def test_a_large_record_is_read_in_bounded_time(record: bytes) -> None:
    helo = "%!".join("x" * 60 for _ in range(4))
    result = await judge(record, helo=helo, sender=f'"{"a." * 30}"@example.org')
    assert result.result in ("fail", "neutral", "permerror")


async def test_every_term_has_delimiters_of_its_own() -> None:
    """Each would be a regular expression to compile."""
    sets = [bytes(c for n, c in enumerate(b".-+,/_=") if mask >> n & 1) for mask in range(1, 128)]
    macros = b"".join(b"%{l" + one + b"}" for one in sets)
    result = await judge(b"v=spf1 exists:" + macros + b".com -all", sender="a.b-c+d@example.org")
    assert result.result == "fail"


ODD = {
    "no ASCII": b"v=spf1 a:b\xc3\xbccher.example -all",
    "stray octets": b"v=spf1 \xff\xfe -all",
    "NUL": b"v=spf1 a:exa\0mple.com -all",
    "CRLF": b"v=spf1 a:example.com\r\n -all",
    "line feed after a prefix": b"v=spf1 a/24\n -all",
    "tab between terms": b"v=spf1\tip4:192.0.2.1 -all",
    "tab in a term": b"v=spf1 ip4:192.0.2.1\t-all",
    "scoped address": b"v=spf1 ip6:fe80::1%eth0 -all",
    "zone index in an address": b"v=spf1 ip6:fe80::1%25 -all",
    "an address with zeros": b"v=spf1 ip4:192.0.2.001 -all",
    "a huge prefix": b"v=spf1 ip6:2001:db8::/129 -all",
    "a negative prefix": b"v=spf1 a/-1 -all",
    "empty qualifier": b"v=spf1 + -all",
    "colon alone": b"v=spf1 : -all",
    "equals alone": b"v=spf1 = -all",
    "percent alone": b"v=spf1 exists:% -all",
    "unknown macro": b"v=spf1 exists:%{z}.com -all",
    "macro of explanations": b"v=spf1 exists:%{c}.com -all",
    "explanation's own syntax": b"v=spf1 -all exp=%(foo",
    "empty redirect": b"v=spf1 redirect=",
    "two redirects": b"v=spf1 redirect=a.example redirect=b.example",
    "itself included": b"v=spf1 include:example.org -all",
    "itself redirected to": b"v=spf1 redirect=example.org",
    "itself by a macro": b"v=spf1 include:%{d} -all",
}


@pytest.mark.parametrize("record", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("ip", ["192.0.2.7", "2001:db8::7"])
async def test_an_odd_record_never_passes_and_never_raises(record: bytes, ip: str) -> None:
    result = await judge(record, ip=ip)
    assert result.result in ("permerror", "none")


CLIENTS = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "fe80::1%eth0", "::", "255.255.255.255"]
GREETINGS = ["", ".", "a..b", "[192.0.2.1]", "x" * 300, "\\", "a\\.b.example.org", "localhost", "%{d}.example.org", "-"]


@pytest.mark.parametrize("ip", CLIENTS)
@pytest.mark.parametrize("helo", GREETINGS)
async def test_any_client_may_say_anything_at_helo(ip: str, helo: str) -> None:
    for sender in ("", "ann@example.org"):
        table: Table = {("example.org", "TXT"): [b"v=spf1 exists:%{i}.%{h}.%{p}.%{l}.%{o}.%{v}.example.net -all"]}
        result, _ = await check(table, ip=ip, helo=helo, sender=sender)
        assert result.result in ("none", "fail")


SENDERS = [
    '"a@b"@example.org',
    '"a b"@example.org',
    '"\\\\"@example.org',
    "%{d}@example.org",
    "ü@example.org",
    f"{'a' * 64}@example.org",
    "@example.org",
    "a.b.c.d.e.f.g.h@example.org",
]


@pytest.mark.parametrize("sender", SENDERS)
async def test_any_local_part_stays_within_its_macro(sender: str) -> None:
    table: Table = {("example.org", "TXT"): [b"v=spf1 exists:%{l}._x.example.org -all"]}
    result, resolver = await check(table, sender=sender)
    assert result.result == "fail"
    assert result.domain == "example.org"
    assert all(name.endswith("example.org") for name, _ in resolver.asked if name != "mx")


@pytest.mark.parametrize(
    "domain",
    ["", "localhost", "com", "a..example.org", ".example.org", f"{'x' * 64}.org", "x." * 130 + "org", "exa\\mple.org"],
)
async def test_a_domain_that_cannot_be_asked_about_has_no_record(domain: str) -> None:
    result, resolver = await check({}, sender=f"ann@{domain}")
    assert result.result == "none"
    assert resolver.asked == []


async def test_an_explanation_is_never_fetched() -> None:
    table: Table = {
        ("example.org", "TXT"): [b"v=spf1 -all exp=why.example.org"],
        ("why.example.org", "TXT"): [b"see\r\n250 2.0.0 http://evil.example/%{s}"],
    }
    result, resolver = await check(table)
    assert result.result == "fail"
    assert ("why.example.org", "TXT") not in resolver.asked


async def test_a_tree_of_includes_ends_at_ten_lookups() -> None:
    bush: Table = {
        ("example.org", "TXT"): [b"v=spf1 " + b"include:a.example.org " * 50 + b"-all"],
        ("a.example.org", "TXT"): [b"v=spf1 " + b"include:b.example.org " * 50 + b"-all"],
        ("b.example.org", "TXT"): [b"v=spf1 " + b"a:c.example.org " * 50 + b"-all"],
        ("c.example.org", "A"): ["203.0.113.1"],
    }
    result, resolver = await check(bush)
    assert result.result == "permerror"
    assert len(resolver.asked) <= 11


async def test_a_forest_of_exchanges_costs_no_more_than_the_rfc_allows() -> None:
    exchanges = [(n, f"mx{n}.example.org") for n in range(10)]
    table: dict[Any, Any] = {("example.org", "TXT"): [b"v=spf1 " + b"mx " * 50 + b"-all"]}
    table |= {("example.org", "MX"): exchanges}
    table |= {(host, "A"): ["203.0.113.1"] for _, host in exchanges}
    result, resolver = await check(table)
    assert result.result == "permerror"
    assert len(resolver.asked) <= MAX_LOOKUPS + 10


async def test_a_client_with_a_thousand_names_costs_ten_lookups() -> None:
    names = [f"n{n}.example.net" for n in range(1000)]
    table: Table = {
        ("example.org", "TXT"): [b"v=spf1 ptr:example.net -all"],
        ("1.2.0.192.in-addr.arpa", "PTR"): names,
    }
    result, resolver = await check(table)
    assert result.result == "fail"
    assert len([name for name, _ in resolver.asked if name in names]) == 10


async def test_a_domain_whose_servers_are_silent_ends_at_the_deadline() -> None:
    table: Table = {
        ("example.org", "TXT"): [b"v=spf1 ptr:example.com a:b.example.org mx exists:%{p}.c.example.org -all"],
    }
    resolver = TableResolver(table, delay=1.5)
    check = SpfCheck(SpfSettings(deadline=1.0, helo_deadline=1.0), resolver=resolver)
    async with asyncio.timeout(3):
        result = await check(spf_subject(IP, "mail.example.net", "ann@example.org"))
    assert (result.result, result.helo.result) == ("temperror", "temperror")


@pytest.mark.parametrize("fault", [Status.SERVFAIL, Status.TIMEOUT])
@pytest.mark.parametrize("term", ["a", "mx", "exists:x.example.org", "include:x.example.org", "redirect=x.example.org"])
async def test_a_failing_lookup_is_never_no_record(term: str, fault: Status) -> None:
    host = "example.org" if term in ("a", "mx") else "x.example.org"
    table: dict[Any, Any] = {(host, rrtype): fault for rrtype in ("A", "MX", "TXT")}
    table["example.org", "TXT"] = [f"v=spf1 {term}{'' if '=' in term else ' +all'}".encode()]
    result, _ = await check(table)
    assert result.result == "temperror"


TERMS = st.text(st.characters(codec="latin-1"), max_size=40)
TOKENS = (
    "a mx ptr exists include ip4 ip6 all redirect exp v=spf1 : / // = % %{ } { l d p s r 0 9 999 . - + ~ ? "
    "example.com 192.0.2.0 2001:db8:: _spf \\ , \x00 \n \xff"
)
PARTS = st.sampled_from(TOKENS.split(" "))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(PARTS, PARTS, TERMS), max_size=30), st.sampled_from(["", " "]), st.sampled_from(CLIENTS))
def test_any_record_has_a_result(parts: list[str], glue: str, ip: str) -> None:
    record = ("v=spf1 " + glue.join(parts)).encode("latin-1")
    asyncio.run(judge(record, ip=ip))
