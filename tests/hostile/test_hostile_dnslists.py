"""DNS lists that lie, and clients with names that are made to be asked for: nobody is refused for it."""

import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.field import AuthenticationResults, build, parse
from gateway.checks.dnslists import DnsListSettings, DnsListsResult, ListsWord, address_lists, domain_lists
from gateway.checks.dnslists.judge import believed, judge
from gateway.system.dns import Answer, DnsResolver, DnsSettings, Status
from tests.support.breakouts import BREAKOUTS
from tests.support.dnsserver import DnsServer
from tests.support.spfcase import spf_subject

BLOCK = DnsListSettings(zone="block.example")
ALLOW = DnsListSettings.model_validate({"zone": "allow.example", "kind": "allow", "listed": ["127.0.0.[2..254]"]})
ENTRY, CONTROL = "7.2.0.192.block.example", "1.0.0.127.block.example"

octet = st.integers(0, 255)
anywhere = st.builds("{}.{}.{}.{}".format, octet, octet, octet, octet)
nearby = st.builds("127.{}.{}.{}".format, st.sampled_from([0, 255]), st.sampled_from([0, 1, 255]), octet)
answers = st.lists(anywhere | nearby, max_size=5).map(tuple)


@given(answers, answers)
def test_no_answer_but_a_clean_one_lists_anybody(found: tuple[str, ...], control: tuple[str, ...]) -> None:
    listing = believed(judge("a", BLOCK, Answer(Status.OK, found)), Answer(Status.OK, control))
    if listing.status == "listed":
        assert listing.codes
        assert control == ()
        assert all(code.startswith("127.") and not code.startswith("127.255.255.") for code in found)
        assert all(code.startswith("127.0.0.") and 2 <= int(code.rpartition(".")[2]) <= 254 for code in listing.codes)


async def word_of(table: dict[Any, Any], *, settings: DnsListSettings = BLOCK) -> DnsListsResult:
    """What a list says, asked over the network."""
    async with DnsServer(table) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,), timeout=0.5, tries=1))
        try:
            [check] = address_lists({"a": settings}, resolver=resolver)
            return await check(spf_subject("192.0.2.7", "mail.sender.example", ""))
        finally:
            await resolver.close()


ALIASES = {
    "to an address": ({(ENTRY, "CNAME"): ["parked.example"], ("parked.example", "A"): ["203.0.113.80"]}, "permerror"),
    "to itself": ({(ENTRY, "CNAME"): [ENTRY]}, "temperror"),
    "to a listing": ({(ENTRY, "CNAME"): ["elsewhere.example"], ("elsewhere.example", "A"): ["127.0.0.2"]}, "blocked"),
    "to nothing": ({(ENTRY, "CNAME"): ["nowhere.example"]}, "none"),
    "the control too": (
        {(name, "CNAME"): ["elsewhere.example"] for name in (ENTRY, CONTROL)}
        | {("elsewhere.example", "A"): ["127.0.0.2"]},
        "permerror",
    ),
}


@pytest.mark.parametrize(("table", "word"), ALIASES.values(), ids=list(ALIASES))
async def test_aliases_lead_to_answers_that_are_judged_as_any(table: dict[Any, Any], word: str) -> None:
    assert (await word_of(table)).result == word


async def test_thousands_of_answers_are_one_listing() -> None:
    flood = [f"127.0.{third}.{fourth}" for third in range(1, 12) for fourth in range(2, 255)]
    result = await word_of({(ENTRY, "A"): ["127.0.0.2", *flood]})
    assert (result.result, result.facts()["dnslists.listings"]) == ("blocked", ("a:127.0.0.2",))


@pytest.mark.parametrize("name", [*BREAKOUTS, "block.example", "a." * 126 + "b", "x" * 63 + ".example", "0x7f.1"])
async def test_whatever_a_client_calls_itself_there_is_an_answer(name: str) -> None:
    lists = {
        about: DnsListSettings.model_validate({"zone": "names.example", "about": about}) for about in ("helo", "sender")
    }
    async with DnsServer({("names.example", "TXT"): [b"a list"]}) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,), timeout=0.5, tries=1))
        try:
            [check] = domain_lists(lists, resolver=resolver)
            result = await check(spf_subject("192.0.2.7", name, f"a@{name}"))
        finally:
            await resolver.close()
        assert result.result == ListsWord.NONE
        assert all(asked.endswith(".names.example") for asked, _, _ in server.asked)


PARSE = r"""
use Mail::SpamAssassin::Plugin::AuthRes;
my $plugin = bless {}, "Mail::SpamAssassin::Plugin::AuthRes";
local $/;
my $pms = {conf => {authres_trusted_authserv => {"mx.example.org" => 1}, authres_ignored_authserv => {}}};
eval { $plugin->parse_authres($pms, "Authentication-Results", <STDIN>); 1 } or print "refused: $@";
print join(" ", map { $_->{result} } @{$pms->{authres_parsed}->{dnswl}});
"""


@pytest.mark.spamd
@pytest.mark.parametrize(
    ("records", "word"),
    [
        (["127.0.0.2"], "pass"),
        (["127.0.0.2", "127.0.0.3"], "pass"),
        ([], "none"),
        (["127.255.255.254"], "permerror"),
        (["203.0.113.80"], "permerror"),
    ],
)
async def test_spamassassin_reads_what_an_allow_list_said(records: list[str], word: str) -> None:
    if shutil.which("spamd") is None:
        pytest.skip("SpamAssassin is not installed")
    result = await word_of({("7.2.0.192.allow.example", "A"): records}, settings=ALLOW)
    stated = AuthenticationResults("mx.example.org", result.authres())
    assert parse(build(stated)) == stated
    value = build(stated).replace(b"\r\n", b"").partition(b":")[2].strip()
    run = subprocess.run(["perl", "-e", PARSE], input=value, capture_output=True, check=True)
    assert run.stdout.decode() == word
