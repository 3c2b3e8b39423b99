"""Fuzzed Authentication-Results fields: read or refused, removed where they speak in our name, and never in ours."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.claim import claims_us
from gateway.authres.field import (
    AuthenticationResults,
    AuthresError,
    MethodResult,
    Property,
    build,
    build_arc,
    clean,
    parse,
    parse_arc,
    parse_value,
)
from gateway.authres.folding import field
from gateway.authres.stamp import for_scanners, stamp
from gateway.message import split_fields
from tests.support.hostility import fuzzed, mutants, texts
from tests.support.mailbytes import message_of
from tests.support.soundness import assert_field

ID = "mx.example.org"
OURS = (b"Authentication-Results: mx.example.org;\r\n none\r\n",)
VALUES = (
    b"mx.example.org; spf=pass smtp.mailfrom=example.net",
    b"mx.example.org 1; none",
    b'other.example; dkim=pass (c) reason="good (signature)" header.i=@example.net header.b="a;b"',
    b"foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
    b" policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it)"
    b" 1362471462",
    b"i=1; lists.example; dmarc=pass header.from=example.org; arc=none",
)
FIELDS = tuple(
    name + separator + value + b"\r\n"
    for name in (b"Authentication-Results", b"ARC-Authentication-Results", b"X-Spam-Flag", b"x-mailward-tag", b"To")
    for separator in (b": ", b" :", b":\r\n\t")
    for value in VALUES
)
PLAIN = ("", "example.org", "ann@example.org", "2048-bit key", "body hash did not verify", "a/b+c==")
WORDS = st.sampled_from(["spf", "dkim", "pass", "fail", "header", "d", "x-a-1"])


@fuzzed(120)
@given(mutants(VALUES))
def test_value_is_read_or_refused(value: bytes) -> None:
    for parser in (parse_value, lambda octets: parse_arc(octets)[1]):
        with suppress(AuthresError):
            read = parser(value)
            assert parse(build(read)) == clean(read)


@fuzzed(120)
@given(texts(PLAIN), st.lists(st.tuples(texts(PLAIN), texts(PLAIN), texts(PLAIN)), max_size=3), WORDS, WORDS)
def test_what_is_built_of_any_texts_is_read_again(
    authserv_id: str, told: list[tuple[str, str, str]], method: str, word: str
) -> None:
    results = AuthenticationResults(
        authserv_id,
        tuple(MethodResult(method, word, reason, (Property(word, method, one),), note) for reason, one, note in told),
    )
    octets, sealed = build(results), build_arc(3, results)
    assert parse(octets) == clean(results)
    assert parse_arc(sealed.partition(b":")[2]) == (3, clean(results))
    for built in (octets, sealed):
        assert_field(built)
        assert len(split_fields(built)) == 1
        assert b"=?" not in built
    assert octets.count(b";") == max(len(told), 1)


@fuzzed(100)
@given(texts(PLAIN), texts(PLAIN))
def test_field_of_ours_stays_one_field(text: str, more: str) -> None:
    octets = field("X-Mailward-Tag", text, more)
    assert_field(octets)
    assert len(split_fields(octets)) == 1


@fuzzed(120)
@given(mutants(VALUES))
def test_field_that_is_read_as_ours_is_removed(value: bytes) -> None:
    """By our own reading, and by one that takes what stands before the first semicolon."""
    (forged, *_) = split_fields(b"Authentication-Results: " + value + b"\r\n")
    claims = claims_us(forged, ID)
    with suppress(AuthresError):
        assert claims or parse_value(forged.value).authserv_id.lower().rstrip(".") != ID
    assert claims or forged.value.partition(b";")[0].strip().lower() != ID.encode()


@fuzzed(120)
@given(st.lists(mutants(FIELDS), max_size=4), st.binary(max_size=9))
def test_our_fields_stand_first_and_alone_whatever_comes(fields: list[bytes], body: bytes) -> None:
    octets = b"".join(fields) + b"\r\n" + body
    stamped = stamp(message_of(octets), authserv_id=ID, ours=OURS)
    first, *others = split_fields(stamped.header)
    assert first.raw == b"".join(OURS)
    assert not any(other.name.startswith(("x-spam-", "x-mailward-")) for other in others)
    assert not any(other.name == "authentication-results" and claims_us(other, ID) for other in others)
    kept = {other.raw for other in others}
    assert kept <= {field.raw for field in message_of(octets).fields}
    copy = for_scanners(stamped)
    assert [one.name for one in split_fields(copy.header)].count("authentication-results") == 1
    assert b"".join(copy.chunks())[len(copy.header) :] == b"".join(stamped.chunks())[len(stamped.header) :]
