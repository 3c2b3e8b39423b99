"""The worked examples of RFC 9989, over a real DNS server on loopback: the alignment table of section 4.4, the tree
walks of sections 4.10 and 5.1.8, and appendix B, of which B.4.1 to B.4.3 name each query.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.checks.dmarc.alignment import Identifier, Mechanism
from gateway.checks.dmarc.check import evaluate
from gateway.checks.dmarc.lookup import walk
from gateway.checks.dmarc.record import Policy
from gateway.checks.dmarc.result import DmarcResult, Status
from gateway.checks.dmarc.tree import path
from gateway.system.dns import DnsResolver, DnsSettings
from tests.support.dnsserver import DnsServer

REJECT = b"v=DMARC1; p=reject"
SPF, DKIM = Mechanism.SPF, Mechanism.DKIM


@dataclass(frozen=True)
class Receiver:
    """A mail receiver with DNS."""

    server: DnsServer
    resolver: DnsResolver

    async def evaluates(self, author: str, *found: tuple[Mechanism, str]) -> DmarcResult:
        return await evaluate(self.resolver, author, [Identifier(mechanism, domain) for mechanism, domain in found])

    async def organizational_domain(self, domain: str) -> str | None:
        return (await walk(self.resolver, path(domain))).organizational_domain

    @property
    def queries(self) -> list[str]:
        """The policy records that were asked for, each once, since answers are kept."""
        return [name.removeprefix("_dmarc.") for name, rrtype, _ in self.server.asked if rrtype == "TXT"]


@asynccontextmanager
async def receiver(records: Mapping[str, bytes]) -> AsyncIterator[Receiver]:
    """With policy records at these domains."""
    table = {(f"_dmarc.{domain}", "TXT"): [record] for domain, record in records.items()}
    async with DnsServer(table) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,)))
        yield Receiver(server, resolver)
        await resolver.close()


@pytest.mark.parametrize("mechanism", [SPF, DKIM])
@pytest.mark.parametrize(
    ("identifier", "author", "relaxed", "strict"),
    [
        ("foo.example.com", "news.example.com", True, False),  # section 4.4, table 1
        ("news.example.com", "news.example.com", True, True),
        ("foo.example.net", "news.example.com", False, False),
        ("example.com", "example.com", True, True),  # B.1.1 and B.1.2, example 1
        ("child.example.com", "example.com", True, False),  # B.1.1, example 2
        ("example.com", "child.example.com", True, False),  # B.1.2, example 2
        ("example.net", "child.example.com", False, False),  # B.1.1 and B.1.2, example 3
    ],
)
async def test_alignment(mechanism: Mechanism, identifier: str, author: str, relaxed: bool, strict: bool) -> None:
    for tags, aligned in ((b"", relaxed), (b"; adkim=s; aspf=s", strict)):
        async with receiver({"example.com": REJECT + tags, "example.net": REJECT}) as one:
            result = await one.evaluates(author, (mechanism, identifier))
            assert result.result is (Status.PASS if aligned else Status.FAIL)


@pytest.mark.parametrize(
    ("domain", "queries"),
    [
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",  # section 4.10
            "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com "
            "i.j.mail.example.com j.mail.example.com mail.example.com example.com com",
        ),
        (
            "mail.a.b.c.d.e.f.g.example.com",  # section 5.1.8
            "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com "
            "f.g.example.com g.example.com example.com com",
        ),
    ],
)
async def test_walk_makes_the_eight_queries_of_the_rfc(domain: str, queries: str) -> None:
    async with receiver({}) as one:
        assert await one.organizational_domain(domain) == domain
        assert one.queries == queries.split()


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ({"mail.example.com": REJECT, "example.com": REJECT}, "example.com"),
        ({"mail.example.com": REJECT + b"; psd=n"}, "mail.example.com"),
        ({"com": REJECT + b"; psd=y"}, "example.com"),
        ({"example.com": REJECT + b"; psd=y"}, "mail.example.com"),  # in the text of step 2
    ],
)
async def test_organizational_domains_of_section_4_10_2(records: dict[str, bytes], found: str) -> None:
    async with receiver(records) as one:
        assert await one.organizational_domain("a.mail.example.com") == found


async def test_record_at_a_zone_cut_that_no_walk_reaches() -> None:
    """Section 5.1.8."""
    records = {"example.com": b"v=DMARC1; p=none", "b.c.d.e.f.g.example.com": REJECT + b"; psd=n"}
    async with receiver(records) as one:
        result = await one.evaluates("mail.a.b.c.d.e.f.g.example.com")
        assert (result.domain, result.policy) == ("example.com", Policy.NONE)


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        (b"v=DMARC1; p=quarantine; rua=mailto:a@example.com,mailto:b@thirdparty.example.net; t=y", Policy.NONE),
        (b"v=DMARC1; p=reject; rua=mailto:a@example.com,mailto:b@thirdparty.example.net", Policy.REJECT),
    ],
)
async def test_subdomain_under_test_of_b_2_5(record: bytes, policy: Policy) -> None:
    async with receiver({"test.example.com": record, "example.com": b"v=DMARC1; p=none"}) as one:
        assert (await one.evaluates("test.example.com")).policy is policy
        assert (await one.evaluates("example.com")).policy is Policy.NONE


async def test_sample_session_of_b_3_1() -> None:
    async with receiver({"example.com": REJECT + b"; aspf=r; rua=mailto:dmarc-feedback@example.com"}) as one:
        result = await one.evaluates("example.com", (SPF, "mail.example.com"), (DKIM, "example.com"))
        assert (result.result, result.aligned) == (Status.PASS, (SPF, DKIM))


class TestTreeWalkExamples:
    """Appendix B.4."""

    SIGNED = (SPF, "example.com"), (DKIM, "signing.example.com")

    async def test_b_4_1_simple(self) -> None:
        async with receiver({"example.com": REJECT, "signing.example.com": REJECT}) as one:
            assert await one.organizational_domain("example.com") == "example.com"
            assert one.queries == ["example.com", "com"]
            assert await one.organizational_domain("signing.example.com") == "example.com"
            assert one.queries == ["example.com", "com", "signing.example.com"]
            await self._both_are_aligned(one, "example.com")

    async def test_b_4_2_deep(self) -> None:
        author = "a.b.c.d.e.f.g.h.i.j.k.example.com"
        async with receiver({"example.com": REJECT, "signing.example.com": REJECT}) as one:
            assert await one.organizational_domain(author) == "example.com"
            names = "g.h.i.j.k.example.com h.i.j.k.example.com i.j.k.example.com j.k.example.com k.example.com"
            assert one.queries == [author, *names.split(), "example.com", "com"]
            await self._both_are_aligned(one, author)

    async def test_b_4_3_public_suffix(self) -> None:
        records = {"bank.example": REJECT + b"; psd=y", "giant.bank.example": b"v=DMARC1; p=quarantine"}
        async with receiver(records) as one:
            assert await one.organizational_domain("giant.bank.example") == "giant.bank.example"
            assert one.queries == ["giant.bank.example", "bank.example"]  # psd=y ends the walk
            assert await one.organizational_domain("mail.giant.bank.example") == "giant.bank.example"
            assert await one.organizational_domain("mail.mega.bank.example") == "mega.bank.example"
            assert "example" not in one.queries
            spf, dkim = (SPF, "mail.giant.bank.example"), (DKIM, "mail.mega.bank.example")
            result = await one.evaluates("giant.bank.example", spf, dkim)
            assert (result.result, result.domain, result.aligned) == (Status.PASS, "giant.bank.example", (SPF,))
            result = await one.evaluates("giant.bank.example", dkim)
            assert (result.result, result.policy) == (Status.FAIL, Policy.QUARANTINE)

    async def _both_are_aligned(self, one: Receiver, author: str) -> None:
        result = await one.evaluates(author, *self.SIGNED)
        assert (result.result, result.domain, result.aligned) == (Status.PASS, "example.com", (SPF, DKIM))
        for single in self.SIGNED:
            assert (await one.evaluates(author, single)).result is Status.PASS
        unauthenticated = await one.evaluates(author)
        assert (unauthenticated.result, unauthenticated.domain) == (Status.FAIL, "example.com")
        assert unauthenticated.policy is Policy.REJECT
