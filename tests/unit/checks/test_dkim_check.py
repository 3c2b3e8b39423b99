"""What the check makes of a message, its signatures and the keys that are published for them."""

import json

import pytest
from msgspec.structs import force_setattr

from gateway.authres.field import clean_value
from gateway.checks.base import Subject
from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings, Status
from gateway.checks.dkim.check import SHORT_HEADER
from gateway.checks.dkim.status import Failure
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
    assert (result.result, result.passing_domains, result.count) == (Status.NONE, (), 0)
    assert (result.facts()["dkim.partial"], result.facts()["dkim.times"]) == (False, ())
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
        ({"t": "1800000000", "x": "1800000000"}, "before"),
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


@pytest.mark.parametrize(
    ("tags", "result", "faults"),
    [
        ({"t": "1699999999", "x": "1700000001"}, Status.PASS, ()),
        ({"x": "1700000000"}, Status.PASS, ()),  # the last second
        ({"x": "1699999999"}, Status.PERMERROR, ("expired",)),
        ({"t": "1690000000", "x": "1699999999"}, Status.PERMERROR, ("expired",)),
        ({"t": "1700000300"}, Status.PASS, ()),  # a clock that is not quite right
        ({"t": "1700000301"}, Status.PASS, ("future",)),
        ({"t": "1700000302", "x": "1700000301"}, Status.PERMERROR, ("reversed",)),
        (
            {"t": "1690000000", "x": "1690000000"},
            Status.PERMERROR,
            ("reversed",),
        ),  # RFC 6376 section 3.5: x= is greater
        ({"t": "soon", "x": "1"}, Status.PERMERROR, ("expired",)),
        ({"t": "9" * 13}, Status.PERMERROR, ()),
    ],
)
async def test_times_are_judged_by_the_clock_that_is_passed_in(
    tags: dict[str, str], result: Status, faults: tuple[str, ...]
) -> None:
    found = await verify(handmade(LETTER, rsa_key(), **tags))
    assert (found.result, found.facts()["dkim.times"]) == (result, faults)


async def test_times_of_all_signatures_are_told_once() -> None:
    octets = LETTER
    for tags in ({"x": "1"}, {"x": "2"}, {"t": "1800000000"}, {}):
        octets = handmade(octets, rsa_key(), **tags)
    found = await verify(octets)
    assert (found.result, found.facts()["dkim.times"]) == (Status.PASS, ("expired", "future"))


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
    assert (await verify(handmade(LETTER, rsa_key()), rsa_key().record, *others)).result is Status.PASS


async def test_not_more_than_three_key_records_are_tried() -> None:
    others = (b"v=spf1 -all",) * 3
    assert (await verify(handmade(LETTER, rsa_key()), *others, rsa_key().record)).result is Status.PERMERROR


async def test_a_domain_that_is_testing_is_not_told_from_an_unsigned_one_when_it_fails() -> None:
    testing = published("v=DKIM1; t=y")
    octets = handmade(LETTER, rsa_key())
    result = await verify(octets, testing)
    assert (result.result, result.passing_domains) == (Status.PASS, ("example.org",))
    assert result.signatures[0].testing
    neutral = await verify(octets.replace(b"Dear", b"Deer"), testing)
    assert neutral.result is Status.NEUTRAL
    assert clean_value(neutral.signatures[0].reason) == neutral.signatures[0].reason


async def test_text_after_the_signed_length_passes_without_vouching() -> None:
    octets = handmade(LETTER, rsa_key(), l="11")
    result = await verify(octets)
    assert result.result is Status.PASS
    assert result.passing_domains == ()
    assert (result.facts()["dkim.partial"], result.facts()["dkim.domains"]) == (True, ())
    assert result.facts()["dkim.unsigned"] == ()
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
    [reported] = (await verify(handmade(LETTER, rsa_key(), d="gone.example", i="x@gone.example", bh="AAAA"))).report()
    assert reported == {
        "result": "permerror",
        "domain": "gone.example",
        "selector": "s1",
        "identity": "x@gone.example",
        "algorithm": "rsa-sha256",
        "key_bits": 0,
        "testing": False,
        "unsigned_octets": 0,
        "signed": None,
        "expires": None,
        "judged_at": int(NOW),
        "failure": "no-key",
        "reason": "there is no key for it",
        "key": {
            "name": "s1._domainkey.gone.example",
            "dns": "nxdomain",
            "type": "",
            "bits": 0,
            "flags": [],
            "record": "",
        },
        "covers": {
            "canonicalization": "relaxed/relaxed",
            "fields": ["from", "to", "subject"],
            "fields_count": 3,
            "absent_count": 0,
            "absent": [],
            "length": None,
            "body_octets": None,
            "body_hash": "",
            "body_hash_signed": "AAAA",
        },
    }


async def test_the_report_of_a_pass_has_the_key_and_what_it_covers() -> None:
    octets = handmade(
        LETTER, rsa_key(1024), h="from:to:subject:subject:reply-to", l="11", t="1690000000", x="1800000000"
    )
    [reported] = (await verify(octets, published("v=DKIM1; t=y:s", rsa_key(1024)))).report()
    assert (reported["result"], reported["failure"], reported["unsigned_octets"]) == ("pass", "", 16)
    assert (reported["signed"], reported["expires"]) == (1690000000, 1800000000)
    assert (reported["key"]["dns"], reported["key"]["type"], reported["key"]["bits"]) == ("ok", "rsa", 1024)
    assert (reported["key"]["flags"], reported["key"]["record"]) == (["y", "s"], "")
    covers = reported["covers"]
    assert (covers["fields"], covers["absent"]) == (["from", "to", "subject"], ["subject", "reply-to"])
    assert (covers["length"], covers["body_octets"]) == (11, 27)
    assert covers["body_hash"] == covers["body_hash_signed"]


async def test_the_report_of_a_changed_body_has_both_hashes() -> None:
    octets = handmade(LETTER, rsa_key())
    [reported] = (await verify(octets.replace(b"Dear", b"Deer"))).report()
    [original] = (await verify(octets)).report()
    assert reported["failure"] == "body-changed"
    assert reported["covers"]["body_hash_signed"] == original["covers"]["body_hash"]
    assert reported["covers"]["body_hash"] != original["covers"]["body_hash"]
    assert reported["key"]["bits"] == 2048


async def test_the_report_shows_a_record_that_is_no_usable_key() -> None:
    [reported] = (await verify(handmade(LETTER, rsa_key()), b"v=DKIM1;  p=\r\nspf=pass\xff" + b"x" * 5000)).report()
    assert reported["key"]["record"].startswith("v=DKIM1; p= spf=pass?xxx")
    assert len(reported["key"]["record"]) <= 120


async def test_what_strangers_wrote_is_fit_to_be_shown_in_the_report() -> None:
    names = "from:\x1b[2J:a\r\n b:" + "x" * 5000
    [reported] = (await verify(handmade(LETTER, rsa_key(), h=names, d="a\x1b.example"))).report()
    [other] = (
        await verify(b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from:\xff\x80; bh=AA; b=AA\r\n" + LETTER)
    ).report()
    text = json.dumps([reported, other], ensure_ascii=False)
    assert text.isascii()
    assert text.isprintable()


# RSA of 512 bits, which libraries no longer make.
WEAK_KEY = (
    b"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAPWvPckBPlc/SiD9v2theF2f8STo8scrail4GwDphJRMU5tBTIntLwk7417DXuycebVRhr33jw4R"
    b"IqyYTCxKi4ECAwEAAQ=="
)
KINDS = [
    ({"v": None}, Failure.MALFORMED),
    ({"bh": "*"}, Failure.MALFORMED),
    ({"c": "odd"}, Failure.MALFORMED),
    ({"a": "rsa-sha512"}, Failure.UNKNOWN_ALGORITHM),
    ({"a": "rsa-sha1"}, Failure.SHA1),
    ({"t": "1600000000", "x": "1500000000"}, Failure.REVERSED),
    ({"x": "1600000000"}, Failure.EXPIRED),
    ({"h": "to:subject"}, Failure.UNSIGNED_FROM),
    ({"i": "ann@example.com"}, Failure.WRONG_IDENTITY),
    ({"d": "slow.example"}, Failure.KEY_LOOKUP),
    ({"d": "gone.example"}, Failure.NO_KEY),
    ({"d": "revoked.example"}, Failure.REVOKED_KEY),
    ({"d": "bad.example"}, Failure.BAD_KEY),
    ({"d": "spf.example"}, Failure.BAD_KEY),
    ({"d": "other.example"}, Failure.WRONG_KEY),
    ({"d": "ed25519.example"}, Failure.WRONG_KEY),
    ({"d": "strict.example", "i": "@a.strict.example"}, Failure.WRONG_IDENTITY),
    ({"d": "weak.example"}, Failure.WEAK_KEY),
    ({"bh": "AAAA"}, Failure.BODY),
    ({"l": "999"}, Failure.BODY),
    ({"d": "another.example"}, Failure.HEADER),
]
KEYS_OF_KINDS = {
    "example.org": rsa_key().record,
    "slow.example": DnsStatus.TIMEOUT,
    "revoked.example": b"v=DKIM1; p=",
    "bad.example": b"v=DKIM1; p=AAAA",
    "spf.example": b"v=spf1 -all",
    "other.example": published("v=DKIM1; s=other"),
    "ed25519.example": ed25519_key().record,
    "strict.example": published("v=DKIM1; t=s"),
    "another.example": published("v=DKIM1", rsa_key(1024)),
    "weak.example": b"v=DKIM1; p=" + WEAK_KEY,
}


@pytest.mark.parametrize(("tags", "kind"), KINDS, ids=[str(tags) for tags, _ in KINDS])
async def test_each_failure_is_of_its_kind(tags: dict[str, str | None], kind: Failure) -> None:
    table: dict[tuple[str, str], object] = {
        (f"s1._domainkey.{domain}", "TXT"): [record] if isinstance(record, bytes) else record
        for domain, record in KEYS_OF_KINDS.items()
    }
    result = await verify(handmade(LETTER, rsa_key(), **tags), table=table)
    assert result.facts()["dkim.failures"] == (kind.value,)
    assert result.result is kind.status


def test_every_kind_of_failure_is_met_above() -> None:
    assert {kind for _, kind in KINDS} == set(Failure)


async def test_kinds_of_failure_are_facts_each_once_and_a_pass_has_none() -> None:
    octets = handmade(handmade(handmade(LETTER, rsa_key()), rsa_key(), d="a.example"), rsa_key(), d="b.example")
    assert (await verify(octets)).facts()["dkim.failures"] == ("no-key",)
    expired = await verify(handmade(octets, rsa_key(), x="1600000000"))
    assert expired.facts()["dkim.failures"] == ("expired", "no-key")
    assert (await verify(handmade(LETTER, rsa_key()))).facts()["dkim.failures"] == ()


async def test_a_domain_that_is_testing_keeps_the_kind_of_its_failure() -> None:
    octets = handmade(LETTER, rsa_key()).replace(b"Dear", b"Deer")
    result = await verify(octets, published("v=DKIM1; t=y"))
    assert (result.result, result.facts()["dkim.failures"]) == (Status.NEUTRAL, ("body-changed",))


async def test_the_body_is_not_hashed_where_there_is_no_key() -> None:
    subject = subject_of(handmade(LETTER, rsa_key()))
    assert subject.message is not None

    class Unreadable:
        size = subject.message.size

        def chunks(self, start: int = 0) -> object:
            raise AssertionError("the body was read")

    force_setattr(subject.message, "content", Unreadable())
    check = DkimCheck(DkimSettings(), resolver=TableResolver({}), clock=lambda: NOW)
    assert (await check(subject)).result is Status.PERMERROR


async def test_the_report_names_the_first_signed_fields_and_counts_the_rest() -> None:
    names = ":".join(["from", "to", "subject", *(f"x-{number}" for number in range(1500))])
    [reported] = (await verify(handmade(LETTER, rsa_key(), h=names))).report()
    covers = reported["covers"]
    assert (covers["fields"], covers["fields_count"]) == (["from", "to", "subject"], 3)
    assert (len(covers["absent"]), covers["absent"][0], covers["absent_count"]) == (40, "x-0", 1500)


@pytest.mark.parametrize(
    ("added", "h", "unsigned"),
    [
        (b"", "from:to:subject:date", ()),
        (b"", "from:subject:date", ("to",)),
        (b"Subject: another\r\n", "from:to:subject:date", ("subject",)),
        (b"Reply-To: eve@evil.example\r\n", "from:to:subject:date", ("reply-to",)),
        (b"Content-Type: text/html\r\n", "from:to:subject", ("date", "content-type")),
        (b"X-Mailer: x\r\n", "from:to:subject:date", ()),
    ],
)
async def test_fields_that_anyone_may_have_added_are_named(added: bytes, h: str, unsigned: tuple[str, ...]) -> None:
    found = await verify(added + handmade(LETTER, rsa_key(), h=h))
    assert (found.result, found.facts()["dkim.unsigned"]) == (Status.PASS, unsigned)


async def test_where_no_signature_vouches_no_field_is_called_unsigned() -> None:
    found = await verify(b"Subject: another\r\n" + handmade(LETTER, rsa_key(), h="from:subject:subject"))
    assert (found.result, found.facts()["dkim.unsigned"]) == (Status.FAIL, ())
    assert (await verify(LETTER)).facts()["dkim.unsigned"] == ()


async def test_a_field_that_one_of_two_signatures_signs_is_signed() -> None:
    octets = handmade(handmade(LETTER, rsa_key(), h="from:to:date"), rsa_key(), h="from:subject")
    assert (await verify(octets)).facts()["dkim.unsigned"] == ()


def warm(octets: bytes, *records: bytes) -> tuple[DkimCheck, Subject]:
    """A check whose keys are cached, and what it is asked about."""
    resolver = TableResolver({(KEY_NAME, "TXT"): list(records)}, warm=True)
    return DkimCheck(DkimSettings(), resolver=resolver, clock=lambda: NOW), subject_of(octets)


@pytest.mark.parametrize(
    ("octets", "result"),
    [
        (LETTER, Status.NONE),
        (signed(LETTER, rsa_key()), Status.PASS),
        (signed(LETTER, rsa_key()) + b"x", Status.FAIL),
        (signed(LETTER, rsa_key(), domain="example.net"), Status.PERMERROR),
        (b"DKIM-Signature: v=1; h=from\r\n" + LETTER, Status.PERMERROR),
        (signed(signed(LETTER, rsa_key()), rsa_key(), canon="simple/simple"), Status.PASS),
        (handmade(handmade(LETTER, rsa_key()) + b"x\r\n", rsa_key(), l="3"), Status.PASS),
    ],
    ids=["unsigned", "good", "changed", "without a key", "malformed", "twice", "partial"],
)
async def test_with_cached_keys_the_same_is_found_without_waiting(octets: bytes, result: Status) -> None:
    check, subject = warm(octets, rsa_key().record)
    known, waited = check.known(subject), await check(subject)
    assert known is not None
    assert (known.result, known.report()) == (result, waited.report())


async def test_what_has_to_be_waited_for_is_not_known() -> None:
    octets = signed(LETTER, rsa_key())
    unasked = DkimCheck(DkimSettings(), resolver=TableResolver({}), clock=lambda: NOW)
    assert unasked.known(subject_of(octets)) is None
    long_body = LETTER + b"x" * 70_000 + b"\r\n"
    long_header = b"X-Note: " + b"x" * SHORT_HEADER + b"\r\n" + LETTER
    for octets in (long_body, long_header):
        check, long = warm(signed(octets, rsa_key()), rsa_key().record)
        assert check.known(long) is None
        assert (await check(long)).result is Status.PASS
