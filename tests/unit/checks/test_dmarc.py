"""DMARC end to end, on zones in a table: the tree walk, alignment, the policy that applies, and what fails for now."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.author import Author
from gateway.authres.field import AuthenticationResults, build, clean_value
from gateway.checks.base import Subject, Unavailable
from gateway.checks.dkim.canonical import BodyHash, BodyPlan, Canon
from gateway.checks.dkim.key import Algorithm
from gateway.checks.dkim.result import DkimResult, DkimSignatureResult
from gateway.checks.dkim.signature import Claim, Seal, Signature
from gateway.checks.dkim.status import Status as DkimStatus
from gateway.checks.dmarc.alignment import Identifier, Mechanism
from gateway.checks.dmarc.check import DmarcCheck, evaluate
from gateway.checks.dmarc.identifiers import identifiers
from gateway.checks.dmarc.lookup import walk
from gateway.checks.dmarc.record import Policy
from gateway.checks.dmarc.result import FACTS, DmarcResult, Status
from gateway.checks.dmarc.tree import MAX_QUERIES, path
from gateway.checks.spf.result import Finding, SpfIdentity, SpfResult, SpfWord
from gateway.message import Field
from gateway.system.dns import Answer
from gateway.system.dns import Status as Dns
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of

Records = dict[str, bytes | Dns]

PATIENCE = 20.0  # seconds; where names are silent it is given anew


def resolver(records: Records, **others: Any) -> TableResolver:
    """A DNS with policy records at these domains, and with addresses at others: resolver({"example.org": b"v=..."})."""
    table: dict[tuple[str, str], Any] = {
        (f"_dmarc.{name}", "TXT"): value if isinstance(value, Dns) else [value] for name, value in records.items()
    }
    return TableResolver(table | {(name.replace("_", "."), "A"): value for name, value in others.items()})


def dkim(domain: str, word: str = "pass") -> Identifier:
    return Identifier(Mechanism.DKIM, domain, word)


def spf(domain: str, word: str = "pass") -> Identifier:
    return Identifier(Mechanism.SPF, domain, word)


REJECT = b"v=DMARC1; p=reject"


async def test_no_record_is_none() -> None:
    assert await evaluate(resolver({}), "example.org", [dkim("example.org")]) == DmarcResult(Status.NONE, "example.org")


@pytest.mark.parametrize(
    "found", [dkim("example.org"), spf("example.org"), dkim("a.example.org"), spf("a.example.org")]
)
async def test_aligned_identifier_passes(found: Identifier) -> None:
    result = await evaluate(resolver({"example.org": REJECT}), "example.org", [dkim("other.example"), found])
    assert result == DmarcResult(
        Status.PASS,
        "example.org",
        domain="example.org",
        policy=Policy.REJECT,
        published=Policy.REJECT,
        aligned=(found.mechanism,),
    )


@pytest.mark.parametrize(
    "domain", ["example.net", "evilexample.org", "example.org.evil.example", "org", "xn--example.org"]
)
async def test_other_identifier_fails(domain: str) -> None:
    result = await evaluate(resolver({"example.org": REJECT}), "example.org", [dkim(domain), spf(domain)])
    assert (result.result, result.policy, result.aligned) == (Status.FAIL, Policy.REJECT, ())


async def test_two_domains_of_one_public_suffix_are_not_aligned() -> None:
    zone: Records = {"bank.co.uk": REJECT, "evil.co.uk": b"v=DMARC1; p=none"}
    assert (await evaluate(resolver(zone), "bank.co.uk", [dkim("evil.co.uk")])).result is Status.FAIL


@pytest.mark.parametrize(
    ("record", "found", "result"),
    [
        (b"v=DMARC1; p=reject; adkim=s", dkim("a.example.org"), Status.FAIL),
        (b"v=DMARC1; p=reject; adkim=s", dkim("example.org"), Status.PASS),
        (b"v=DMARC1; p=reject; adkim=s", spf("a.example.org"), Status.PASS),
        (b"v=DMARC1; p=reject; aspf=s", spf("a.example.org"), Status.FAIL),
        (b"v=DMARC1; p=reject; aspf=s", spf("example.org"), Status.PASS),
    ],
)
async def test_strict_alignment_asks_for_the_same_domain(record: bytes, found: Identifier, result: Status) -> None:
    assert (await evaluate(resolver({"example.org": record}), "example.org", [found])).result is result


class TestWalk:
    """RFC 9989 section 4.10."""

    def test_long_name_is_cut_to_seven_labels(self) -> None:
        assert path("a.b.c.d.e.f.g.h.i.j.mail.example.com") == (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "g.h.i.j.mail.example.com",
            "h.i.j.mail.example.com",
            "i.j.mail.example.com",
            "j.mail.example.com",
            "mail.example.com",
            "example.com",
            "com",
        )

    @pytest.mark.parametrize("labels", range(1, 127))
    def test_no_name_costs_more_than_eight_queries(self, labels: int) -> None:
        names = path(".".join("a" * labels))
        assert len(names) == min(labels, MAX_QUERIES)
        assert len(set(names)) == len(names)

    @pytest.mark.parametrize(
        ("records", "domain"),
        [
            ({}, "a.mail.example.com"),
            ({"mail.example.com": REJECT, "example.com": REJECT}, "example.com"),
            ({"mail.example.com": b"v=DMARC1; p=none; psd=n", "example.com": REJECT}, "mail.example.com"),
            ({"com": b"v=DMARC1; p=none; psd=y"}, "example.com"),
            ({"example.com": b"v=DMARC1; p=none; psd=y", "com": REJECT}, "mail.example.com"),
            ({"a.mail.example.com": b"v=DMARC1; p=none; psd=y"}, "a.mail.example.com"),
            ({"a.mail.example.com": b"v=DMARC1; p=none; psd=u", "com": REJECT}, "com"),
            ({"example.com": Dns.SERVFAIL}, None),
        ],
    )
    async def test_organizational_domain(self, records: Records, domain: str | None) -> None:
        found = await walk(resolver(records), path("a.mail.example.com"))
        assert found.organizational_domain == domain

    async def test_psd_ends_the_walk(self) -> None:
        dns = resolver({"example.com": b"v=DMARC1; p=none; psd=n"})
        await walk(dns, path("a.example.com"))
        assert [name for name, _ in dns.asked] == ["_dmarc.a.example.com", "_dmarc.example.com"]

    async def test_several_records_are_discarded_and_the_walk_goes_on(self) -> None:
        dns = TableResolver(
            {("_dmarc.a.example.org", "TXT"): [REJECT, REJECT], ("_dmarc.example.org", "TXT"): [b"v=DMARC1; p=none"]}
        )
        result = await evaluate(dns, "a.example.org", [])
        assert (result.result, result.policy, result.domain) == (Status.FAIL, Policy.NONE, "example.org")


class TestPolicy:
    """RFC 9989 section 4.10.1."""

    RECORD = b"v=DMARC1; p=reject; sp=quarantine; np=none"

    @pytest.mark.parametrize(
        ("author", "policy"),
        [
            ("example.org", Policy.REJECT),
            ("there.example.org", Policy.QUARANTINE),
            ("gone.example.org", Policy.NONE),
            ("deep.gone.example.org", Policy.NONE),
        ],
    )
    async def test_policy_depends_on_where_the_author_is(self, author: str, policy: Policy) -> None:
        dns = resolver({"example.org": self.RECORD}, there_example_org=["192.0.2.1"])
        assert (await evaluate(dns, author, [])).policy is policy

    async def test_own_record_counts_before_that_of_the_organization(self) -> None:
        dns = resolver({"example.org": REJECT, "a.example.org": b"v=DMARC1; p=none"})
        result = await evaluate(dns, "a.example.org", [])
        assert (result.policy, result.domain) == (Policy.NONE, "a.example.org")

    async def test_public_suffix_counts_where_the_organization_has_no_record(self) -> None:
        dns = resolver({"bank.example": b"v=DMARC1; p=none; sp=reject; psd=y"})
        result = await evaluate(dns, "new.bank.example", [dkim("other.bank.example")])
        assert (result.result, result.policy, result.domain) == (Status.FAIL, Policy.REJECT, "bank.example")

    @pytest.mark.parametrize(
        ("asked", "softened"), [("reject", Policy.QUARANTINE), ("quarantine", Policy.NONE), ("none", Policy.NONE)]
    )
    async def test_policy_under_test_is_one_level_below(self, asked: str, softened: Policy) -> None:
        dns = resolver({"example.org": f"v=DMARC1; p={asked}; t=y".encode()})
        result = await evaluate(dns, "example.org", [])
        assert (result.result, result.policy, result.testing) == (Status.FAIL, softened, True)

    async def test_record_without_any_valid_policy_does_not_apply(self) -> None:
        result = await evaluate(resolver({"example.org": b"v=DMARC1; p=x"}), "example.org", [dkim("example.org")])
        assert (result.result, result.policy, result.domain) == (Status.NONE, None, "")

    async def test_existence_is_not_asked_for_where_it_changes_nothing(self) -> None:
        dns = resolver({"example.org": b"v=DMARC1; p=reject; sp=none; np=none"})
        assert (await evaluate(dns, "a.example.org", [])).policy is Policy.NONE
        assert {rrtype for _, rrtype in dns.asked} == {"TXT"}


class TestForNow:
    """What a later try could change (RFC 9989 section 5.3.6)."""

    @pytest.mark.parametrize("status", [Dns.SERVFAIL, Dns.TIMEOUT])
    @pytest.mark.parametrize("broken", ["a.example.org", "example.org", "org"])
    async def test_policy_that_cannot_be_looked_up(self, status: Dns, broken: str) -> None:
        result = await evaluate(resolver({broken: status}), "a.example.org", [dkim("a.example.org")])
        assert (result.result, result.policy) == (Status.TEMPERROR, None)

    @pytest.mark.parametrize(
        ("records", "author", "policy", "publisher"),
        [
            (
                {"lame.bank.example": Dns.SERVFAIL, "bank.example": REJECT},
                "lame.bank.example",
                "reject",
                "bank.example",
            ),
            ({"bank.example": REJECT, "example": Dns.TIMEOUT}, "a.bank.example", "reject", "bank.example"),
            (
                {"lame.bank.example": Dns.TIMEOUT, "bank.example": b"v=DMARC1; p=reject; sp=quarantine"},
                "a.lame.bank.example",
                "quarantine",
                "bank.example",
            ),
            (
                {"lame.bank.example": Dns.SERVFAIL, "bank.example": b"v=DMARC1; p=reject; t=y"},
                "lame.bank.example",
                "quarantine",
                "bank.example",
            ),
            (
                {"a.b.example": Dns.SERVFAIL, "b.example": b"v=DMARC1; p=reject; psd=n", "example": REJECT},
                "a.b.example",
                "reject",
                "b.example",
            ),
            (
                {"a.bank.example": Dns.SERVFAIL, "bank.example": b"v=DMARC1; p=none; sp=reject; psd=y"},
                "a.bank.example",
                "reject",
                "bank.example",
            ),
        ],
    )
    async def test_policy_above_a_name_that_cannot_be_looked_up_is_known(
        self, records: Records, author: str, policy: str, publisher: str
    ) -> None:
        result = await evaluate(resolver(records), author, [dkim("evil.example")])
        assert (result.result, result.policy, result.domain) == (Status.TEMPERROR, policy, publisher)
        assert result.aligned == ()

    @pytest.mark.parametrize("found", [dkim("lame.bank.example"), dkim("bank.example"), spf("a.bank.example")])
    async def test_what_is_aligned_by_the_policy_above_is_told_though_it_is_no_pass(self, found: Identifier) -> None:
        dns = resolver({"lame.bank.example": Dns.SERVFAIL, "bank.example": REJECT})
        result = await evaluate(dns, "lame.bank.example", [found, dkim("evil.example")])
        assert (result.result, result.policy, result.aligned) == (
            Status.TEMPERROR,
            Policy.REJECT,
            (found.mechanism,),
        )

    async def test_record_above_without_a_valid_policy_does_not_settle_it(self) -> None:
        dns = resolver({"lame.bank.example": Dns.SERVFAIL, "bank.example": b"v=DMARC1; p=x"})
        result = await evaluate(dns, "lame.bank.example", [])
        assert (result.result, result.policy) == (Status.TEMPERROR, None)

    @pytest.mark.parametrize(
        ("record", "policy"),
        [
            (b"v=DMARC1; p=reject; np=none", "none"),
            (b"v=DMARC1; p=none; np=reject", "none"),
            (b"v=DMARC1; p=reject; sp=quarantine; np=reject", "quarantine"),
        ],
    )
    async def test_the_milder_policy_counts_while_existence_is_not_known(self, record: bytes, policy: str) -> None:
        dns = resolver({"lame.bank.example": Dns.SERVFAIL, "bank.example": record}, lame_bank_example=Dns.SERVFAIL)
        assert (await evaluate(dns, "lame.bank.example", [])).policy == policy

    async def test_names_that_fail_cost_no_more_than_a_walk(self) -> None:
        labels = [".".join("abcdefghijk"[cut:]) for cut in range(11)]
        dns = resolver(dict.fromkeys(labels, Dns.SERVFAIL))
        await evaluate(dns, labels[0], [])
        assert len(dns.asked) == MAX_QUERIES

    async def test_lookups_that_nothing_hangs_on_do_no_harm(self) -> None:
        dns = resolver({"example.org": REJECT, "org": Dns.SERVFAIL})
        assert (await evaluate(dns, "example.org", [dkim("example.org")])).result is Status.PASS
        assert (await evaluate(dns, "example.org", [])).result is Status.FAIL

    async def test_organizational_domain_that_cannot_be_found(self) -> None:
        dns = resolver({"example.org": REJECT, "a.example.org": Dns.SERVFAIL})
        assert (await evaluate(dns, "example.org", [dkim("a.example.org")])).result is Status.TEMPERROR
        assert (await evaluate(dns, "example.org", [dkim("a.example.org"), spf("example.org")])).result is Status.PASS

    async def test_existence_that_cannot_be_found(self) -> None:
        dns = resolver({"example.org": b"v=DMARC1; p=reject; np=none"}, a_example_org=Dns.TIMEOUT)
        assert (await evaluate(dns, "a.example.org", [])).result is Status.TEMPERROR
        assert (await evaluate(dns, "a.example.org", [dkim("a.example.org")])).result is Status.PASS

    async def test_identifier_that_would_be_aligned_could_not_be_checked(self) -> None:
        dns = resolver({"example.org": REJECT})
        for found in (dkim("example.org", "temperror"), spf("a.example.org", "temperror")):
            assert (await evaluate(dns, "example.org", [found])).result is Status.TEMPERROR
            assert (await evaluate(dns, "example.org", [found, dkim("example.org")])).result is Status.PASS

    async def test_signature_of_a_broken_foreign_domain_does_not_turn_a_fail_into_a_temperror(self) -> None:
        dns = resolver({"example.org": REJECT, "evil.example": Dns.SERVFAIL})
        found = [dkim("evil.example", "temperror"), spf("evil.example", "temperror"), dkim("evil.example")]
        assert (await evaluate(dns, "example.org", found)).result is Status.FAIL
        assert not any("evil" in name for name, _ in dns.asked)


async def test_common_case_costs_one_query() -> None:
    dns = resolver({"example.org": REJECT})
    await evaluate(dns, "example.org", [dkim("example.org"), spf("example.org"), dkim("mailer.example")])
    assert len(dns.asked) <= 2 + len(path("example.org"))
    dns = resolver({"example.org": REJECT})
    await evaluate(dns, "example.org", [dkim("example.org"), spf("example.org")])
    assert dns.asked == [("_dmarc.example.org", "TXT")]


class Cache(dict[tuple[str, str], Answer]):
    """A Resolver that has these answers in its cache; all else is not there."""

    def cached(self, name: str, rrtype: str) -> Answer:
        return self.get((name, rrtype), NOTHING)

    async def query(self, name: str, rrtype: str) -> Answer:
        raise AssertionError(f"{rrtype} of {name} was asked for")


NOTHING = Answer(Dns.NXDOMAIN, (), 60.0)


async def test_what_was_concluded_holds_for_the_same_findings_and_until_the_record_changes() -> None:
    dns = Cache({("_dmarc.example.org", "TXT"): Answer(Dns.OK, (REJECT,), 60.0)})
    check = DmarcCheck(dns, patience=PATIENCE)
    subject = subject_with(dkim=DkimResult(signatures=(signature("example.org", DkimStatus.PASS),)))
    assert check.known(subject) is None
    first = await check(subject)
    assert first.result is Status.PASS
    assert await check(subject) is check.known(subject) is first
    assert (await check(subject_with())).result is Status.FAIL
    assert (await check(subject)).policy is Policy.REJECT
    dns["_dmarc.example.org", "TXT"] = Answer(Dns.OK, (b"v=DMARC1; p=none",), 60.0)
    assert (await check(subject)).policy is Policy.NONE


async def test_what_is_concluded_is_told_with_why_spf_was_not_asked_of_each_message_alone() -> None:
    check = DmarcCheck(Cache({("_dmarc.example.org", "TXT"): Answer(Dns.OK, (REJECT,), 60.0)}), patience=PATIENCE)
    nothing = Finding(result=SpfWord.NONE)
    asked = SpfResult(identity=SpfIdentity.MAILFROM, finding=nothing, helo=nothing)
    for why in ("a partner of ours", "", "one of our networks"):
        subject = subject_with(spf=replace(asked, skipped=why))
        assert (await check(subject)).spf_skipped == why


SEVERAL = "the From field names several domains"
OF_TWO = b"From: a@example.org, b@example.net\r\n\r\n"


async def asked_about(octets: bytes, records: Records, *found: Identifier) -> DmarcResult:
    """The check's result, with DKIM passing for the domains of `found`."""
    signatures = tuple(signature(one.domain, DkimStatus.PASS) for one in found)
    subject = replace(subject_of(octets), results={"dkim": DkimResult(signatures=signatures, count=len(signatures))})
    return await DmarcCheck(resolver(records), patience=PATIENCE)(subject)


class TestSeveralAuthorDomains:
    """RFC 9989 sections 5.3.1 and 11.5."""

    async def test_without_a_policy_that_is_broken_it_is_a_permerror(self) -> None:
        assert await asked_about(OF_TWO, {}) == DmarcResult(Status.PERMERROR, reason=SEVERAL)

    async def test_it_is_no_pass_even_where_each_domain_vouches(self) -> None:
        zone: Records = {"example.org": REJECT, "example.net": REJECT}
        result = await asked_about(OF_TWO, zone, dkim("example.org"), dkim("example.net"))
        assert result == DmarcResult(Status.PERMERROR, reason=SEVERAL)

    @pytest.mark.parametrize(
        ("records", "author", "policy"),
        [
            ({"example.org": REJECT}, "example.org", Policy.REJECT),
            ({"example.net": REJECT}, "example.net", Policy.REJECT),
            (
                {"example.org": b"v=DMARC1; p=none", "example.net": b"v=DMARC1; p=quarantine"},
                "example.net",
                Policy.QUARANTINE,
            ),
            ({"example.org": b"v=DMARC1; p=quarantine", "example.net": REJECT}, "example.net", Policy.REJECT),
        ],
    )
    async def test_strictest_policy_that_is_broken_applies(self, records: Records, author: str, policy: Policy) -> None:
        result = await asked_about(OF_TWO, records)
        assert (result.result, result.from_domain, result.policy) == (Status.FAIL, author, policy)
        assert result.reason.startswith(SEVERAL)
        assert clean_value(result.reason) == result.reason

    async def test_domain_that_vouches_does_not_save_another(self) -> None:
        zone: Records = {"example.org": REJECT, "example.net": REJECT}
        result = await asked_about(OF_TWO, zone, dkim("example.net"))
        assert (result.result, result.from_domain, result.aligned) == (Status.FAIL, "example.org", ())

    async def test_fail_outweighs_what_could_not_be_looked_up(self) -> None:
        result = await asked_about(OF_TWO, {"example.org": Dns.SERVFAIL, "example.net": b"v=DMARC1; p=none"})
        assert (result.result, result.from_domain) == (Status.FAIL, "example.net")
        assert (await asked_about(OF_TWO, {"example.org": Dns.SERVFAIL})).result is Status.TEMPERROR

    @pytest.mark.parametrize(
        "header",
        [
            b"From: a@example.net\r\nFrom: a@example.org\r\n",
            b"From: a@example.org <a@example.net>\r\n",
            b"From: Public, Bob <bob@example.org>\r\n",
            b"From: =?utf-8?q?bob=40example.org?=\r\n",
            b"From: bob@(a comment)example.org\r\n",
            b"From: bob@example .org\r\n",
        ],
    )
    async def test_unclear_field_does_not_escape_the_policy(self, header: bytes) -> None:
        result = await asked_about(header + b"\r\n", {"example.org": REJECT}, dkim("example.net"))
        assert (result.result, result.from_domain, result.policy) == (Status.FAIL, "example.org", Policy.REJECT)

    async def test_message_that_names_nobody_costs_no_lookup(self) -> None:
        dns = resolver({})
        for header in (b"Subject: x\r\n", b"From: \r\n", b"From: undisclosed:;\r\n"):
            result = await DmarcCheck(dns, patience=PATIENCE)(subject_of(header + b"\r\n"))
            assert (result.result, result.from_domain) == (Status.PERMERROR, "")
        assert dns.asked == []

    async def test_four_domains_are_looked_at(self) -> None:
        dns = resolver({})
        field = ", ".join(f"a@d{number}.example" for number in range(100))
        await DmarcCheck(dns, patience=PATIENCE)(subject_of(f"From: {field}\r\n\r\n".encode()))
        assert len({name for name, _ in dns.asked if name.startswith("_dmarc.d")}) == 4


class HalfSilent(TableResolver):
    """Everything at and below slow.example.org is asked for in vain, for ever. For the rest one has to wait as well."""

    async def query(self, name: str, rrtype: str) -> Answer:
        if name.endswith("slow.example.org"):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return await super().query(name, rrtype)


HALF_SILENT = HalfSilent({(f"_dmarc.{name}", "TXT"): [REJECT] for name in ("example.org", "bank.example")})


class TestSilentNameServer:
    """Whoever has one must not be able to keep DMARC from answering: unavailable is a word that no rule refuses."""

    async def test_slow_domain_among_several_hides_no_other(self) -> None:
        subject = subject_of(b"From: a@slow.example.org, b@bank.example\r\n\r\n")
        result = await DmarcCheck(HALF_SILENT, patience=0.5)(subject)
        assert (result.result, result.from_domain, result.policy) == (Status.FAIL, "bank.example", Policy.REJECT)

    @pytest.mark.parametrize("author", ["slow.example.org", "a.b.c.d.slow.example.org"])
    async def test_slow_subdomain_leaves_the_policy_above_it_known(self, author: str) -> None:
        result = await DmarcCheck(HALF_SILENT, patience=0.5)(subject_of(f"From: a@{author}\r\n\r\n".encode()))
        assert (result.result, result.policy) == (Status.TEMPERROR, Policy.REJECT)

    async def test_signatures_of_slow_subdomains_leave_the_policy_known(self) -> None:
        signatures = tuple(signature(f"s{n}.slow.example.org", DkimStatus.TEMPERROR) for n in range(10))
        subject = subject_with(dkim=DkimResult(signatures=signatures, count=len(signatures)))
        result = await DmarcCheck(HALF_SILENT, patience=0.5)(subject)
        assert (result.result, result.policy) == (Status.TEMPERROR, Policy.REJECT)


def subject_with(**results: Any) -> Subject:
    subject = subject_of(b"From: a@example.org\r\n\r\n")
    assert subject.author == Author(("a@example.org",), "example.org")
    return Subject(subject.connection, subject.envelope, subject.message, subject.author, results=results)


@pytest.mark.parametrize("silent", ["spf", "dkim"])
async def test_check_that_could_not_answer_is_not_held_against_the_author(silent: str) -> None:
    subject = subject_with(**{silent: Unavailable(silent, "no answer")})
    assert (await DmarcCheck(resolver({"example.org": REJECT}), patience=PATIENCE)(subject)).result is Status.TEMPERROR


@pytest.mark.parametrize(
    ("word", "identity", "expected"),
    [
        (SpfWord.PASS, SpfIdentity.MAILFROM, (spf("a.example.org"),)),
        (SpfWord.PASS, SpfIdentity.HELO, (spf("a.example.org"),)),
        (SpfWord.TEMPERROR, SpfIdentity.MAILFROM, (spf("a.example.org", "temperror"),)),
        (SpfWord.FAIL, SpfIdentity.MAILFROM, (spf("a.example.org", "fail"),)),
        (SpfWord.NONE, SpfIdentity.MAILFROM, (spf("a.example.org", "none"),)),
    ],
)
def test_identifier_of_spf(word: SpfWord, identity: SpfIdentity, expected: tuple[Identifier, ...]) -> None:
    passed = Finding(result=SpfWord.PASS, domain="helo.example.org")
    result = SpfResult(identity=identity, finding=Finding(result=word, domain="a.example.org"), helo=passed)
    assert identifiers(subject_with(spf=result)) == expected


def test_identifiers_of_dkim() -> None:
    signatures = (
        signature("pass.example", DkimStatus.PASS),
        signature("pass.example", DkimStatus.PASS),
        signature("fail.example", DkimStatus.FAIL),
        signature("later.example", DkimStatus.TEMPERROR),
        signature("", DkimStatus.TEMPERROR),
        partial("partial.example"),
        partial("pass.example"),
    )
    found = identifiers(subject_with(dkim=DkimResult(signatures=signatures, count=7)))
    assert found == (
        dkim("pass.example"),
        dkim("fail.example", "fail"),
        dkim("later.example", "temperror"),
        dkim("partial.example", "partial"),
    )


def signature(domain: str, status: DkimStatus) -> DkimSignatureResult:
    return DkimSignatureResult(result=status, claim=Claim(domain=domain))


def partial(domain: str) -> DkimSignatureResult:
    """A signature that passes for the first octet of a body of ten."""
    signed = Signature(
        field=Field("dkim-signature", b""),
        claim=Claim(domain=domain),
        seal=Seal(domain, "s", Algorithm.RSA_SHA256, b"x", f"s._domainkey.{domain}"),
        identity_domain=domain,
        headers=("from",),
        header_canon=Canon.RELAXED,
        body=BodyPlan(Canon.RELAXED, 1),
        body_hash=b"x",
        expires=None,
    )
    whole = BodyHash(digest=b"x", body_length=10)
    return DkimSignatureResult(result=DkimStatus.PASS, claim=signed.claim, signature=signed, body=whole)


class TestGrounds:
    """What the report says a result rests on."""

    @staticmethod
    async def report(records: Records, author: str, *found: Identifier, **others: Any) -> dict[str, Any]:
        report: dict[str, Any] = (await evaluate(resolver(records, **others), author, found)).report()
        return report

    async def test_each_name_of_the_walk_with_what_was_found_there(self) -> None:
        dns = TableResolver(
            {
                ("_dmarc.d.c.b.example.org", "TXT"): [b"v=spf1 -all"],
                ("_dmarc.c.b.example.org", "TXT"): [REJECT, b"v=DMARC1; p=none"],
                ("x._dmarc.b.example.org", "TXT"): [REJECT],
                ("_dmarc.example.org", "TXT"): [b"v=DMARC1; p=none; psd=n"],
                ("_dmarc.org", "TXT"): [REJECT],
            }
        )
        report = (await evaluate(dns, "d.c.b.example.org", [])).report()
        assert [tuple(step.values()) for step in report["walk"]] == [
            ("_dmarc.d.c.b.example.org", "other", "ok", "v=spf1 -all"),
            ("_dmarc.c.b.example.org", "several", "ok", "v=DMARC1; p=reject"),
            ("_dmarc.b.example.org", "none", "nodata", ""),
            ("_dmarc.example.org", "record", "ok", "v=DMARC1; p=none; psd=n"),
        ]
        assert report["organizational_domain"] == "example.org"

    async def test_walk_that_failed_shows_where_it_failed(self) -> None:
        report = await self.report({"example.org": Dns.SERVFAIL}, "a.example.org")
        assert [(step["name"], step["found"], step["dns"]) for step in report["walk"]] == [
            ("_dmarc.a.example.org", "none", "nxdomain"),
            ("_dmarc.example.org", "failed", "servfail"),
            ("_dmarc.org", "none", "nxdomain"),
        ]
        assert (report["organizational_domain"], report["record"]) == ("", None)

    @pytest.mark.parametrize(
        ("domain", "record", "relation"),
        [
            ("a.example.org", REJECT, "likely"),
            ("org", REJECT, "likely"),
            ("example.org", REJECT, "identical"),
            ("bank.example", REJECT, "other-organization"),
            ("example2.org", REJECT, "not-asked"),
            ("a.example.org", b"v=DMARC1; p=reject; adkim=s", "not-identical"),
        ],
    )
    async def test_what_does_not_pass_is_related_without_a_lookup(
        self, domain: str, record: bytes, relation: str
    ) -> None:
        dns = resolver({"example.org": record})
        result = await evaluate(dns, "example.org", [dkim(domain, "fail")])
        assert (result.result, len(dns.asked)) == (Status.FAIL, 1)
        assert [one["relation"] for one in result.report()["identifiers"]] == [relation]

    async def test_organizational_domain_is_not_told_where_it_was_not_looked_for(self) -> None:
        report = await self.report({"a.example.org": REJECT, "example.org": REJECT}, "a.example.org")
        assert [step["name"] for step in report["walk"]] == ["_dmarc.a.example.org"]
        assert report["organizational_domain"] == ""
        related = await self.report(
            {"a.example.org": REJECT, "example.org": REJECT}, "a.example.org", dkim("example.org")
        )
        assert len(related["walk"]) == 3
        assert related["organizational_domain"] == "example.org"

    async def test_walk_that_found_nothing_is_told_too(self) -> None:
        report = await self.report({}, "a.example.org")
        assert [step["name"] for step in report["walk"]] == ["_dmarc.a.example.org", "_dmarc.example.org", "_dmarc.org"]
        assert report["organizational_domain"] == "a.example.org"

    @pytest.mark.parametrize(
        ("text", "author", "decided_by", "stated_by"),
        [
            ("p=reject", "example.org", "p", "p"),
            ("p=reject; sp=none; np=none", "example.org", "p", "p"),
            ("p=reject; sp=none", "there.example.org", "sp", "sp"),
            ("p=reject", "there.example.org", "sp", "p"),
            ("p=none; np=reject", "gone.example.org", "np", "np"),
            ("p=none; np=reject", "there.example.org", "sp", "p"),
            ("p=none; sp=none; np=reject", "there.example.org", "sp", "sp"),
            ("p=bogus; rua=mailto:a@example.org", "example.org", "p", "p"),
            ("rua=mailto:a@example.org", "example.org", "p", ""),
        ],
    )
    async def test_tag_that_decided(self, text: str, author: str, decided_by: str, stated_by: str) -> None:
        records: Records = {"example.org": f"v=DMARC1; {text}".encode()}
        record = (await self.report(records, author, there_example_org=["192.0.2.1"]))["record"]
        assert (record["decided_by"], record["stated_by"]) == (decided_by, stated_by)

    async def test_tags_as_they_are_used(self) -> None:
        text = b"v=DMARC1; p=reject; sp=QUARANTINE; t=y; adkim=s; aspf=x; rua=mailto:a@example.org"
        assert (await self.report({"example.org": text}, "example.org"))["record"] == {
            "domain": "example.org",
            "text": text.decode(),
            "p": "reject",
            "sp": "quarantine",
            "np": "quarantine",
            "t": "y",
            "psd": "u",
            "adkim": "s",
            "aspf": "r",
            "decided_by": "p",
            "stated_by": "p",
        }

    async def test_each_identifier_with_its_relation(self) -> None:
        records: Records = {
            "example.org": REJECT,
            "own.example.org": b"v=DMARC1; p=none; psd=n",
            "slow.example.org": Dns.TIMEOUT,
        }
        found = [
            spf("a.example.org"),
            dkim("example.org"),
            dkim("own.example.org"),
            dkim("example.net"),
            dkim("slow.example.org"),
            dkim("a.example.org", "temperror"),
            dkim("b.example.org", "fail"),
            dkim("example.org", "fail"),
            dkim("bank.example", "fail"),
        ]
        report = await self.report(records, "example.org", *found)
        assert [(one["domain"], one["result"], one["relation"], one["aligned"]) for one in report["identifiers"]] == [
            ("a.example.org", "pass", "same-organization", True),
            ("example.org", "pass", "identical", True),
            ("own.example.org", "pass", "other-organization", False),
            ("example.net", "pass", "other-organization", False),
            ("slow.example.org", "pass", "unknown", False),
            ("a.example.org", "temperror", "same-organization", True),
            ("b.example.org", "fail", "likely", False),
            ("example.org", "fail", "identical", True),
            ("bank.example", "fail", "other-organization", False),
        ]
        assert {(one["mechanism"], one["mode"]) for one in report["identifiers"]} == {
            ("spf", "relaxed"),
            ("dkim", "relaxed"),
        }

    async def test_identifier_under_a_strict_policy(self) -> None:
        records: Records = {"example.org": b"v=DMARC1; p=reject; adkim=s"}
        report = await self.report(records, "example.org", dkim("a.example.org"))
        assert [(one["mode"], one["relation"]) for one in report["identifiers"]] == [("strict", "not-identical")]

    async def test_identifiers_that_failed_cost_no_lookup(self) -> None:
        dns = resolver({"example.org": REJECT})
        await evaluate(dns, "example.org", [dkim("a.example.org", "fail"), spf("b.example.org", "softfail")])
        assert dns.asked == [("_dmarc.example.org", "TXT")]

    async def test_what_strangers_wrote_is_fit_to_be_shown(self) -> None:
        records: Records = {"example.org": b"v=DMARC1; p=reject; x=\x1b[2J\r\n\xff" + b"y" * 5000}
        text = json.dumps(await self.report(records, "example.org"), ensure_ascii=False)
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 2000

    def test_result_without_grounds_has_the_same_keys(self) -> None:
        keys = {"walk", "organizational_domain", "record", "identifiers"}
        assert keys <= DmarcResult(Status.PERMERROR).report().keys()


def test_result_as_facts_field_and_report() -> None:
    result = DmarcResult(
        Status.FAIL,
        "a.example.org",
        domain="example.org",
        policy=Policy.QUARANTINE,
        testing=True,
        reason="no identifier is authenticated",
    )
    assert set(result.facts()) == {fact.name for fact in FACTS}
    assert build(AuthenticationResults("mx", result.authres())) == (
        b"Authentication-Results: mx;\r\n"
        b' dmarc=fail (policy of example.org) reason="no identifier is authenticated"\r\n'
        b" header.from=a.example.org policy.dmarc=quarantine\r\n"
    )
    assert result.report()["policy"] == "quarantine"


class TestClientThatSpfIsNotAskedAbout:
    """One of our own networks, or a relay partner: only DKIM can vouch for what it brings."""

    SKIPPED = SpfResult(
        identity=SpfIdentity.MAILFROM,
        finding=Finding(result=SpfWord.NONE),
        helo=Finding(result=SpfWord.NONE),
        skipped="a relay partner brought it",
    )

    async def result(self, *signatures: DkimSignatureResult, records: Records | None = None) -> DmarcResult:
        subject = subject_with(spf=self.SKIPPED, dkim=DkimResult(signatures=signatures, count=len(signatures)))
        dns = resolver({"example.org": REJECT} if records is None else records)
        return await DmarcCheck(dns, patience=PATIENCE)(subject)

    async def test_a_fail_is_for_rules_and_not_for_next_hops(self) -> None:
        result = await self.result()
        assert (result.facts()["dmarc.result"], result.facts()["dmarc.policy"]) == ("fail", "reject")
        assert result.authres() == ()
        assert (
            result.report()["reason"]
            == "no identifier is authenticated (SPF was not asked: a relay partner brought it)"
        )

    async def test_a_pass_and_no_record_are_what_they_are(self) -> None:
        passing = await self.result(signature("example.org", DkimStatus.PASS))
        assert [one.result for one in passing.authres()] == ["pass"]
        assert [one.result for one in (await self.result(records={})).authres()] == ["none"]


def test_a_fail_that_spf_was_asked_about_stands_in_the_field() -> None:
    assert [one.result for one in DmarcResult(Status.FAIL, "example.org").authres()] == ["fail"]


@pytest.mark.parametrize("status", list(Status))
def test_every_fact_has_a_declared_word(status: Status) -> None:
    words = {fact.name: fact.values for fact in FACTS}
    assert DmarcResult(status).facts()["dmarc.result"] in words["dmarc.result"]
    assert DmarcResult(status).facts()["dmarc.policy"] in words["dmarc.policy"]
