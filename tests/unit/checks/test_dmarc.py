"""DMARC end to end, on zones in a table: the tree walk, alignment, the policy that applies, and what fails for now."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.author import Author
from gateway.authres.field import AuthenticationResults, build
from gateway.checks.base import Subject, Unavailable
from gateway.checks.dkim.result import DkimResult, DkimSignatureResult
from gateway.checks.dkim.signature import Claim
from gateway.checks.dkim.status import Status as DkimStatus
from gateway.checks.dmarc.check import DmarcCheck, evaluate
from gateway.checks.dmarc.identifiers import identifiers
from gateway.checks.dmarc.judge import Identifier
from gateway.checks.dmarc.lookup import walk
from gateway.checks.dmarc.record import Policy
from gateway.checks.dmarc.result import FACTS, DmarcResult, Mechanism, Status
from gateway.checks.dmarc.tree import MAX_QUERIES, path
from gateway.checks.spf.result import Finding, SpfIdentity, SpfResult, SpfWord
from gateway.system.dns import Status as Dns
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of

Records = dict[str, bytes | Dns]


def resolver(records: Records, **others: Any) -> TableResolver:
    """A DNS with policy records at these domains, and with addresses at others: resolver({"example.org": b"v=..."})."""
    table: dict[tuple[str, str], Any] = {
        (f"_dmarc.{name}", "TXT"): value if isinstance(value, Dns) else [value] for name, value in records.items()
    }
    return TableResolver(table | {(name.replace("_", "."), "A"): value for name, value in others.items()})


def dkim(domain: str, *, verified: bool = True) -> Identifier:
    return Identifier(Mechanism.DKIM, domain, verified)


def spf(domain: str, *, verified: bool = True) -> Identifier:
    return Identifier(Mechanism.SPF, domain, verified)


REJECT = b"v=DMARC1; p=reject"


async def test_no_record_is_none() -> None:
    assert await evaluate(resolver({}), "example.org", [dkim("example.org")]) == DmarcResult(Status.NONE, "example.org")


@pytest.mark.parametrize(
    "found", [dkim("example.org"), spf("example.org"), dkim("a.example.org"), spf("a.example.org")]
)
async def test_aligned_identifier_passes(found: Identifier) -> None:
    result = await evaluate(resolver({"example.org": REJECT}), "example.org", [dkim("other.example"), found])
    assert result == DmarcResult(
        Status.PASS, "example.org", domain="example.org", policy=Policy.REJECT, aligned=(found.mechanism,)
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


class TestExamplesOfAppendixB4:
    async def test_b_4_1_simple(self) -> None:
        dns = resolver({"example.com": REJECT, "signing.example.com": REJECT})
        result = await evaluate(dns, "example.com", [spf("example.com"), dkim("signing.example.com")])
        assert (result.result, result.domain) == (Status.PASS, "example.com")
        assert result.aligned == (Mechanism.SPF, Mechanism.DKIM)

    async def test_b_4_2_deep(self) -> None:
        dns = resolver({"example.com": REJECT, "signing.example.com": REJECT})
        author = "a.b.c.d.e.f.g.h.i.j.k.example.com"
        result = await evaluate(dns, author, [spf("example.com"), dkim("signing.example.com")])
        assert (result.result, result.domain) == (Status.PASS, "example.com")
        assert result.aligned == (Mechanism.SPF, Mechanism.DKIM)
        assert (await evaluate(dns, author, [])).policy is Policy.REJECT

    async def test_b_4_3_public_suffix(self) -> None:
        dns = resolver({"bank.example": b"v=DMARC1; p=reject; psd=y", "giant.bank.example": b"v=DMARC1; p=quarantine"})
        found = [spf("mail.giant.bank.example"), dkim("mail.mega.bank.example")]
        result = await evaluate(dns, "giant.bank.example", found)
        assert (result.result, result.domain, result.aligned) == (Status.PASS, "giant.bank.example", (Mechanism.SPF,))
        assert (await evaluate(dns, "giant.bank.example", found[1:])).policy is Policy.QUARANTINE


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
        for found in (dkim("example.org", verified=False), spf("a.example.org", verified=False)):
            assert (await evaluate(dns, "example.org", [found])).result is Status.TEMPERROR
            assert (await evaluate(dns, "example.org", [found, dkim("example.org")])).result is Status.PASS

    async def test_signature_of_a_broken_foreign_domain_does_not_turn_a_fail_into_a_temperror(self) -> None:
        dns = resolver({"example.org": REJECT, "evil.example": Dns.SERVFAIL})
        found = [dkim("evil.example", verified=False), spf("evil.example", verified=False), dkim("evil.example")]
        assert (await evaluate(dns, "example.org", found)).result is Status.FAIL
        assert not any("evil" in name for name, _ in dns.asked)


async def test_common_case_costs_one_query() -> None:
    dns = resolver({"example.org": REJECT})
    await evaluate(dns, "example.org", [dkim("example.org"), spf("example.org"), dkim("mailer.example")])
    assert len(dns.asked) <= 2 + len(path("example.org"))
    dns = resolver({"example.org": REJECT})
    await evaluate(dns, "example.org", [dkim("example.org"), spf("example.org")])
    assert dns.asked == [("_dmarc.example.org", "TXT")]


async def test_message_without_one_author_domain_is_a_permerror() -> None:
    subject = subject_of(b"From: a@example.org, b@example.net\r\n\r\n")
    result = await DmarcCheck(resolver({"example.org": REJECT}))(subject)
    assert result == DmarcResult(Status.PERMERROR, reason="the From field names several domains")


def subject_with(**results: Any) -> Subject:
    subject = subject_of(b"From: a@example.org\r\n\r\n")
    assert subject.author == Author(("a@example.org",), "example.org")
    return Subject(subject.connection, subject.envelope, subject.message, subject.author, results=results)


@pytest.mark.parametrize("silent", ["spf", "dkim"])
async def test_check_that_could_not_answer_is_not_held_against_the_author(silent: str) -> None:
    subject = subject_with(**{silent: Unavailable(silent, "no answer")})
    assert (await DmarcCheck(resolver({"example.org": REJECT}))(subject)).result is Status.TEMPERROR


@pytest.mark.parametrize(
    ("word", "identity", "expected"),
    [
        (SpfWord.PASS, SpfIdentity.MAILFROM, (spf("a.example.org"),)),
        (SpfWord.PASS, SpfIdentity.HELO, (spf("a.example.org"),)),
        (SpfWord.TEMPERROR, SpfIdentity.MAILFROM, (spf("a.example.org", verified=False),)),
        (SpfWord.FAIL, SpfIdentity.MAILFROM, ()),
        (SpfWord.NONE, SpfIdentity.MAILFROM, ()),
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
        replace(signature("partial.example", DkimStatus.PASS), unsigned_octets=9),
    )
    found = identifiers(subject_with(dkim=DkimResult(signatures=signatures, count=6)))
    assert found == (dkim("pass.example"), dkim("later.example", verified=False))


def signature(domain: str, status: DkimStatus) -> DkimSignatureResult:
    return DkimSignatureResult(result=status, claim=Claim(domain=domain))


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


@pytest.mark.parametrize("status", list(Status))
def test_every_fact_has_a_declared_word(status: Status) -> None:
    words = {fact.name: fact.values for fact in FACTS}
    assert DmarcResult(status).facts()["dmarc.result"] in words["dmarc.result"]
    assert DmarcResult(status).facts()["dmarc.policy"] in words["dmarc.policy"]
