"""A finding is told again to the clients for which it holds, and to no others."""

from ipaddress import ip_network
from random import Random

import pytest

from gateway.checks.spf import SpfCheck, SpfResult, SpfSettings
from gateway.connection import Role
from gateway.system.dns import Answer, Status
from tests.support.dnstable import Table, TableResolver
from tests.support.spfcase import spf_subject

RECORDS, CLIENTS = 40, 60
PLACES = {"ip4": ("A", ip_network("192.0.2.0/23", strict=False)), "ip6": ("AAAA", ip_network("2001:db8::/32"))}
ZONE: Table = {
    ("four.example", "A"): ["192.0.2.1"],
    ("six.example", "AAAA"): ["2001:db8::1"],
    ("192.0.2.1.d.example", "A"): ["127.0.0.2"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["four.example"],
    ("include.example", "TXT"): [b"v=spf1 ip4:192.0.2.0/24 -all"],
}


def checking(table: Table) -> SpfCheck:
    return SpfCheck(SpfSettings(), resolver=TableResolver(table, warm=True))


async def ask(check: SpfCheck, ip: str) -> SpfResult:
    return await check(spf_subject(ip, "mail", "ann@d.example"))


@pytest.mark.parametrize(
    ("record", "first", "second"),
    [
        (b"v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.1", "192.0.2.200"),
        (b"v=spf1 ip4:192.0.2.0/24 -all", "203.0.113.1", "203.0.113.2"),
        (b"v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "2001:db8:ffff::1"),
        (b"v=spf1 a:four.example include:include.example -all", "203.0.113.1", "203.99.0.1"),
        (b"v=spf1 +all", "192.0.2.1", "203.0.113.1"),
        (b"v=spf1 broken", "192.0.2.1", "203.0.113.1"),
    ],
)
async def test_a_client_that_no_term_tells_from_another_is_not_evaluated(
    record: bytes, first: str, second: str
) -> None:
    check = checking({**ZONE, ("d.example", "TXT"): [record]})
    finding = (await ask(check, first)).finding
    assert (await ask(check, second)).finding is finding


@pytest.mark.parametrize(
    ("record", "first", "second"),
    [
        (b"v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.1", "192.0.3.1"),
        (b"v=spf1 -ip4:192.0.2.7 +all", "192.0.2.6", "192.0.2.7"),
        (b"v=spf1 ip4:192.0.2.0/25 -all", "192.0.2.127", "192.0.2.128"),
        (b"v=spf1 ip4:192.0.3.0/24 -all", "192.0.2.1", "192.0.3.1"),
        (b"v=spf1 ip6:2001:db8:0:1::/64 -all", "2001:db8::1", "2001:db8:0:1::1"),
        (b"v=spf1 ip6:2001:db8::/127 -all", "2001:db8::1", "2001:db8::2"),
        (b"v=spf1 a:four.example -all", "192.0.2.1", "192.0.2.2"),
        (b"v=spf1 a:six.example -all", "2001:db8::1", "2001:db8::2"),
        (b"v=spf1 include:include.example -all", "192.0.3.1", "192.0.2.1"),
        (b"v=spf1 ip4:192.0.2.1 -all", "2001:db8::1", "192.0.2.1"),
        (b"v=spf1 ip4:0.0.0.0/0 -all", "192.0.2.1", "2001:db8::1"),
        (b"v=spf1 exists:%{i}.d.example -all", "192.0.2.2", "192.0.2.1"),
        (b"v=spf1 ptr:four.example -all", "192.0.2.2", "192.0.2.1"),
    ],
)
async def test_a_client_that_a_term_tells_from_another_is(record: bytes, first: str, second: str) -> None:
    for one, other in ((first, second), (second, first)):
        check = checking({**ZONE, ("d.example", "TXT"): [record]})
        assert (await ask(check, one)).result != (await ask(check, other)).result


TWO_NAMES: Table = {
    ("d.example", "TXT"): [b"v=spf1 ip4:192.0.2.0/24 -all"],
    ("other.example", "TXT"): [b"v=spf1 ?all"],
    ("mail.example", "TXT"): [b"v=spf1 ip4:192.0.2.1 ~all"],
}


async def test_a_client_that_comes_with_the_same_names_is_told_the_same_result() -> None:
    check = checking(TWO_NAMES)
    subject = spf_subject("192.0.2.1", "mail.example", "ann@d.example")
    first, second = check.known(subject), check.known(subject)
    assert check.known(subject) is second
    assert first == second == await check(subject)
    assert check.known(spf_subject("192.0.2.1", "mail.example", "bob@d.example")) is second


@pytest.mark.parametrize(
    ("ip", "helo", "sender", "role"),
    [
        ("192.0.2.2", "mail.example", "ann@d.example", Role.STRANGER),
        ("203.0.113.1", "mail.example", "ann@d.example", Role.STRANGER),
        ("192.0.2.1", "d.example", "ann@d.example", Role.STRANGER),
        ("192.0.2.1", "mail.example", "ann@other.example", Role.STRANGER),
        ("192.0.2.1", "mail.example", "", Role.STRANGER),
        ("192.0.2.1", "mail.example", "ann@d.example", Role.RELAY),
    ],
)
def test_one_that_comes_with_others_or_is_another_is_told_its_own(ip: str, helo: str, sender: str, role: Role) -> None:
    check, other = checking(TWO_NAMES), spf_subject(ip, helo, sender, role=role)
    known = [check.known(spf_subject("192.0.2.1", "mail.example", "ann@d.example")) for _ in range(3)]
    assert check.known(other) == check.known(other) == checking(TWO_NAMES).known(other)
    assert check.known(other) not in known


def test_a_result_is_told_until_one_of_the_records_changes() -> None:
    records = {"d.example": b"v=spf1 +all", "mail.example": b"v=spf1 -all"}

    class Changing(TableResolver):
        def cached(self, name: str, rrtype: str) -> Answer:
            return self._answers.setdefault((name, rrtype), Answer(Status.OK, (records[name],), 300))

        def change(self, name: str, record: bytes) -> None:
            records[name] = record
            del self._answers[name, "TXT"]

    resolver = Changing({})
    check = SpfCheck(SpfSettings(), resolver=resolver)

    def words() -> list[tuple[str, str]]:
        found = [check.known(spf_subject("192.0.2.1", "mail.example", "ann@d.example")) for _ in range(3)]
        return [(one.result, one.helo.result) for one in found if one]

    assert words() == [("pass", "fail")] * 3
    resolver.change("mail.example", b"v=spf1 ~all")
    assert words() == [("pass", "softfail")] * 3
    resolver.change("d.example", b"v=spf1 ?all")
    assert words() == [("neutral", "softfail")] * 3


@pytest.mark.parametrize("version", PLACES)
async def test_whatever_is_known_each_client_is_told_what_it_alone_would_be(version: str) -> None:
    pick = Random(version)
    rrtype, network = PLACES[version]
    width = network.max_prefixlen

    def address() -> str:
        return str(network[pick.choice([0, 1, 2, 127, 128, 255, 256, pick.randrange(512)])])

    def a_network() -> str:
        return f"{pick.choice('+-~?')}{version}:{address()}/{width - pick.choice([0, 1, 4, 8])}"

    for _ in range(RECORDS):
        terms = [a_network(), a_network(), pick.choice(["a", "-a", "a:missing.example"]), "include:i.example"]
        pick.shuffle(terms)
        table: Table = {
            ("d.example", "TXT"): [f"v=spf1 {' '.join(terms)} {pick.choice(['-all', '+all', ''])}".encode()],
            ("i.example", "TXT"): [f"v=spf1 {a_network()} -all".encode()],
            ("d.example", rrtype): [address(), address()],
        }
        knowing = checking(table)
        for client in [address() for _ in range(CLIENTS)]:
            assert await ask(knowing, client) == await ask(checking(table), client), (table, client)
