"""DKIM and ARC under attack: no octets make a check raise, and the work grows with the message and not faster."""

import asyncio
import contextlib
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authres.field import AuthenticationResults, build, parse
from gateway.checks.arc import ArcCheck, ArcResult, ArcSettings, ChainStatus
from gateway.checks.dkim import DkimCheck, DkimResult, DkimSettings, Status
from gateway.checks.dkim.canonical import BodyHasher, BodyPlan, Canon
from gateway.checks.dkim.key import MAX_KEY, MAX_RECORD, parse_key
from gateway.checks.dkim.lookup import BREATH, hash_body
from gateway.checks.dkim.signature import MAX_FIELD, read_field
from gateway.checks.dkim.status import SignatureError
from gateway.message import CHUNK, Field
from tests.support.dnstable import TableResolver
from tests.support.mailbytes import message_of, subject_of
from tests.support.signing import handmade, rsa_key

LETTER = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: A letter\r\n\r\nHi.\r\n"
KEY = ("s1._domainkey.example.org", "TXT")
ALL_PLANS = [BodyPlan(Canon.SIMPLE), BodyPlan(Canon.RELAXED)]


async def verify(octets: bytes, *records: bytes) -> tuple[DkimResult, TableResolver]:
    resolver = TableResolver({KEY: list(records or [rsa_key().record])})
    check = DkimCheck(DkimSettings(), resolver=resolver, clock=lambda: 1.7e9)
    return await check(subject_of(octets)), resolver


async def validate(octets: bytes) -> tuple[ArcResult, TableResolver]:
    resolver = TableResolver({KEY: [rsa_key().record]})
    check = ArcCheck(ArcSettings(), resolver=resolver, clock=lambda: 1.7e9)
    return await check(subject_of(octets)), resolver


@pytest.mark.parametrize("unit", [b" ", b"\r\n", b" \r\n", b"\r"], ids=repr)
def test_nothing_of_a_body_is_kept(unit: bytes) -> None:
    hasher = BodyHasher(ALL_PLANS)
    chunk = unit * (CHUNK // len(unit))
    for _ in range(64):
        hasher.update(chunk)
    kept = [len(body._tail) for body in hasher._bodies.values()]
    assert max(kept) <= 2


def test_empty_lines_are_hashed_as_they_come() -> None:
    """Put off until text follows them, they would hold everybody up at once."""
    hasher = BodyHasher(ALL_PLANS)
    for count in range(1, 9):
        hasher.update(b"\r\n" * (CHUNK // 2))
        assert {body.digests.length for body in hasher._bodies.values()} == {count * CHUNK}
    assert [found.body_length for found in hasher.finish().values()].count(2) == 1  # simple has one line, relaxed none


async def test_other_sessions_have_their_turn_while_a_large_body_is_hashed() -> None:
    turns = 0

    async def other_session() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(other_session())
    await hash_body(message_of(LETTER + b"line\r\n" * (8 * BREATH // 6)), ALL_PLANS)
    other.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await other
    assert turns >= 7


async def test_of_ten_thousand_signatures_ten_are_evaluated() -> None:
    field = b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
    octets = b"".join(field % number for number in range(10_000)) + handmade(LETTER, rsa_key())
    result, resolver = await verify(octets)
    assert len(result.signatures) == 10
    assert len(resolver.asked) <= 20  # each is looked for in the cache, then asked for
    assert result.count == 10_001
    assert result.passing_domains == ("example.org",)


async def test_a_signature_of_fifty_thousand_tags_is_not_read() -> None:
    tags = b"; ".join(b"t%d=x" % number for number in range(50_000))
    result, resolver = await verify(b"DKIM-Signature: v=1; " + tags + b"\r\n" + LETTER)
    assert result.result is Status.PERMERROR
    assert "larger than" in result.signatures[0].reason
    assert resolver.asked == []


def test_a_signature_at_the_limit_is_read() -> None:
    tags = read_field(Field(name="dkim-signature", raw=b"DKIM-Signature: " + b"a=" + b"x" * (MAX_FIELD - 18)))
    assert len(tags["a"]) == MAX_FIELD - 18


async def test_a_huge_header_is_verified_all_the_same() -> None:
    octets = handmade(b"X-Long: " + b"x " * (1 << 19) + b"\r\n" + LETTER, rsa_key(), h="from:x-long")
    assert (await verify(octets))[0].result is Status.PASS


@pytest.mark.parametrize("bits", [8192, 16384, 32768])
def test_a_long_key_is_refused_unread(bits: int) -> None:
    unreadable = b64encode(b"\x30" + b"\x00" * min(bits // 8, MAX_RECORD // 2)).decode()
    with pytest.raises(SignatureError, match="er than") as caught:
        parse_key(f"v=DKIM1; p={unreadable}".encode())
    assert "cannot be read" not in caught.value.reason
    assert bits // 8 > MAX_KEY


async def test_broken_keys_and_short_signatures_are_results() -> None:
    octets = handmade(LETTER, rsa_key(), a="ed25519-sha256")
    result, _ = await verify(octets, b"k=ed25519; p=" + b64encode(b"\x00" * 32))
    assert result.result is Status.FAIL


async def test_an_arc_chain_of_ten_thousand_fields_costs_no_lookup() -> None:
    octets = b"ARC-Seal: i=1; cv=none; a=rsa-sha256; d=d.example; s=s; b=AAAA\r\n" * 10_000 + LETTER
    result, resolver = await validate(octets)
    assert result.result is ChainStatus.FAIL
    assert resolver.asked == []


names = st.sampled_from(["v", "a", "b", "bh", "c", "d", "h", "i", "l", "q", "s", "t", "x", "z", "cv", "b ", "", "%"])
texts = st.one_of(
    st.sampled_from(
        [
            "1",
            "rsa-sha256",
            "ed25519-sha256",
            "relaxed/relaxed",
            "simple",
            "example.org",
            "s1",
            "from:to",
            "@example.org",
        ]
    ),
    st.sampled_from(["", "9" * 5000, "=", "AAAA", "=0D=0A", "@", "xn--", "straße", "a" * 70, "\x00", "none", "pass"]),
    st.text(max_size=12),
)
tag_lists = st.lists(st.tuples(names, texts), max_size=14).map(lambda pairs: ";".join(f"{k}={v}" for k, v in pairs))
field_names = st.sampled_from(
    ["DKIM-Signature", "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results", "From", "Subject"]
)
USUAL = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "s1", "h": "from", "bh": "AAAA", "b": "AAAA"}
changes = st.dictionaries(st.sampled_from([*USUAL, "c", "i", "l", "q", "t", "x", "cv"]), texts, max_size=3)
whole_signatures = changes.map(lambda changed: ";".join(f"{name}={text}" for name, text in (USUAL | changed).items()))
records = st.one_of(st.binary(max_size=60), tag_lists.map(str.encode), st.just(rsa_key().record))


@settings(deadline=None, max_examples=400)
@given(
    header=st.lists(st.tuples(field_names, st.one_of(tag_lists, whole_signatures)), max_size=6),
    body=st.binary(max_size=40),
    published=st.lists(records, min_size=1, max_size=4),
)
def test_no_message_and_no_record_makes_a_check_raise(
    header: list[tuple[str, str]], body: bytes, published: list[bytes]
) -> None:
    octets = "".join(f"{name}: {value}\r\n" for name, value in header).encode("utf-8", "replace") + b"\r\n" + body

    async def both() -> tuple[DkimResult, ArcResult]:
        return (await verify(octets, *published))[0], (await validate(octets))[0]

    for result in asyncio.run(both()):
        field = AuthenticationResults("mx.example", result.authres())
        assert [one.result for one in parse(build(field)).results] == [one.result for one in result.authres()]
        assert result.report() is not None
        assert result.facts()
