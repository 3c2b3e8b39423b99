"""Fuzzed signatures, records and whole messages, before a DNS that lies: every check has a sound result."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.checks.arc import ArcCheck, ArcSettings
from gateway.checks.arc.sets import parse_sets
from gateway.checks.base import Check, Result, Subject
from gateway.checks.dkim import DkimCheck, DkimSettings
from gateway.checks.dkim.key import MAX_RSA_BITS, MIN_RSA_BITS, RSA_EXPONENTS, parse_key
from gateway.checks.dkim.known import KnownForms
from gateway.checks.dkim.signature import Signature, parse_signature, read_field
from gateway.checks.dkim.status import SignatureError
from gateway.checks.dkim.tags import TagError, base64, colon_list, number, parse_tags, unsigned
from gateway.checks.dmarc import DmarcCheck
from gateway.checks.dmarc.record import parse_record as parse_dmarc
from gateway.checks.dmarc.tree import MAX_QUERIES, path
from gateway.checks.iprev import IprevCheck
from gateway.checks.spf import SpfCheck, SpfSettings
from gateway.checks.spf.macros import MAX_NAME, expand, is_domain_spec, is_macro_string
from gateway.checks.spf.record import PermError
from gateway.checks.spf.record import parse_record as parse_spf
from gateway.domain import canonical_domain, is_within
from gateway.message import Field
from tests.support.examining import Examiner, examining
from tests.support.hostility import LyingResolver, fuzzed, lying_resolvers, mutants, substitutes, texts
from tests.support.journeys import NOW
from tests.support.mailbytes import message_of, subject_of
from tests.support.sealing import sealed
from tests.support.signing import ed25519_key, handmade, rsa_key
from tests.support.soundness import assert_sound
from tests.support.spfcase import spf_subject

TAG_LISTS = (
    b" v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; s=s1; h=from:to:subject; i=a=20b@example.org;\r\n"
    b" l=17; q=dns/txt; t=1700000000; x=1900000000; z=From:a@b; bh=AAAA; b=\r\n AAAA=\r\n\t=",
    b" i=1; a=ed25519-sha256; cv=none; d=lists.example; s=s1; t=1; b=AAAA",
    b"v=DKIM1; h=sha256; k=rsa; s=email:*; t=y:s; n=note; p=AAAA",
)
LETTER = b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: A letter\r\n\r\nHi.\r\n"
SIGNED = handmade(LETTER, ed25519_key(), i="@example.org", t="1600000000")
MESSAGES = (
    LETTER,
    SIGNED,
    handmade(SIGNED, rsa_key(1024), l="3", h="from:from:to:x"),
    sealed(LETTER, ed25519_key()),
    sealed(sealed(SIGNED, ed25519_key(), domain="example.org"), rsa_key(1024)),
    b"Authentication-Results: mx.example.org; dmarc=pass\r\nReceived: by mx.example.org (Mailward) x\r\n" + SIGNED,
)
KEYS = (ed25519_key().record, rsa_key(1024).record, b"k=ed25519; p=" + b"A" * 43, b"v=DKIM1; p=")
SPF = (
    b"v=spf1 a mx/24//64 ptr:example.org exists:%{ir}.%{v}._spf.%{d2} include:_spf.example.net ~all",
    b"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all exp=why.%{d} x-y=%{s}",
    b"v=spf1 redirect=%{L5r.-+}.%{p}.%{h}.example.com",
    b"v=spf1 include:%{o} include:%{d} a:%{i}.example.org mx:example.org ?all",
)
DMARC = (
    b"v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=r; t=y; psd=n; fo=0:1:d:s",
    b"v=DMARC1; p=none; rua=mailto:a@b.example!10m, https://c.example/; ruf=mailto:d@e.example",
    b"v = DMARC1 ; psd=y",
)
MACROS = ("%{ir}.%{v}._spf.%{d2}", "%{L99r.-+,/_=}.%{p}%%%_%-.example.com", "example.org", "%{d}")
NAMES = (
    "example.org",
    "bücher.example",
    "[192.0.2.1]",
    "a.b.c.d.e.f.g.h.i.example.org",
    "localhost",
    "mail_1.example.",
)


class NothingRaised(Exception):
    """The declared error of a parser that has none."""


def answer(check: Check, subject: Subject) -> Result:
    result = asyncio.run(check(subject))
    assert_sound(result)
    return result


def signature_of(octets: bytes) -> Signature:
    field = Field(name="dkim-signature", raw=b"DKIM-Signature:" + octets + b"\r\n")
    return parse_signature(field, read_field(field))


PARSERS: dict[str, tuple[Callable[[bytes], object], type[Exception], Sequence[bytes]]] = {
    "signatures": (signature_of, SignatureError, TAG_LISTS[:1]),
    "keys": (parse_key, SignatureError, KEYS),
    "chains": (lambda octets: parse_sets(message_of(octets), limit=50), SignatureError, MESSAGES[3:4]),
    "SPF records, IPv4": (lambda octets: parse_spf(octets.decode("latin-1"), 4), PermError, SPF),
    "SPF records, IPv6": (lambda octets: parse_spf(octets.decode("latin-1"), 6), PermError, SPF),
    "DMARC records": (parse_dmarc, NothingRaised, DMARC),
}


@pytest.mark.parametrize(("parse", "refusal", "valid"), PARSERS.values(), ids=list(PARSERS))
def test_each_word_may_be_replaced_by_anything(
    parse: Callable[[bytes], object], refusal: type[Exception], valid: Sequence[bytes]
) -> None:
    parse(valid[0])
    for octets in substitutes(valid):
        with suppress(refusal):
            parse(octets)


@fuzzed(120)
@given(mutants(TAG_LISTS))
def test_tag_list_is_read_or_refused(octets: bytes) -> None:
    unsigned(octets)
    with suppress(TagError):
        for name, value in parse_tags(octets).items():
            assert name.isidentifier()
            colon_list(value)
            for read in (lambda text: base64(text, "b"), lambda text: number(text, "l", digits=12)):
                with suppress(TagError):
                    read(value)


@fuzzed(120)
@given(mutants(TAG_LISTS), st.sampled_from(["dkim-signature", "arc-seal", "arc-message-signature"]))
def test_signature_is_read_or_refused(octets: bytes, name: str) -> None:
    field = Field(name=name, raw=name.encode() + b":" + octets + b"\r\n")
    with suppress(SignatureError):
        signature = parse_signature(field, read_field(field))
        assert canonical_domain(signature.seal.key_name) == signature.seal.key_name
        assert is_within(signature.identity_domain, signature.seal.domain)
        assert "from" in signature.headers


@fuzzed(120)
@given(mutants(TAG_LISTS[:1]))
def test_after_a_signature_its_mutant_is_read_as_it_is_without_one(octets: bytes) -> None:
    forms = KnownForms()
    forms.keep(signature_of(TAG_LISTS[0]))
    known = forms.recall(Field(name="dkim-signature", raw=b"DKIM-Signature:" + octets + b"\r\n"))
    assert known is None or known == signature_of(octets)


@fuzzed(120)
@given(mutants(KEYS))
def test_key_is_one_that_may_be_used_or_refused(octets: bytes) -> None:
    with suppress(SignatureError):
        key = parse_key(octets)
        assert key.bits == 256 or MIN_RSA_BITS <= key.bits <= MAX_RSA_BITS
        assert key.type == "ed25519" or key.public.public_numbers().e in RSA_EXPONENTS  # type: ignore[union-attr]
        assert key.verifies(b"x", b"y") is False


@fuzzed(100)
@given(mutants(MESSAGES), lying_resolvers(KEYS))
def test_signatures_and_chains_have_results(octets: bytes, resolver: LyingResolver) -> None:
    subject = subject_of(octets)
    answer(DkimCheck(DkimSettings(), resolver=resolver, clock=lambda: NOW), subject)
    answer(ArcCheck(ArcSettings(trusted_sealers=("lists.example",)), resolver=resolver, clock=lambda: NOW), subject)
    assert len(resolver.asked) <= DkimSettings().max_signatures + 2 * ArcSettings().max_sets


@fuzzed(100)
@given(mutants(MESSAGES))
def test_chain_is_read_or_refused(octets: bytes) -> None:
    with suppress(SignatureError):
        assert len(parse_sets(message_of(octets), limit=20)) <= 20


@fuzzed(120)
@given(mutants(SPF), st.sampled_from([4, 6]))
def test_spf_record_is_read_or_refused(octets: bytes, version: int) -> None:
    with suppress(PermError):
        for mechanism in parse_spf(octets.decode("latin-1"), version).mechanisms:
            assert 0 <= mechanism.prefix <= 128
            assert mechanism.result in ("pass", "fail", "softfail", "neutral")


@fuzzed(120)
@given(texts(MACROS), texts(NAMES))
def test_macros_expand_to_something_of_a_name_s_length(text: str, value: str) -> None:
    assert is_macro_string(text) or not is_domain_spec(text)
    assert len(expand(text, lambda letter: value)) <= MAX_NAME


@fuzzed(100)
@given(lying_resolvers(SPF), texts(NAMES), texts(("ann", '"a b"', "%{d}", "")), st.booleans())
def test_sender_has_a_result_whatever_dns_says(resolver: LyingResolver, name: str, local: str, six: bool) -> None:
    subject = spf_subject("2001:db8::1" if six else "192.0.2.1", name, f"{local}@{name}")
    answer(SpfCheck(SpfSettings(), resolver=resolver), subject)
    answer(IprevCheck(resolver), subject)
    assert len(resolver.asked) <= 2 * (1 + 10 + 10 * 10 + 11) + 11


@fuzzed(120)
@given(mutants(DMARC))
def test_dmarc_record_is_read_or_none(octets: bytes) -> None:
    record = parse_dmarc(octets)
    assert record is None or set("".join(record.fo)) <= set("01ds")


@fuzzed(100)
@given(texts(NAMES))
def test_walk_up_the_tree_is_short(name: str) -> None:
    domain = canonical_domain(name)
    if domain:
        assert path(domain)[0] == domain
        assert len(path(domain)) <= MAX_QUERIES
        assert all(is_within(domain, above) for above in path(domain))


@fuzzed(100)
@given(lying_resolvers((*DMARC, *KEYS)), texts(NAMES), mutants(MESSAGES))
def test_author_has_a_result_whatever_dns_says(resolver: LyingResolver, name: str, octets: bytes) -> None:
    before = {
        "spf": answer(SpfCheck(SpfSettings(), resolver=resolver), spf_subject("192.0.2.1", name, f"a@{name}")),
        "dkim": answer(DkimCheck(DkimSettings(), resolver=resolver, clock=lambda: NOW), subject_of(octets)),
    }
    subject = subject_of(b"From: a@" + name.encode("utf-8", "surrogateescape") + b"\r\n" + octets)
    answer(DmarcCheck(resolver, patience=20.0), replace(subject, results=before))


@pytest.fixture(scope="module")
def examine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes, LyingResolver, str], None]]:
    with asyncio.Runner() as runner, ExitStack() as stack:

        async def begin() -> Examiner:
            return stack.enter_context(examining(tmp_path_factory.mktemp("site")))

        examiner = runner.run(begin())

        def examined(octets: bytes, resolver: LyingResolver, helo: str) -> None:
            examiner.resolver.answers = resolver.answers
            runner.run(examiner.examine(octets, helo=helo))

        yield examined


@fuzzed(100)
@given(octets=mutants(MESSAGES), resolver=lying_resolvers((*SPF, *DMARC, *KEYS)), helo=texts(NAMES))
def test_whole_message_is_examined(
    examine: Callable[[bytes, LyingResolver, str], None], octets: bytes, resolver: LyingResolver, helo: str
) -> None:
    examine(octets, resolver, helo)
