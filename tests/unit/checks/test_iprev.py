"""The reverse name check."""

import pytest

from gateway.authres.field import Property
from gateway.checks.base import Unavailable
from gateway.checks.iprev import FACTS, MAX_NAMES, IprevCheck, IprevResult, confirmed_name
from gateway.system.dns import Status
from tests.support.dnstable import Table, TableResolver
from tests.support.spfcase import spf_subject

IP = "192.0.2.1"
REVERSE = ("1.2.0.192.in-addr.arpa", "PTR")
REVERSE6 = ("1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa", "PTR")


async def check(table: Table, ip: str = IP) -> IprevResult:
    return await IprevCheck(TableResolver(table))(spf_subject(ip, "mail.example", ""))


CASES = {
    "a name leads back": ({REVERSE: ["a.example"], ("a.example", "A"): [IP]}, "pass", "a.example"),
    "the second name leads back": (
        {REVERSE: ["a.example", "B.example"], ("a.example", "A"): ["203.0.113.1"], ("b.example", "A"): [IP]},
        "pass",
        "b.example",
    ),
    "a name fails, another leads back": (
        {REVERSE: ["a.example", "b.example"], ("a.example", "A"): Status.SERVFAIL, ("b.example", "A"): [IP]},
        "pass",
        "b.example",
    ),
    "the name is another's": ({REVERSE: ["a.example"], ("a.example", "A"): ["203.0.113.1"]}, "fail", ""),
    "the name does not exist": ({REVERSE: ["a.example"]}, "fail", ""),
    "the name has no address of this version": ({REVERSE: ["a.example"], ("a.example", "AAAA"): ["::1"]}, "fail", ""),
    "the name is no host name": ({REVERSE: ["a b.example", "\\000.example", ""]}, "fail", ""),
    "there is no name": ({}, "permerror", ""),
    "there is no PTR record": ({REVERSE: []}, "permerror", ""),
    "reverse lookup fails": ({REVERSE: Status.SERVFAIL}, "temperror", ""),
    "reverse lookup is not answered": ({REVERSE: Status.TIMEOUT}, "temperror", ""),
    "forward lookup fails": ({REVERSE: ["a.example"], ("a.example", "A"): Status.TIMEOUT}, "temperror", ""),
}


@pytest.mark.parametrize(("table", "word", "name"), CASES.values(), ids=list(CASES))
async def test_the_result_is_that_of_rfc_8601(table: Table, word: str, name: str) -> None:
    result = await check(table)
    assert (result.result, result.name) == (word, name)
    assert result.facts() == {"iprev.result": word, "iprev.name": name}
    assert set(result.facts()) == {fact.name for fact in FACTS}
    (stated,) = result.authres()
    assert (stated.method, stated.result) == ("iprev", word)
    assert stated.properties == (Property("policy", "iprev", IP),)


async def test_ipv6_has_names_too_and_a_link_scope_is_not_part_of_them() -> None:
    table: Table = {REVERSE6: ["six.example"], ("six.example", "AAAA"): ["2001:DB8:0::1"]}
    assert (await check(table, ip="2001:db8::1")).name == "six.example"
    assert (await check(table, ip="2001:db8::1%eth0")).name == "six.example"


async def test_a_mapped_address_has_the_names_of_the_ipv4_address() -> None:
    table: Table = {REVERSE: ["a.example"], ("a.example", "A"): [IP]}
    assert (await check(table, ip="::ffff:192.0.2.1")).name == "a.example"


async def test_only_so_many_names_are_looked_up() -> None:
    resolver = TableResolver({REVERSE: [f"n{number}.example" for number in range(1000)]})
    result = await IprevCheck(resolver)(spf_subject(IP, "mail.example", ""))
    assert result.result == "fail"
    assert len(resolver.asked) == 1 + MAX_NAMES


async def test_the_confirmed_name_is_found_among_all_results() -> None:
    passing = await check({REVERSE: ["a.example"], ("a.example", "A"): [IP]})
    failing = await check({REVERSE: ["a.example"]})
    assert confirmed_name({"iprev": passing}) == "a.example"
    assert confirmed_name({"iprev": failing}) == ""
    assert confirmed_name({"iprev": Unavailable(check="iprev", reason="late")}) == ""
    assert confirmed_name({}) == ""


async def test_a_client_that_comes_again_has_its_name_still() -> None:
    check_again = IprevCheck(TableResolver({REVERSE: ["a.example"], ("a.example", "A"): [IP]}, warm=True))
    results = [await check_again(spf_subject(IP, "mail.example", "")) for _ in range(2)]
    assert [result.name for result in results] == ["a.example", "a.example"]
    assert (await check_again(spf_subject("192.0.2.2", "mail.example", ""))).result == "permerror"


async def test_what_was_found_of_a_client_is_known_of_it_and_of_no_other() -> None:
    check_again = IprevCheck(TableResolver({REVERSE: ["a.example"], ("a.example", "A"): [IP]}, warm=True))
    assert check_again.known(spf_subject(IP, "mail.example", "")) is None
    found = await check_again(spf_subject(IP, "mail.example", ""))
    for same in (IP, f"::ffff:{IP}"):
        assert check_again.known(spf_subject(same, "mail.example", "")) is found
    for other in ("192.0.2.2", "c000:201::"):  # the latter begins with the same octets
        assert check_again.known(spf_subject(other, "mail.example", "")) is None
