"""Faults of the libraries that this gateway is built on, each with what the RFC says and what our check says.

Every test holds both halves: the stock library does the wrong thing, which ends when a release mends it, and then the
test says so; and our check does the right one, which ends where a correction of ours is lost. Each is small enough to
go to the library's authors as it is. Seen in pyspf 2.0.14, dkimpy 1.1.8 and authres 1.2.0.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import AddressValueError
from typing import Any

import authres
import dkim
import dns.exception
import dns.name
import dns.resolver
import pytest
import spf

from gateway.authres.field import parse_value
from gateway.authres.stamp import stamp
from gateway.checks.arc import ArcCheck, ArcSettings, ChainStatus
from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings, Status
from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.system.dns import DnsResolver, DnsSettings
from gateway.system.dns import Status as Dns
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import Table
from tests.support.mailbytes import message_of, subject_of
from tests.support.sealing import sealed
from tests.support.signing import ed25519_key, handmade, rsa_key, rsa_key_of, signed
from tests.support.spfcase import spf_subject

pytestmark = pytest.mark.filterwarnings("ignore:please use dns.resolver.resolve:DeprecationWarning")  # pyspf

IP = "192.0.2.1"
POINTER = ("1.2.0.192.in-addr.arpa", "PTR")
LETTER = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: A letter\r\n\r\nHi.\r\n"
KEY = ("s1._domainkey.example.org", "TXT")
PATIENCE = 10.0  # seconds for DNS servers that answer; those that do not are given up soon
QUICK = DnsSettings(timeout=0.2, tries=1)

# Primes of 384 bits: nobody makes keys as short as theirs any more, and `cryptography` refuses to.
SHORT_PRIMES = (
    0xDF9D4F4A43A63D9AFE1E809A0540684D8EB35957F65495CDB9BB2EEEF6AD2ED42A60B7AB2DE6DBDA963B3665ACABF33B,
    0xE3C8FD63B2A8BDFF8C91BAA51EB43BDD4DA7F5024CD7D0239A9A93D9845371CF2401CD902A516E087A455BF68F735F49,
)


class Bench:
    """A DNS server, and both kinds of checks on it."""

    def __init__(self, resolver: DnsResolver, patience: float) -> None:
        self._resolver = resolver
        self._patience = patience

    async def stock_spf(self, sender: str = "ann@d.example", *, ip: str = IP, helo: str = "mx.example") -> str:
        result, _ = await asyncio.to_thread(spf.check2, i=ip, s=sender, h=helo)
        return str(result)

    async def our_spf(self, sender: str = "ann@d.example", *, ip: str = IP, helo: str = "mx.example") -> str:
        return (await SpfCheck(SpfSettings(), resolver=self._resolver)(spf_subject(ip, helo, sender))).result.value

    async def stock_dkim(self, octets: bytes) -> bool:
        return bool(await asyncio.to_thread(dkim.DKIM(octets, timeout=self._patience).verify))

    async def our_dkim(self, octets: bytes) -> DkimResult:
        return await DkimCheck(DkimSettings(), resolver=self._resolver, clock=time.time)(subject_of(octets))

    async def our_arc(self, octets: bytes) -> ChainStatus:
        check = ArcCheck(ArcSettings(), resolver=self._resolver, clock=time.time)
        return (await check(subject_of(octets))).result


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bench on a table. dnspython's default resolver, which pyspf and dkimpy ask, is set to its server."""

    @asynccontextmanager
    async def on(table: Table) -> AsyncIterator[Bench]:
        async with DnsServer(table) as server:
            host, _, port = server.address.partition(":")
            theirs = dns.resolver.Resolver(configure=False)
            theirs.nameservers, theirs.port, theirs.timeout = [host], int(port), PATIENCE
            monkeypatch.setattr(dns.resolver, "default_resolver", theirs)
            is_silent = Dns.TIMEOUT in table.values()
            settings = QUICK if is_silent else DnsSettings()
            ours = DnsResolver(settings.model_copy(update={"servers": (server.address,)}))
            yield Bench(ours, settings.timeout if is_silent else PATIENCE)
            await ours.close()

    return on


def word(result: DkimResult) -> Status:
    [one] = result.signatures
    return one.result


def key_with(tags: str) -> Table:
    return {KEY: [f"v=DKIM1; {tags}; p={rsa_key().public}".encode()]}


class TestPyspf:
    async def test_name_of_the_client_whose_address_cannot_be_looked_up_is_passed_over(self, bench: Any) -> None:
        """RFC 7208 section 5.5: if a DNS error occurs while doing an A RR lookup, then that domain name is skipped."""
        table: Table = {
            ("d.example", "TXT"): [b"v=spf1 ptr ip4:192.0.2.1 -all"],
            POINTER: ["broken.d.example"],
            ("broken.d.example", "A"): Dns.SERVFAIL,
        }
        async with bench(table) as on:
            assert await on.stock_spf() == "temperror"
            assert await on.our_spf() == "pass"

    async def test_domain_of_one_label_has_no_spf(self, bench: Any) -> None:
        """RFC 7208 section 4.3: if the domain is not a multi-label domain name, check_host() returns none."""
        async with bench({("internal", "TXT"): [b"v=spf1 +all"]}) as on:
            assert await on.stock_spf("ann@internal") == "pass"
            assert await on.our_spf("ann@internal") == "none"

    async def test_domain_longer_than_dns_allows_has_no_spf(self, bench: Any) -> None:
        """RFC 7208 section 4.3: a malformed domain is none."""
        sender = f"ann@{'x.' * 130}example"
        async with bench({}) as on:
            with pytest.raises(dns.name.NameTooLong):
                await on.stock_spf(sender)
            assert await on.our_spf(sender) == "none"

    async def test_backslash_does_not_make_it_another_domain(self, bench: Any) -> None:
        """RFC 7208 section 4.3. dnspython reads it as an escape, so that another domain's record is asked for."""
        async with bench({("good.example", "TXT"): [b"v=spf1 +all"]}) as on:
            assert await on.stock_spf("ann@go\\od.example") == "pass"
            assert await on.our_spf("ann@go\\od.example") == "none"
            with pytest.raises(dns.name.BadEscape):
                await on.stock_spf("ann@good.example\\")
            assert await on.our_spf("ann@good.example\\") == "none"

    async def test_macro_that_expands_to_no_name_does_not_match(self, bench: Any) -> None:
        """RFC 7208 section 5.7 and 7.3: a name that DNS cannot hold has no address."""
        async with bench({("d.example", "TXT"): [b"v=spf1 exists:%{l}.d.example -all"]}) as on:
            with pytest.raises(dns.name.BadEscape):
                await on.stock_spf("a\\9@d.example")
            assert await on.our_spf("a\\9@d.example") == "fail"

    async def test_macro_with_an_endless_number_is_a_permerror(self, bench: Any) -> None:
        """RFC 7208 section 4.6: what cannot be read in a record is a permerror."""
        async with bench({("d.example", "TXT"): [b"v=spf1 exists:%{l" + b"9" * 5000 + b"}.d.example -all"]}) as on:
            with pytest.raises(ValueError, match="integer string conversion"):
                await on.stock_spf()
            assert await on.our_spf() == "permerror"

    async def test_client_with_a_scoped_address_is_judged_by_the_address(self, bench: Any) -> None:
        """RFC 7208 section 4.1: <ip> is an address; its scope (RFC 4007) means something on one host only."""
        async with bench({("d.example", "TXT"): [b"v=spf1 ip6:fe80::/10 -all"]}) as on:
            with pytest.raises(AddressValueError):
                await on.stock_spf(ip="fe80::1%eth0")
            assert await on.our_spf(ip="fe80::1%eth0") == "pass"

    async def test_sender_of_octets_that_are_no_text_has_no_spf(self, bench: Any) -> None:
        """RFC 7208 section 4.3, RFC 6531 section 3.3: it is no domain name, in ASCII or in UTF-8."""
        sender = b"ann@\xff.example".decode("utf-8", "surrogateescape")
        async with bench({}) as on:
            with pytest.raises(dns.exception.DNSException):
                await on.stock_spf(sender)
            assert await on.our_spf(sender) == "none"


class TestDkimpy:
    async def test_sha1_is_not_accepted(self, bench: Any) -> None:
        """RFC 8301 section 3.1: rsa-sha1 must not be used to verify."""
        octets = signed(LETTER, rsa_key(), algorithm="rsa-sha1", headers=("from", "subject"))
        async with bench({KEY: [rsa_key().record]}) as on:
            assert await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is Status.POLICY

    async def test_short_key_is_not_accepted_and_told_from_a_forgery(self, bench: Any) -> None:
        """RFC 8301 section 3.2: keys of less than 1024 bits must not be considered valid. dkimpy's verify() says False,
        as it does of a forged signature."""
        short = rsa_key_of(*SHORT_PRIMES)
        octets = handmade(LETTER, short)
        async with bench({KEY: [short.record]}) as on:
            for forged in (octets, octets.replace(b"A letter", b"Changed")):
                assert await asyncio.to_thread(dkim.verify, forged, timeout=PATIENCE) is False
            assert word(await on.our_dkim(octets)) is Status.POLICY

    async def test_key_for_another_hash_is_none(self, bench: Any) -> None:
        """RFC 6376 section 3.6.1, h=, and section 6.1.2: the hash must be one of those that the key allows."""
        octets = handmade(LETTER, rsa_key())
        async with bench(key_with("h=sha1")) as on:
            assert await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is Status.PERMERROR

    async def test_strict_key_allows_no_subdomain(self, bench: Any) -> None:
        """RFC 6376 section 3.6.1, t=s: the domain of i= must not be a subdomain of d=."""
        octets = handmade(LETTER, rsa_key(), i="ann@news.example.org")
        async with bench(key_with("t=s")) as on:
            assert await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is Status.PERMERROR

    async def test_query_methods_are_a_list(self, bench: Any) -> None:
        """RFC 6376 section 3.5, q=: a colon-separated list, in which unknown methods are passed over."""
        octets = handmade(LETTER, rsa_key(), q="dns/txt:http")
        async with bench({KEY: [rsa_key().record]}) as on:
            with pytest.raises(dkim.ValidationError):
                await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is Status.PASS

    async def test_services_of_a_key_are_a_list(self, bench: Any) -> None:
        """RFC 6376 section 3.6.1, s=: likewise; and a key for other services is a permerror, not an exception."""
        octets = handmade(LETTER, rsa_key())
        for tags, expected in (("s=other:email", Status.PASS), ("s=other", Status.PERMERROR)):
            async with bench(key_with(tags)) as on:
                with pytest.raises(dkim.UnknownKeyTypeError):
                    await on.stock_dkim(octets)
                assert word(await on.our_dkim(octets)) is expected

    async def test_identity_is_quoted_printable(self, bench: Any) -> None:
        """RFC 6376 section 3.5, i=, and section 2.11: the domain is compared once it is decoded."""
        octets = handmade(LETTER, rsa_key(), i="ann=2Bx@news=2Eexample.org")
        async with bench({KEY: [rsa_key().record]}) as on:
            with pytest.raises(dkim.ValidationError):
                await on.stock_dkim(octets)
            [one] = (await on.our_dkim(octets)).signatures
            assert (one.result, one.claim.identity) == (Status.PASS, "ann+x@news.example.org")

    @pytest.mark.parametrize(
        ("answer", "change", "expected"),
        [
            (Dns.NXDOMAIN, b"A letter", Status.PERMERROR),
            (Dns.SERVFAIL, b"A letter", Status.TEMPERROR),
            (Dns.TIMEOUT, b"A letter", Status.TEMPERROR),
            ([rsa_key().record], b"Changed", Status.FAIL),
        ],
    )
    async def test_no_key_no_answer_and_a_bad_signature_are_told_apart(
        self, bench: Any, answer: Any, change: bytes, expected: Status
    ) -> None:
        """RFC 6376 section 6.1.2, RFC 8601 section 2.7.1: permerror, temperror, fail. dkimpy says False to all."""
        octets = handmade(LETTER, rsa_key()).replace(b"A letter", change)
        async with bench({KEY: answer}) as on:
            assert not await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is expected

    async def test_expired_is_expired(self, bench: Any) -> None:
        """RFC 6376 section 3.5, x=. dkimpy gives ten hours more, by a clock that cannot be passed in."""
        octets = handmade(LETTER, rsa_key(), x=str(int(time.time()) - 9 * 3600))
        async with bench({KEY: [rsa_key().record]}) as on:
            assert await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is Status.PERMERROR

    async def test_signature_that_does_not_cover_from_is_none(self, bench: Any) -> None:
        """RFC 6376 section 5.4 and 6.1.1: From must be in h=."""
        octets = handmade(LETTER, rsa_key(), h="to:subject")
        async with bench({KEY: [rsa_key().record]}) as on:
            assert await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is Status.PERMERROR

    @pytest.mark.parametrize(
        ("tags", "before", "expected"),
        [
            ({}, b" a folded first line\r\n", Status.PASS),
            ({}, b"no field\r\n", Status.PASS),
            ({}, b"From\r\n : x\r\n", Status.PERMERROR),  # a second From that is not signed
            ({"t": "9" * 5000}, b"", Status.PERMERROR),
            ({"x": "9" * 5000}, b"", Status.PERMERROR),
            ({"l": ""}, b"", Status.PERMERROR),
            ({"i": "example.org"}, b"", Status.PERMERROR),
            ({"bh": "AAAAA==="}, b"", Status.PERMERROR),
        ],
    )
    async def test_malformed_message_has_a_result(
        self, bench: Any, tags: dict[str, str], before: bytes, expected: Status
    ) -> None:
        """RFC 6376 section 6.1: a verifier goes on; a signature that cannot be evaluated is a permerror."""
        octets = before + handmade(LETTER, rsa_key(), **tags)
        async with bench({KEY: [rsa_key().record]}) as on:
            with pytest.raises((IndexError, ValueError, dkim.DKIMException)):
                await on.stock_dkim(octets)
            assert word(await on.our_dkim(octets)) is expected

    async def test_hostile_from_field_has_a_result(self, bench: Any) -> None:
        """The same, for From fields made of what address lists are made of: dkimpy raises on a part of them."""
        marks = (b"", b"\r\n ", b"\r\n", b"\r\n\t", b"\r\n\r\n", b"\x00", b"\xff", b"\r", b"\n", b"\n ")
        hostile = [b"From:" + one + b"ann@example.org" + other + b"\r\n" for one in marks for other in marks]
        raised = 0
        async with bench({KEY: [rsa_key().record]}) as on:
            for field in hostile:
                octets = LETTER.replace(b"From: ann@example.org\r\n", field)
                octets = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=s1; h=from; bh=AAAA; b=AAAA\r\n" + octets
                try:
                    await on.stock_dkim(octets)
                except (IndexError, ValueError, dkim.MessageFormatError):
                    raised += 1
                except dkim.DKIMException:
                    pass
                assert word(await on.our_dkim(octets)) in (Status.FAIL, Status.PERMERROR)
        assert raised > len(hostile) // 10

    async def test_ed25519_is_an_algorithm_of_arc(self, bench: Any) -> None:
        """RFC 8617 section 4.1.2 and 4.1.3 take the algorithms of DKIM, of which RFC 8463 made Ed25519 one."""
        octets = sealed(LETTER, ed25519_key(), domain="example.org")
        async with bench({KEY: [ed25519_key().record]}) as on:
            verdict, _, reason = await asyncio.to_thread(dkim.arc_verify, octets)
            assert (verdict, "unknown signature algorithm" in reason) == (b"fail", True)
            assert await on.our_arc(octets) is ChainStatus.PASS

    async def test_chain_whose_keys_cannot_be_looked_up_in_time_is_no_failure(self, bench: Any) -> None:
        """RFC 6376 section 6.1.2, which RFC 8617 section 5.2 takes over. arc_verify() passes 5 s on, whatever it is
        given, and says fail."""
        asked: list[float] = []

        def look_up(name: bytes, timeout: float = 5) -> bytes:
            asked.append(timeout)
            raise dkim.DnsTimeoutError(name)

        octets = sealed(LETTER, rsa_key(), domain="example.org")
        assert dkim.arc_verify(octets, dnsfunc=look_up, timeout=1)[0] == b"fail"
        assert set(asked) == {5}
        async with bench({KEY: Dns.TIMEOUT}) as on:
            assert await on.our_arc(octets) is ChainStatus.TEMPERROR


B_7 = b"""\
 foo.example.net (foobar) 1 (baz);
    dkim (Because I like it) / 1 (One yay) = (wait for it) fail
      policy (A dot can go here) . (like that) expired
      (this surprised me) = (as I wasn't expecting it) 1362471462
""".replace(b"\n", b"\r\n")


class TestAuthres:
    def test_the_comment_heavy_example_is_read(self) -> None:
        """RFC 8601 appendix B.7."""
        with pytest.raises(authres.SyntaxError):
            authres.AuthenticationResultsHeader.parse("Authentication-Results:" + B_7.decode())
        found = parse_value(B_7)
        [result] = found.results
        assert (found.authserv_id, result.method, result.result) == ("foo.example.net", "dkim", "fail")
        [stated] = result.properties
        assert (stated.ptype, stated.name, stated.value) == ("policy", "expired", "1362471462")

    def test_comments_are_lost_and_ours_are_kept(self) -> None:
        """RFC 8601 section 2.2. What a field means to its other readers may stand in its comments."""
        value = "mx.example.org; dkim=pass (2048-bit key) header.d=example.org"
        theirs = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {value}")
        assert "2048" not in str(theirs)
        assert parse_value(value.encode()).results[0].comment == "2048-bit key"

    @pytest.mark.parametrize(
        "value",
        [
            B_7,
            b" (a comment) foo.example.net; dmarc=pass\r\n",
            b" foo.example.net (an open one; dmarc=pass\r\n",
            b" foo.example.net; dmarc=pass pass pass ;;;\r\n",
            b" foo.example.net 1 1 dmarc=pass\r\n",
            b' "foo.example.net\r\n',
        ],
    )
    def test_forged_field_is_removed_whether_it_can_be_parsed_or_not(self, value: bytes) -> None:
        """RFC 8601 section 5: fields that claim to be ours must go. Most of these neither authres nor we can parse."""
        octets = b"Authentication-Results:" + value + LETTER
        assert (
            stamp(message_of(octets), authserv_id="foo.example.net", ours=()).header
            == LETTER.partition(b"\r\n\r\n")[0] + b"\r\n"
        )
        kept = stamp(message_of(octets.replace(b"foo.", b"bar.")), authserv_id="foo.example.net", ours=())
        assert kept.header.startswith(b"Authentication-Results:")
