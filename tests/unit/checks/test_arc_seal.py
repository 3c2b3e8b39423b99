"""The ARC sets that we put on messages: what they say, when there is none, and that others can verify them."""

import asyncio

import pytest
from msgspec.structs import replace

from gateway.authres.field import AuthenticationResults, MethodResult, Property, build, parse_arc, parse_value
from gateway.checks.arc import ArcCheck, ArcResult, ArcSettings, ChainStatus, SealSettings
from gateway.checks.arc.seal import MAX_SIGNED
from gateway.checks.base import Unavailable
from gateway.checks.dkim.lookup import BREATH
from gateway.checks.dkim.tags import colon_list, parse_tags
from gateway.message import Stamped
from gateway.system.dns import Status as DnsStatus
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import Bytes, message_of, subject_of, wire
from tests.support.sealing import dkimpys_verdict, our_sealer, own_seal_verifies, sealed
from tests.support.signing import SigningKey, ed25519_key, rsa_key, signed

NOW = 1_700_000_000.0
LETTER = wire("""\
From: Ann <ann@example.org>
To: list@lists.example
Subject: A letter

Dear list,
""")
FOUND = AuthenticationResults(
    "mx.example",
    (
        MethodResult("spf", "pass", properties=(Property("smtp", "mailfrom", "ann@example.org"),)),
        MethodResult(
            "dmarc", "pass", properties=(Property("header", "from", "example.org"),), comment="policy of example.org"
        ),
    ),
)
OURS = "s1._domainkey.mx.example"
THEIRS = "s1._domainkey.lists.example"


def stamped_of(octets: bytes, top: bytes = b"") -> Stamped:
    message = message_of(octets)
    return Stamped(header=b"".join(field.raw for field in message.fields), message=message).topped_with(top)


async def validate(
    octets: bytes, key: SigningKey | None = None, *, trusted: tuple[str, ...] = (), fault: DnsStatus | None = None
) -> ArcResult:
    table = {(OURS, "TXT"): [(key or rsa_key()).record], (THEIRS, "TXT"): fault or [rsa_key().record]}
    check = ArcCheck(ArcSettings(trusted_sealers=trusted), resolver=TableResolver(table), clock=lambda: NOW)
    return await check(subject_of(octets))


async def seal(octets: bytes, key: SigningKey | None = None, *, top: bytes = b"", **sealer: object) -> bytes:
    """The message as it goes on, sealed behind whatever chain it has."""
    stamped = stamped_of(octets, top)
    done = await our_sealer(key or rsa_key(), now=NOW, **sealer).seal(stamped, FOUND, await validate(octets))  # type: ignore[arg-type]
    assert done.header[len(done.header) - len(stamped.header) :] == stamped.header
    return b"".join(done.chunks())


def chain_of(length: int) -> bytes:
    octets = LETTER
    for _ in range(length):
        octets = sealed(octets, rsa_key())
    return octets


def tags_of(octets: bytes, name: str) -> dict[str, bytes]:
    return dict(parse_tags(message_of(octets).named(name)[0].value))


def signed_names(octets: bytes) -> list[bytes]:
    return list(colon_list(tags_of(octets, "arc-message-signature")["h"]))


@pytest.mark.parametrize("length", [0, 1, 4])
async def test_a_set_continues_a_chain_that_passes(length: int) -> None:
    octets = await seal(chain_of(length))
    result = await validate(octets)
    assert (result.result, result.length, result.sealer) == (ChainStatus.PASS, length + 1, "mx.example")
    assert result.oldest_pass == 0
    assert dkimpys_verdict(octets, {OURS: rsa_key().record, THEIRS: rsa_key().record}) == "pass"
    assert tags_of(octets, "arc-seal")["cv"] == (b"pass" if length else b"none")


async def test_a_set_stands_on_top_as_seal_signature_and_results() -> None:
    octets = await seal(LETTER)
    assert [field.name for field in message_of(octets).fields[:4]] == [
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "from",
    ]
    assert tags_of(octets, "arc-seal").keys() == {"a", "b", "cv", "d", "i", "s", "t"}
    assert tags_of(octets, "arc-message-signature")["t"] == b"1700000000"


async def test_its_results_are_those_of_our_authentication_results_field() -> None:
    results = message_of(await seal(LETTER)).named("arc-authentication-results")[0]
    assert parse_arc(results.value) == (1, parse_value(build(FOUND).partition(b":")[2]))


async def test_who_trusts_us_finds_our_findings() -> None:
    assert (await validate(await seal(LETTER), trusted=("mx.example",))).trusted
    assert not (await validate(await seal(LETTER), trusted=("lists.example",))).trusted


async def test_an_ed25519_key_seals() -> None:
    octets = await seal(chain_of(1), ed25519_key())
    assert tags_of(octets, "arc-seal")["a"] == b"ed25519-sha256"
    assert (await validate(octets, ed25519_key())).result is ChainStatus.PASS


async def test_every_line_is_one_that_people_can_read() -> None:
    octets = await seal(signed(chain_of(3), rsa_key()) + b"x\r\n")
    ours = octets[: octets.index(b"DKIM-Signature:")]
    assert max(map(len, ours.split(b"\r\n"))) <= 78


async def test_what_was_changed_since_fails() -> None:
    octets = await seal(chain_of(1))
    for before, after in ((b"Dear", b"Hear"), (b"Subject: A", b"Subject: No"), (b"spf=pass", b"spf=fail")):
        assert before in octets
        assert (await validate(octets.replace(before, after, 1))).result is ChainStatus.FAIL


async def test_our_own_fields_are_sealed_as_they_go_on() -> None:
    octets = await seal(LETTER, top=b"List-Id: <of.ours>\r\nX-Spam-Flag: NO\r\n")
    assert b"list-id" in signed_names(octets)
    assert (await validate(octets)).result is ChainStatus.PASS
    assert (await validate(octets.replace(b"<of.ours>", b"<of.others>"))).result is ChainStatus.FAIL


# What is signed.


async def test_a_field_is_signed_as_often_as_it_is_there_and_the_author_once_more() -> None:
    octets = await seal(b"DKIM-Signature: a\r\nDKIM-Signature: b\r\n" + LETTER)
    assert signed_names(octets) == [b"from", b"from", b"subject", b"to", b"dkim-signature", b"dkim-signature"]
    assert (await validate(b"From: Eve <eve@example.com>\r\n" + octets)).result is ChainStatus.FAIL


async def test_only_what_is_configured_is_signed() -> None:
    octets = await seal(LETTER, headers=("subject", "from"))
    assert signed_names(octets) == [b"subject", b"from"]
    changed = octets.replace(b"list@lists.example", b"other@lists.example")
    assert (await validate(changed)).result is ChainStatus.PASS


async def test_that_there_is_no_author_is_signed() -> None:
    octets = await seal(LETTER.replace(b"From:", b"Nobody:"), headers=("subject", "from"))
    assert signed_names(octets) == [b"subject", b"from"]
    assert (await validate(b"From: Eve <eve@example.com>\r\n" + octets)).result is ChainStatus.FAIL


async def test_a_header_of_thousands_of_fields_is_signed_in_part() -> None:
    octets = await seal(b"To: a\r\n" * 5000 + LETTER)
    assert len(signed_names(octets)) == MAX_SIGNED
    assert (await validate(octets)).result is ChainStatus.PASS


async def test_neither_chains_nor_the_results_of_others_are_signed() -> None:
    octets = await seal(b"Authentication-Results: other.example; none\r\n" + chain_of(2))
    assert not {name for name in signed_names(octets) if name.startswith(b"arc-") or name == b"authentication-results"}


@pytest.mark.parametrize("body", [b"", b"\r\n", b" \r\n\r\n", b"x", b"x" * (BREATH + 1), b"a \t b  \r\n\r\n\r\n"])
async def test_any_body_is_sealed(body: bytes) -> None:
    octets = await seal(LETTER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body)
    assert (await validate(octets)).result is ChainStatus.PASS
    assert dkimpys_verdict(octets, {OURS: rsa_key().record}) == "pass"


async def test_others_have_their_turn_while_a_large_body_is_hashed() -> None:
    turns: list[int] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    stamped = stamped_of(LETTER + b"x" * (2 * BREATH))
    assert (await our_sealer(rsa_key()).seal(stamped, FOUND, ArcResult())).ours
    assert turns


async def test_what_is_sealed_is_the_body_that_goes_on() -> None:
    message = message_of(LETTER)
    cleaned = Bytes(LETTER.replace(b"Dear list", b"Dear  people"))
    stamped = Stamped(header=LETTER[: message.header_size], message=replace(message, content=cleaned))
    done = await our_sealer(rsa_key()).seal(stamped, FOUND, ArcResult())
    assert (await validate(b"".join(done.chunks()))).result is ChainStatus.PASS


async def test_a_message_without_a_body_or_an_end_of_its_header_is_sealed() -> None:
    octets = await seal(b"From: a@example.org\r\n")
    assert (await validate(octets)).result is ChainStatus.PASS


# Chains that are broken, have ended, or could not be judged.


async def test_a_broken_chain_is_said_to_be_broken_under_a_seal_of_that_set_alone() -> None:
    octets = await seal(chain_of(2).replace(b"Dear", b"Hear"))
    assert (tags_of(octets, "arc-seal")["cv"], tags_of(octets, "arc-seal")["i"]) == (b"fail", b"3")
    assert own_seal_verifies(octets, rsa_key().record)
    assert not own_seal_verifies(await seal(chain_of(2)), rsa_key().record)
    assert dkimpys_verdict(octets, {OURS: rsa_key().record, THEIRS: rsa_key().record}) == "ended"


async def test_a_chain_that_has_ended_is_left_as_it_is() -> None:
    ended = sealed(chain_of(1), rsa_key(), cv="fail")
    assert await seal(ended) == ended
    by_us = await seal(chain_of(2).replace(b"Dear", b"Hear"))
    assert await seal(by_us) == by_us


async def test_a_malformed_chain_is_ended_behind_its_highest_instance() -> None:
    octets = await seal(chain_of(3).replace(b"ARC-Seal: i=2;", b"X-Seal: i=2;"))
    assert (tags_of(octets, "arc-seal")["cv"], tags_of(octets, "arc-seal")["i"]) == (b"fail", b"4")


@pytest.mark.parametrize("field", [b"ARC-Seal: rubbish\r\n", b"ARC-Seal: i=50; cv=none\r\n", b"ARC-Seal: i=51\r\n"])
async def test_nothing_is_added_where_there_is_no_next_instance(field: bytes) -> None:
    assert await seal(field + LETTER) == field + LETTER


async def test_nothing_is_added_to_more_sets_than_there_can_be() -> None:
    octets = b"ARC-Seal: i=1; cv=none\r\n" * 51 + LETTER
    assert await seal(octets) == octets


async def test_a_chain_that_could_not_be_judged_is_left_whole() -> None:
    octets = chain_of(1)
    before = await validate(octets, fault=DnsStatus.TIMEOUT)
    assert before.result is ChainStatus.TEMPERROR
    stamped = stamped_of(octets)
    for chain in (before, Unavailable(check="arc", reason="no answer within 30 s"), None):
        assert await our_sealer(rsa_key()).seal(stamped, FOUND, chain) is stamped


# What may be configured.


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        (["subject"], '"from" must be among them'),
        (["from", "ARC-Seal"], "ARC-Seal.*must not be signed"),
        (["from", "authentication-results"], "must not be signed"),
        (["from", "x;y"], "is not the name of a header field"),
        (["from"] * 51, "at most 50"),
    ],
)
def test_what_cannot_be_signed_is_refused(headers: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        SealSettings(headers=headers)  # type: ignore[arg-type]


def test_names_of_fields_may_be_written_in_any_case() -> None:
    assert SealSettings(headers=("From", "Subject")).headers == ("from", "subject")


def test_domain_and_selector_are_brought_into_the_form_that_dns_is_asked_for() -> None:
    settings = SealSettings(domain="Example.ORG", selector="S1", key="/key.pem")  # type: ignore[arg-type]
    assert settings.key_name == "s1._domainkey.example.org"
