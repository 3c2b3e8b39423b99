"""What the check makes of ARC chains, and when somebody whom we trust vouches for a message."""

import json
import re

import pytest

from gateway.authres.field import AuthenticationResults, build
from gateway.checks.arc import ArcCheck, ArcResult, ArcSettings, ChainStatus
from gateway.checks.base import Subject
from gateway.system.dns import DnsResolver, DnsSettings
from gateway.system.dns import Status as DnsStatus
from tests.support.dnsserver import DnsServer
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import subject_of, wire
from tests.support.sealing import sealed
from tests.support.signing import SigningKey, ed25519_key, rsa_key

NOW = 1_700_000_000.0
LETTER = wire("""\
From: Ann <ann@example.org>
To: list@lists.example
Subject: A letter

Dear list,
""")

KEYS = {f"s1._domainkey.{domain}": rsa_key() for domain in ("lists.example", "hop.example", "evil.example")}


async def validate(
    octets: bytes,
    *,
    trusted: tuple[str, ...] = (),
    keys: dict[str, SigningKey] | None = None,
    faults: dict[str, DnsStatus] | None = None,
    max_sets: int = 20,
) -> ArcResult:
    table = {(name, "TXT"): [key.record] for name, key in (keys or KEYS).items()}
    table |= {(name, "TXT"): status for name, status in (faults or {}).items()}
    settings = ArcSettings(trusted_sealers=trusted, max_sets=max_sets)
    check = ArcCheck(settings, resolver=TableResolver(table), clock=lambda: NOW)
    return await check(subject_of(octets))


def chain(length: int) -> bytes:
    octets = LETTER
    for _ in range(length):
        octets = sealed(octets, rsa_key())
    return octets


async def test_a_message_without_sets_is_none() -> None:
    result = await validate(LETTER)
    assert result == ArcResult()
    assert [(one.method, one.result, one.comment) for one in result.authres()] == [("arc", "none", "")]


async def test_only_that_there_are_no_sets_is_known_without_asking() -> None:
    check = ArcCheck(ArcSettings(), resolver=TableResolver({}), clock=lambda: NOW)
    assert check.known(subject_of(LETTER)) == await check(subject_of(LETTER))
    for name in (b"ARC-Seal", b"arc-message-signature", b"ARC-Authentication-Results"):
        assert check.known(subject_of(name + b": i=1\r\n" + LETTER)) is None


async def test_before_there_is_a_message_the_result_is_none() -> None:
    subject = subject_of(LETTER)
    early = Subject(connection=subject.connection, envelope=subject.envelope)
    check = ArcCheck(ArcSettings(), resolver=TableResolver({}), clock=lambda: NOW)
    assert (await check(early)).result is ChainStatus.NONE


@pytest.mark.parametrize("length", [1, 2, 3, 20])
async def test_a_chain_whose_seals_verify_passes(length: int) -> None:
    result = await validate(chain(length))
    assert (result.result, result.length, result.sealer) == (ChainStatus.PASS, length, "lists.example")
    assert result.oldest_pass == 0


async def test_ed25519_seals_verify() -> None:
    keys = {"s1._domainkey.lists.example": ed25519_key(), "s1._domainkey.hop.example": rsa_key()}
    octets = sealed(LETTER, ed25519_key())
    assert (await validate(octets, keys=keys)).result is ChainStatus.PASS
    assert (await validate(octets.replace(b"Dear", b"Hear"), keys=keys)).result is ChainStatus.FAIL
    assert (await validate(sealed(octets, rsa_key(), domain="hop.example"), keys=keys)).result is ChainStatus.PASS


async def test_the_facts_are_those_that_are_declared() -> None:
    assert set((await validate(chain(1))).facts()) == {fact.name for fact in ArcCheck.facts}


async def test_a_chain_longer_than_the_limit_fails() -> None:
    result = await validate(chain(11), max_sets=10)
    assert (result.result, result.length) == (ChainStatus.FAIL, 11)


async def test_a_forwarder_that_changes_the_message_and_seals_it_again_keeps_the_chain() -> None:
    octets = sealed(chain(1).replace(b"Dear list", b"[list] Dear list"), rsa_key(), domain="hop.example")
    result = await validate(octets)
    assert (result.result, result.sealers) == (ChainStatus.PASS, ("lists.example", "hop.example"))
    assert result.oldest_pass == 2
    assert [(one.ptype, one.name, one.value) for one in result.authres()[0].properties] == [
        ("header", "oldest-pass", "2")
    ]


async def test_a_message_changed_after_its_newest_set_fails() -> None:
    result = await validate(chain(2).replace(b"Dear list", b"Dear all"))
    assert result.result is ChainStatus.FAIL
    assert "body hash" in result.reason


@pytest.mark.parametrize(
    "changed", [b"ARC-Seal: i=1", b"ARC-Message-Signature: i=1", b"ARC-Authentication-Results: i=1"]
)
async def test_a_set_that_is_missing_or_doubled_breaks_the_chain(changed: bytes) -> None:
    octets = chain(2)
    [line] = [line for line in octets.split(b"\r\n") if line.startswith(changed)]
    for broken in (octets.replace(line + b"\r\n", b""), line + b"\r\n" + octets):
        result = await validate(broken)
        assert (result.result, result.trusted) == (ChainStatus.FAIL, False)


async def test_what_an_earlier_sealer_found_cannot_be_changed() -> None:
    octets = chain(2).replace(b"i=1; lists.example; dmarc=pass", b"i=1; lists.example; dmarc=fail")
    assert (await validate(octets)).result is ChainStatus.FAIL


async def test_a_seal_that_says_fail_ends_the_chain() -> None:
    assert (await validate(sealed(chain(1), rsa_key(), cv="fail"))).result is ChainStatus.FAIL


@pytest.mark.parametrize("cv", ["pass", "maybe"])
async def test_the_first_seal_can_only_say_none(cv: str) -> None:
    assert (await validate(sealed(LETTER, rsa_key(), cv=cv))).result is ChainStatus.FAIL


async def test_an_instance_above_fifty_is_malformed() -> None:
    assert (await validate(sealed(LETTER, rsa_key(), instance=51))).result is ChainStatus.FAIL
    assert (await validate(sealed(LETTER, rsa_key(), instance=0))).result is ChainStatus.FAIL


async def test_a_message_signature_may_not_sign_seals() -> None:
    assert (await validate(sealed(LETTER, rsa_key(), h="from:arc-seal"))).result is ChainStatus.FAIL


async def test_an_expired_message_signature_fails() -> None:
    assert (await validate(sealed(LETTER, rsa_key(), x="1600000000"))).result is ChainStatus.FAIL


@pytest.mark.parametrize("fault", [DnsStatus.SERVFAIL, DnsStatus.TIMEOUT])
async def test_a_key_that_cannot_be_looked_up_is_a_temporary_error(fault: DnsStatus) -> None:
    octets = sealed(chain(1), rsa_key(), domain="hop.example")
    result = await validate(
        octets, faults={"s1._domainkey.hop.example": fault}, trusted=("lists.example", "hop.example")
    )
    assert (result.result, result.trusted) == (ChainStatus.TEMPERROR, False)


@pytest.mark.parametrize("silent", ["lists.example", "hop.example"])
async def test_a_name_server_that_does_not_answer_is_a_temporary_error(silent: str) -> None:
    octets = sealed(chain(1), rsa_key(), domain="hop.example")
    zone = {(name, "TXT"): [key.record] for name, key in KEYS.items()}
    async with DnsServer(zone | {(f"s1._domainkey.{silent}", "TXT"): DnsStatus.TIMEOUT}) as server:
        resolver = DnsResolver(DnsSettings(servers=(server.address,), timeout=0.2, tries=1))
        try:
            check = ArcCheck(ArcSettings(trusted_sealers=(silent,)), resolver=resolver, clock=lambda: NOW)
            result = await check(subject_of(octets))
        finally:
            await resolver.close()
    assert (result.result, result.trusted) == (ChainStatus.TEMPERROR, False)


async def test_a_temporary_error_leaves_no_result_for_readers_who_do_not_know_the_word() -> None:
    result = await validate(chain(1), faults={"s1._domainkey.lists.example": DnsStatus.SERVFAIL})
    assert result.result is ChainStatus.TEMPERROR
    assert result.authres() == ()
    assert (result.facts()["arc.result"], result.report()["result"]) == ("temperror", "temperror")
    assert build(AuthenticationResults("mx.example.org", result.authres())).split() == [
        b"Authentication-Results:",
        b"mx.example.org;",
        b"none",
    ]


async def test_a_definite_failure_outweighs_a_temporary_error() -> None:
    octets = sealed(chain(1), rsa_key(), domain="hop.example").replace(b"i=1; lists.example", b"i=1; other.example")
    faults = {"s1._domainkey.hop.example": DnsStatus.SERVFAIL}
    assert (await validate(octets, faults=faults)).result is ChainStatus.FAIL


async def test_a_key_that_is_not_there_fails() -> None:
    assert (await validate(sealed(LETTER, rsa_key(), domain="gone.example"))).result is ChainStatus.FAIL


async def test_a_trusted_sealer_that_found_a_pass_vouches() -> None:
    result = await validate(chain(1), trusted=("Lists.Example",))
    assert (result.result, result.trusted) == (ChainStatus.PASS, True)


@pytest.mark.parametrize(
    "found",
    [
        "dmarc=fail header.from=example.org",
        "dmarc=pass header.from=example.com",
        "dmarc=pass",
        "dmarc=pass header.from=example.org header.from=example.com",
        "dmarc=pass header.from=example.org; dmarc=pass",
        "dmarc=pass smtp.from=example.org",
        "dmarc=pass; dmarc=fail",
        "spf=pass smtp.mailfrom=example.org",
        "none",
        "dmarc=pass (",
    ],
)
async def test_a_trusted_sealer_that_found_no_pass_of_the_author_does_not_vouch(found: str) -> None:
    result = await validate(sealed(LETTER, rsa_key(), found=found), trusted=("lists.example",))
    assert (result.result, result.trusted) == (ChainStatus.PASS, False)


@pytest.mark.parametrize(
    "found",
    [
        "dmarc=pass header.from=example.org",
        "DMARC = Pass (p=REJECT dis=NONE) header.from=EXAMPLE.ORG",
        "spf=pass smtp.mailfrom=x.example; dmarc=pass action=none header.from=example.org; compauth=pass reason=100",
    ],
)
async def test_findings_are_read_as_the_large_providers_write_them(found: str) -> None:
    assert (await validate(sealed(LETTER, rsa_key(), found=found), trusted=("lists.example",))).trusted


async def test_without_an_author_nobody_vouches() -> None:
    octets = sealed(LETTER.replace(b"Ann <ann@example.org>", b"nobody"), rsa_key(), found="dmarc=pass")
    assert not (await validate(octets, trusted=("lists.example",))).trusted


async def test_a_sealer_that_is_not_trusted_does_not_vouch() -> None:
    assert not (await validate(chain(1))).trusted
    assert not (await validate(chain(1), trusted=("example",))).trusted


async def test_what_was_found_before_a_sealer_that_is_not_trusted_counts_for_nothing() -> None:
    by_evil = sealed(chain(1), rsa_key(), domain="evil.example")
    assert not (await validate(by_evil, trusted=("lists.example",))).trusted
    passed_on = sealed(by_evil, rsa_key(), found="dmarc=fail header.from=example.org")
    assert not (await validate(passed_on, trusted=("lists.example",))).trusted


async def test_a_chain_of_trusted_sealers_vouches_by_its_oldest_finding() -> None:
    octets = sealed(chain(1), rsa_key(), domain="hop.example", found="dmarc=fail header.from=example.org; arc=pass")
    assert (await validate(octets, trusted=("lists.example", "hop.example"))).trusted


@pytest.mark.parametrize("tags", [{"h": "to:subject"}, {"l": "4"}, {"h": ""}])
async def test_a_message_signature_that_leaves_room_for_other_text_does_not_vouch(tags: dict[str, str]) -> None:
    result = await validate(sealed(LETTER, rsa_key(), **tags), trusted=("lists.example",))
    assert (result.result, result.trusted) == (ChainStatus.PASS, False)


async def test_a_second_from_field_takes_the_trust_away() -> None:
    octets = b"From: Eve <eve@example.com>\r\n" + chain(1)
    assert not (await validate(octets, trusted=("lists.example",))).trusted


async def test_the_report_names_the_sealers() -> None:
    reported = (await validate(chain(1), trusted=("lists.example",))).report()
    covers = reported["sets"][0]["signature"]["covers"]
    assert covers.pop("body_hash") == covers.pop("body_hash_signed") != ""
    assert reported == {
        "result": "pass",
        "chain_length": 1,
        "sealer": "lists.example",
        "sealers": ["lists.example"],
        "trusted": True,
        "oldest_pass": 0,
        "reason": "",
        "trust": "vouched",
        "trust_about": "lists.example",
        "sets": [
            {
                "instance": 1,
                "sealer": "lists.example",
                "selector": "s1",
                "chain": "none",
                "seal": {"result": "pass", "reason": ""},
                "signer": "lists.example",
                "signature": {
                    "result": "pass",
                    "reason": "",
                    "failure": "",
                    "key": {
                        "name": "s1._domainkey.lists.example",
                        "dns": "ok",
                        "type": "rsa",
                        "bits": 2048,
                        "flags": [],
                        "record": "",
                    },
                    "covers": {
                        "canonicalization": "relaxed/relaxed",
                        "fields": ["from", "to", "subject"],
                        "fields_count": 3,
                        "absent": [],
                        "absent_count": 0,
                        "length": None,
                        "body_octets": 12,
                    },
                },
                "found": "i=1; lists.example; dmarc=pass header.from=example.org",
            }
        ],
    }


async def test_the_report_says_of_each_set_what_became_of_it() -> None:
    """The message was changed between the first and the second set, which is no fault (RFC 8617 section 5.2)."""
    changed = chain(2).replace(b"Subject: ", b"Subject: [list] ")
    octets = sealed(changed, rsa_key(), domain="hop.example")
    reported = (await validate(octets)).report()
    assert reported["oldest_pass"] == 3
    assert [
        (one["sealer"], one["chain"], one["seal"]["result"], one["signature"]["result"]) for one in reported["sets"]
    ] == [
        ("lists.example", "none", "pass", ""),
        ("lists.example", "pass", "pass", "fail"),
        ("hop.example", "pass", "pass", "pass"),
    ]
    assert reported["sets"][1]["signature"]["reason"] == "the signature did not verify"


async def test_the_report_of_a_broken_chain_says_where_it_is_broken() -> None:
    reported = (await validate(chain(2).replace(b"dmarc=pass", b"dmarc=fail"))).report()
    assert reported["result"] == "fail"
    assert "fail" in [one["seal"]["result"] for one in reported["sets"]]
    declared = (await validate(sealed(chain(1), rsa_key(), cv="fail"))).report()
    assert [one["seal"]["result"] for one in declared["sets"]] == ["", ""]


async def test_what_a_sealer_wrote_is_fit_to_be_shown() -> None:
    octets = sealed(LETTER, rsa_key(), found="dmarc=pass (\x1b[2J\xe4" + "x" * 5000 + ")")
    text = json.dumps((await validate(octets)).report(), ensure_ascii=False)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 2000


@pytest.mark.parametrize(
    ("octets", "trusted", "trust", "about"),
    [
        (chain(1), ("lists.example",), "vouched", "lists.example"),
        (chain(1), ("other.example",), "stranger", "lists.example"),
        (sealed(chain(1), rsa_key(), domain="evil.example"), ("lists.example",), "stranger", "evil.example"),
        (sealed(LETTER, rsa_key(), found="dmarc=fail"), ("lists.example",), "no-pass", ""),
        (sealed(LETTER, rsa_key(), h="to:subject"), ("lists.example",), "not-covered", ""),
        (chain(1).replace(b"Subject: ", b"Subject: x"), ("lists.example",), "no-chain", ""),
        (LETTER, ("lists.example",), "no-chain", ""),
        (sealed(LETTER.replace(b"From: ", b"From: x@example.net, "), rsa_key()), ("lists.example",), "no-author", ""),
    ],
)
async def test_why_a_chain_is_trusted_or_not(octets: bytes, trusted: tuple[str, ...], trust: str, about: str) -> None:
    reported = (await validate(octets, trusted=trusted)).report()
    assert (reported["trust"], reported["trust_about"]) == (trust, about)
    assert reported["trusted"] is (trust == "vouched")


def test_a_trusted_sealer_must_be_a_domain() -> None:
    with pytest.raises(ValueError, match=re.escape('"not a domain" is not a domain name')):
        ArcSettings(trusted_sealers=("not a domain",))
