"""What the check makes of a message, its signatures and the keys that are published for them."""

import pytest

from gateway.checks.base import Subject
from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings, Status
from gateway.system.dns import Status as DnsStatus
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of, wire
from tests.support.signing import SigningKey, ed25519_key, handmade, rsa_key, signed

NOW = 1_700_000_000.0
KEY_NAME = "s1._domainkey.example.org"
LETTER = wire("""\
From: Ann <ann@example.org>
To: bob@example.net
Subject: A  letter
Date: Mon, 1 Jan 2024 00:00:00 +0000

Dear Bob,

  this is it.

""")


async def verify(
    octets: bytes,
    *records: bytes,
    table: dict[tuple[str, str], object] | None = None,
    step: int = 65536,
    **settings: int,
) -> DkimResult:
    zone = table if table is not None else {(KEY_NAME, "TXT"): list(records or [rsa_key().record])}
    check = DkimCheck(DkimSettings(**settings), resolver=TableResolver(zone), clock=lambda: NOW)
    return await check(subject_of(octets, step=step))


async def reason(octets: bytes, *records: bytes) -> tuple[Status, str]:
    [signature] = (await verify(octets, *records)).signatures
    return signature.result, signature.reason


def published(tags: str, key: SigningKey | None = None) -> bytes:
    return f"{tags}; p={(key or rsa_key()).public}".encode()


@pytest.mark.parametrize("canon", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "relaxed"])
@pytest.mark.parametrize("step", [1, 7, 65536])
async def test_what_dkimpy_signed_passes(canon: str, step: int) -> None:
    full = canon if "/" in canon else f"{canon}/simple"
    result = await verify(signed(LETTER, rsa_key(), canon=full), step=step)
    assert (result.result, result.passing_domains, result.count) == (Status.PASS, ("example.org",), 1)


async def test_an_ed25519_signature_passes() -> None:
    assert (await verify(handmade(LETTER, ed25519_key()), ed25519_key().record)).result is Status.PASS


async def test_a_message_without_signatures_is_none() -> None:
    result = await verify(LETTER)
    assert result.facts() == {"dkim.result": "none", "dkim.domains": (), "dkim.count": 0, "dkim.partial": False}
    assert [(one.method, one.result) for one in result.authres()] == [("dkim", "none")]
    assert result.report() == []


async def test_before_there_is_a_message_the_result_is_none() -> None:
    subject = subject_of(LETTER)
    early = Subject(connection=subject.connection, envelope=subject.envelope)
    check = DkimCheck(DkimSettings(), resolver=TableResolver({}), clock=lambda: NOW)
    assert (await check(early)).result is Status.NONE


async def test_the_facts_are_those_that_are_declared() -> None:
    result = await verify(handmade(LETTER, rsa_key()))
    assert set(result.facts()) == {fact.name for fact in DkimCheck.facts}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"Dear Bob", b"Dear Rob", "body hash"),
        (b"A  letter", b"Another letter", "signature"),
        (b"To: bob", b"To: rob", "signature"),
    ],
)
async def test_a_changed_message_fails(old: bytes, new: bytes, why: str) -> None:
    status, text = await reason(signed(LETTER, rsa_key()).replace(old, new))
    assert status is Status.FAIL
    assert why in text


async def test_a_field_that_is_signed_as_absent_may_not_be_added() -> None:
    octets = handmade(LETTER, rsa_key(), h="from:subject:subject")
    assert (await verify(octets)).result is Status.PASS
    assert (await verify(b"Subject: Another\r\n" + octets)).result is Status.FAIL


async def test_fields_are_taken_from_the_bottom_up() -> None:
    octets = handmade(b"Subject: Second\r\n" + LETTER, rsa_key(), h="from:subject")
    assert (await verify(octets.replace(b"Second", b"Changed"))).result is Status.PASS
    assert (await verify(octets.replace(b"A  letter", b"Changed"))).result is Status.FAIL


async def test_a_signature_may_sign_that_there_was_none_before_it() -> None:
    octets = handmade(LETTER, rsa_key(), h="from:dkim-signature")
    assert (await verify(octets)).result is Status.PASS
    added = octets.replace(b"From:", b"DKIM-Signature: v=1\r\nFrom:")
    assert [one.result for one in (await verify(added)).signatures] == [Status.FAIL, Status.PERMERROR]


async def test_a_second_from_field_that_is_not_signed_is_a_permanent_error() -> None:
    status, text = await reason(b"From: Eve <eve@example.com>\r\n" + handmade(LETTER, rsa_key()))
    assert status is Status.PERMERROR
    assert "From" in text


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"v": None}, "v="),
        ({"v": "2"}, "version"),
        ({"a": None}, "a="),
        ({"a": "rsa-sha512"}, "algorithm"),
        ({"d": None}, "d="),
        ({"d": "example..org"}, "domain name"),
        ({"d": "a" * 64 + ".example"}, "domain name"),
        ({"d": "x." * 130 + "example"}, "domain name"),
        ({"s": "a b"}, "domain name"),
        ({"h": None}, "h="),
        ({"h": "to:subject"}, "From"),
        ({"bh": None}, "bh="),
        ({"bh": "*"}, "base64"),
        ({"bh": ""}, "base64"),
        ({"c": "relaxed/strange"}, "canonicalisation"),
        ({"c": ""}, "canonicalisation"),
        ({"q": "http"}, "query"),
        ({"i": "ann@example.com"}, "identity"),
        ({"i": "ann@badexample.org"}, "identity"),
        ({"i": "example.org"}, "identity"),
        ({"i": ""}, "identity"),
        ({"l": ""}, "l="),
        ({"l": "-1"}, "l="),
        ({"l": "9" * 77}, "l="),
        ({"t": "9" * 5000}, "t="),
        ({"x": "soon"}, "x="),
        ({"x": "1600000000"}, "expired"),
        ({"t": "1800000001", "x": "1800000000"}, "before"),
        ({"z": "a" * 16384}, "larger"),
    ],
)
async def test_a_malformed_signature_is_a_permanent_error(tags: dict[str, str | None], why: str) -> None:
    status, text = await reason(handmade(LETTER, rsa_key(), **tags))
    assert status is Status.PERMERROR
    assert why in text


@pytest.mark.parametrize(
    "tags",
    [
        {"q": "http : dns/txt"},
        {"i": "ann@example.org"},
        {"i": "@news.EXAMPLE.org"},
        {"i": "=61nn=40x@example.org"},
        {"x": "1700000000"},  # now; it has passed only afterwards
        {"t": "1900000000"},  # in the future
        {"t": "1690000000", "x": "1710000000"},
        {"d": "EXAMPLE.ORG"},
        {"h": "From : To\r\n :Subject"},
        {"z": "From:ann=20"},
        {"unknown": "x"},
    ],
)
async def test_what_the_grammar_allows_passes(tags: dict[str, str]) -> None:
    assert (await verify(handmade(LETTER, rsa_key(), **tags))).result is Status.PASS


async def test_rsa_sha1_is_not_accepted() -> None:
    status, text = await reason(handmade(LETTER, rsa_key(), a="rsa-sha1"))
    assert status is Status.POLICY
    assert "RFC 8301" in text


async def test_a_key_of_another_type_is_a_permanent_error() -> None:
    assert await reason(handmade(LETTER, rsa_key()), ed25519_key().record) == (
        Status.PERMERROR,
        "its key is not for its algorithm",
    )


async def test_a_strict_key_allows_no_identity_in_a_subdomain() -> None:
    strict = published("v=DKIM1; t=s")
    assert (await verify(handmade(LETTER, rsa_key(), i="@example.org"), strict)).result is Status.PASS
    status, text = await reason(handmade(LETTER, rsa_key(), i="@news.example.org"), strict)
    assert status is Status.PERMERROR
    assert "t=s" in text


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (DnsStatus.SERVFAIL, Status.TEMPERROR),
        (DnsStatus.TIMEOUT, Status.TEMPERROR),
        (DnsStatus.NXDOMAIN, Status.PERMERROR),
        (DnsStatus.NODATA, Status.PERMERROR),
    ],
)
async def test_a_key_that_cannot_be_had_is_told_from_one_that_is_not_there(answer: DnsStatus, status: Status) -> None:
    result = await verify(handmade(LETTER, rsa_key()), table={(KEY_NAME, "TXT"): answer})
    assert result.result is status
    assert result.signatures[0].domain == "example.org"


async def test_of_several_key_records_one_that_verifies_is_enough() -> None:
    others = (b"v=spf1 -all", ed25519_key().record)
    assert (await verify(handmade(LETTER, rsa_key()), *others, rsa_key().record)).result is Status.PASS


async def test_not_more_than_three_key_records_are_tried() -> None:
    others = (b"v=spf1 -all",) * 3
    assert (await verify(handmade(LETTER, rsa_key()), *others, rsa_key().record)).result is Status.PERMERROR


async def test_a_domain_that_is_testing_is_not_told_from_an_unsigned_one_when_it_fails() -> None:
    testing = published("v=DKIM1; t=y")
    octets = handmade(LETTER, rsa_key())
    result = await verify(octets, testing)
    assert (result.result, result.passing_domains) == (Status.PASS, ("example.org",))
    assert result.signatures[0].testing
    assert (await verify(octets.replace(b"Dear", b"Deer"), testing)).result is Status.NEUTRAL


async def test_text_after_the_signed_length_passes_without_vouching() -> None:
    octets = handmade(LETTER, rsa_key(), l="11")
    result = await verify(octets)
    assert result.result is Status.PASS
    assert result.passing_domains == ()
    assert result.facts()["dkim.partial"] is True
    assert "octets of the body are not signed" in result.authres()[0].comment


async def test_a_signed_length_that_is_the_whole_body_vouches() -> None:
    result = await verify(signed(LETTER, rsa_key(), length=True))
    assert result.passing_domains == ("example.org",)
    assert result.facts()["dkim.partial"] is False


async def test_a_body_shorter_than_its_signed_length_fails() -> None:
    status, text = await reason(handmade(LETTER, rsa_key(), l="1000"))
    assert status is Status.FAIL
    assert "shorter" in text


async def test_a_domain_in_unicode_is_looked_up_by_its_a_labels() -> None:
    octets = handmade(LETTER, rsa_key(), d="Straße.example", s="schlüssel", i="ann@straße.example")
    table = {("xn--schlssel-95a._domainkey.xn--strae-oqa.example", "TXT"): [rsa_key().record]}
    result = await verify(octets, table=table)
    assert (result.result, result.passing_domains) == (Status.PASS, ("xn--strae-oqa.example",))


async def test_one_signature_that_passes_is_enough() -> None:
    octets = handmade(handmade(LETTER, rsa_key()), rsa_key(), d="gone.example")
    result = await verify(octets)
    assert [one.result for one in result.signatures] == [Status.PERMERROR, Status.PASS]
    assert (result.result, result.passing_domains) == (Status.PASS, ("example.org",))


async def test_a_result_that_may_change_speaks_before_one_that_is_final() -> None:
    octets = handmade(handmade(LETTER, rsa_key(), d="slow.example"), rsa_key(), d="gone.example")
    table = {("s1._domainkey.slow.example", "TXT"): DnsStatus.TIMEOUT}
    assert (await verify(octets, table=table)).result is Status.TEMPERROR


async def test_above_the_limit_signatures_of_the_author_come_first() -> None:
    octets = LETTER
    for domain in ("example.org", "org", "other.example", "third.example", "news.example.org"):
        octets = handmade(octets, rsa_key(), d=domain)
    zone = {(f"s1._domainkey.{name}", "TXT"): [rsa_key().record] for name in ("example.org", "org", "other.example")}
    evaluated = {
        limit: [one.domain for one in (await verify(octets, table=zone, max_signatures=limit)).signatures]
        for limit in (1, 3, 4)
    }
    assert evaluated == {
        1: ["example.org"],
        3: ["news.example.org", "org", "example.org"],
        4: ["news.example.org", "third.example", "org", "example.org"],
    }
    assert (await verify(octets, table=zone, max_signatures=1)).count == 5


async def test_authentication_results_name_the_signature() -> None:
    octets = handmade(LETTER, rsa_key(), i="ann=0D=0Aspf=3Dpass@example.org")
    [stated] = (await verify(octets)).authres()
    properties = {one.name: one.value for one in stated.properties}
    assert (stated.method, stated.result, stated.reason, stated.comment) == ("dkim", "pass", "", "2048-bit key")
    assert properties["d"] == "example.org"
    assert properties["i"] == "ann??spf=pass@example.org"
    assert properties["s"] == "s1"
    assert properties["a"] == "rsa-sha256"
    assert len(properties["b"]) == 8


async def test_signatures_that_begin_alike_are_told_apart() -> None:
    octets = LETTER
    for ending in ("AAAA", "BBBB"):
        octets = f"DKIM-Signature: v=1; b=0123456789{ending}\r\n".encode() + octets
    stated = (await verify(octets)).authres()
    assert [one.properties[-1].value for one in stated] == ["0123456789BBBB", "0123456789AAAA"]


async def test_the_report_says_what_was_claimed_and_why_it_is_not_so() -> None:
    [reported] = (await verify(handmade(LETTER, rsa_key(), d="gone.example", i="x@gone.example"))).report()
    assert reported == {
        "result": "permerror",
        "domain": "gone.example",
        "selector": "s1",
        "identity": "x@gone.example",
        "algorithm": "rsa-sha256",
        "key_bits": 0,
        "testing": False,
        "unsigned_octets": 0,
        "reason": "there is no key for it",
    }


async def test_the_body_is_not_hashed_where_there_is_no_key() -> None:
    subject = subject_of(handmade(LETTER, rsa_key()))
    assert subject.message is not None

    class Unreadable:
        size = subject.message.size

        def chunks(self, start: int = 0) -> object:
            raise AssertionError("the body was read")

    object.__setattr__(subject.message, "content", Unreadable())
    check = DkimCheck(DkimSettings(), resolver=TableResolver({}), clock=lambda: NOW)
    assert (await check(subject)).result is Status.PERMERROR
