"""Authentication-Results: what is built is read again, and nobody's text can say more than it is given to say."""

from contextlib import suppress

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authres.field import (
    MAX_VALUE,
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
from gateway.authres.scanner import MAX_SIZE
from tests.support.effort import growth, lines_run

SPF = MethodResult("spf", "pass", properties=(Property("smtp", "mailfrom", "bob@example.net"),))
DKIM = MethodResult(
    "dkim",
    "fail",
    reason="body hash did not verify",
    properties=(Property("header", "d", "example.net"), Property("header", "b", "dRt/1+3=")),
    comment="2048-bit key",
)

keywords = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
_marks = [
    ";",
    " spf=pass",
    "dmarc = pass",
    '"',
    "\\",
    "(",
    ")",
    "\r\n",
    "\r",
    "\n",
    "\t",
    " ",
    "a",
    "\x00",
    "é",
    "\udc80",
]
_runs = ["=?utf-8?q?=3B_spf=3Dpass?=", "?", "@example.org", "From: x", "x" * 300, "/", "="]
hostile = st.lists(st.sampled_from([*_marks, *_runs]), max_size=12).map("".join) | st.text(max_size=30)
properties = st.builds(Property, keywords, keywords, hostile)
method_results = st.builds(
    MethodResult, keywords, keywords, hostile, st.lists(properties, max_size=3).map(tuple), hostile
)
any_results = st.builds(AuthenticationResults, hostile, st.lists(method_results, max_size=4).map(tuple))


def test_field_has_one_result_a_line() -> None:
    assert build(AuthenticationResults("mx.example.org", (SPF, DKIM))) == (
        b"Authentication-Results: mx.example.org;\r\n"
        b" spf=pass smtp.mailfrom=bob@example.net;\r\n"
        b' dkim=fail (2048-bit key) reason="body hash did not verify"\r\n'
        b' header.d=example.net header.b="dRt/1+3="\r\n'
    )


def test_no_results_are_stated() -> None:
    nothing = AuthenticationResults("mx.example.org", ())
    assert build(nothing) == b"Authentication-Results: mx.example.org;\r\n none\r\n"
    assert parse(build(nothing)) == nothing


@given(hostile, hostile, st.lists(properties, min_size=1, max_size=4).map(tuple))
def test_result_of_a_signature_is_folded_as_any_other(reason: str, comment: str, stated: tuple[Property, ...]) -> None:
    of_signature, other = (
        build(AuthenticationResults("mx", (MethodResult(method, "pass", reason, stated, comment),)))
        for method in ("dkim", "auth")
    )
    assert of_signature.replace(b" dkim=", b" auth=", 1) == other


@given(any_results)
def test_what_is_built_is_read_again(results: AuthenticationResults) -> None:
    assert parse(build(results)) == clean(results)


@given(any_results)
def test_cleaning_twice_changes_nothing_more(results: AuthenticationResults) -> None:
    assert clean(clean(results)) == clean(results)
    assert build(clean(results)) == build(results)


@given(any_results)
def test_no_value_breaks_out_of_the_field(results: AuthenticationResults) -> None:
    octets = build(results)
    lines = octets.split(b"\r\n")
    assert lines.pop() == b""
    assert lines[0].startswith(b"Authentication-Results:")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    assert all(len(line) <= 998 for line in lines)
    assert octets.isascii()
    assert all(octet >= 32 for line in lines for octet in line)
    assert octets.count(b";") == max(len(results.results), 1)
    assert b"=?" not in octets


@given(st.lists(st.text(max_size=30), min_size=4, max_size=4))
def test_no_value_can_be_taken_for_a_pass_by_a_reader_that_searches(values: list[str]) -> None:
    said = f"dmarc=pass; dkim = PASS {values[0]}"
    result = MethodResult("spf", "fail", said + values[1], (Property("smtp", "mailfrom", said + values[2]),), said)
    octets = build(AuthenticationResults("mx", (result,))).lower()
    assert b"=pass" not in b"".join(octets.split())


@pytest.mark.parametrize(
    "value", ["dmarc=pass", "a spf=pass", "dkim=PASS", "a;b", "=?utf-8?q?x?=", "a" * 401, "a b " * 101]
)
def test_what_is_harmless_but_for_one_thing_is_cleaned(value: str) -> None:
    result = MethodResult("spf", "fail", value, (Property("smtp", "mailfrom", value),), value)
    (cleaned,) = clean(AuthenticationResults("mx", (result,))).results
    for said in (cleaned.reason, cleaned.properties[0].value, cleaned.comment):
        assert said != value
        assert len(said) <= MAX_VALUE


def test_ordinary_values_stay_as_they_are() -> None:
    results = AuthenticationResults("mx.example.org", (SPF, DKIM))
    assert clean(results) == results


def test_address_with_odd_local_part_stands_in_quotes() -> None:
    odd = MethodResult("spf", "fail", properties=(Property("smtp", "mailfrom", '"a b"@example.net'),))
    octets = build(AuthenticationResults("mx", (odd,)))
    assert rb'smtp.mailfrom="\"a b\"@example.net"' in octets
    assert parse(octets).results == (odd,)


def test_signatures_of_one_signer_are_told_apart() -> None:
    signer = (Property("header", "d", "example.org"), Property("header", "s", "s1"))
    results = [
        MethodResult("dkim", word, reason, (*signer, Property("header", "b", b)))
        for word, reason, b in (
            ("pass", "", "AAAA+AAA"),
            ("pass", "", "BBBB/BBB"),
            ("fail", "", "AAAA"),
            ("fail", "x", "A"),
        )
    ]
    stated = AuthenticationResults("mx.example.org", (*results, MethodResult("dkim", "none")))
    assert parse(build(stated)) == stated


def test_word_of_ours_that_is_no_keyword_is_a_mistake() -> None:
    for wrong in (MethodResult("sp f", "pass"), MethodResult("spf", "pass;"), MethodResult("spf", "")):
        with pytest.raises(ValueError):
            build(AuthenticationResults("mx", (wrong,)))


@given(any_results)
def test_another_parser_reads_the_same(results: AuthenticationResults) -> None:
    expected = clean(results)
    if '"' in expected.authserv_id or not expected.authserv_id.strip("."):
        return  # that parser takes no quoted authserv-id
    try:
        read = authres.AuthenticationResultsHeader.parse(build(results).decode().replace("\r\n", ""))
    except authres.core.AuthResError:
        return
    assert [one.method for one in read.results] == [one.method for one in expected.results]
    assert [one.result for one in read.results] == [one.result for one in expected.results]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"example.org 1; none", ()),
        (b"example.com;\r\n spf=pass smtp.mailfrom=example.net", (SPF_DOMAIN := ("spf", "pass", "", 1),)),
        (
            b"example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
            (("auth", "pass", "cram-md5", 1), SPF_DOMAIN),
        ),
        (
            b"example.com; iprev=pass policy.iprev=192.0.2.200",
            (("iprev", "pass", "", 1),),
        ),
        (
            b'example.com; dkim=pass reason="good signature" header.i=@mail-router.example.net;\r\n'
            b' dkim=fail reason="bad signature" header.i=@newyork.example.com',
            (("dkim", "pass", "", 1), ("dkim", "fail", "", 1)),
        ),
        (
            b"foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
            b" policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it)"
            b" 1362471462",
            (("dkim", "fail", "", 1),),
        ),
    ],
)
def test_examples_of_rfc_8601_appendix_b_are_read(
    value: bytes, expected: tuple[tuple[str, str, str, int], ...]
) -> None:
    found = parse_value(value).results
    assert tuple((one.method, one.result, one.comment, len(one.properties)) for one in found) == expected


def test_values_reasons_and_comments_are_read() -> None:
    (found,) = parse_value(
        rb'mx; DKIM=Pass (a (b) \) c) reason="x \" y" header.b="a;b" header.i="q r"@example.org'
    ).results
    assert found == MethodResult(
        method="dkim",
        result="pass",
        reason='x " y',
        properties=(Property("header", "b", "a;b"), Property("header", "i", '"q r"@example.org')),
        comment="a (b) ) c",
    )


def test_arc_instance_is_read() -> None:
    instance, results = parse_arc(b" i=2; mx.example.net; dkim=pass")
    assert instance == 2
    assert results == AuthenticationResults("mx.example.net", (MethodResult("dkim", "pass"),))


@given(st.integers(1, 50), any_results)
def test_what_is_built_for_an_arc_set_is_read_again(instance: int, results: AuthenticationResults) -> None:
    name, _, value = build_arc(instance, results).partition(b":")
    assert name == b"ARC-Authentication-Results"
    assert parse_arc(value) == (instance, clean(results))


def test_an_arc_field_has_its_instance_before_the_same_results() -> None:
    results = AuthenticationResults("mx.example.org", (SPF, DKIM))
    assert build_arc(2, results) == build(results).replace(
        b"Authentication-Results: mx", b"ARC-Authentication-Results: i=2; mx"
    )


@pytest.mark.parametrize("value", [b"mx; dkim=pass", b"i=0; mx; none", b"i=100; mx; none", b"i=1 mx; none"])
def test_arc_field_without_a_right_instance_is_refused(value: bytes) -> None:
    with pytest.raises(AuthresError):
        parse_arc(value)


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"Authentication-Results",
        b"Authentication-Results:",
        b"Received: mx; none",
        b"Authentication-Results: mx; none; none",
        b"Authentication-Results: mx 2; none",
        b"Authentication-Results: mx; dkim/2=pass",
        b"Authentication-Results: mx; dkim=pass;",
        b"Authentication-Results: mx; dkim=pass reason=\x00",
        b'Authentication-Results: mx; dkim=pass reason="a',
        b"Authentication-Results: mx; dkim=pass(a",
        b"Authentication-Results: mx; dkim=pass.header.d=a",
        b"Authentication-Results: mx; dkim=pass reason=a reason=b",
    ],
)
def test_field_that_is_not_as_the_rfc_has_it_is_refused(field: bytes) -> None:
    with pytest.raises(AuthresError):
        parse(field)


@given(st.binary(max_size=60))
def test_any_octets_are_results_or_an_error(value: bytes) -> None:
    try:
        results = parse_value(value)
    except AuthresError:
        return
    build(results)


@pytest.mark.parametrize(
    "part",
    [b"(", b")", b"()", b'"', b'\\"', b";", b"a", b"a-", b"a.", b"; a=b", b" a.b=c", b"@", b" ", b"\r\n ", b"a@b."],
)
@pytest.mark.parametrize("before", [b"", b"mx; ", b"mx; dkim=pass ", b"mx; dkim=pass a.b=", b'mx; dkim=pass reason="'])
def test_field_of_any_texture_is_read_in_linear_time(before: bytes, part: bytes) -> None:
    def lines(size: int) -> int:
        def work() -> None:
            with suppress(AuthresError):
                parse_value(before + part * (size // len(part)))

        return lines_run(work)

    assert growth(lines, MAX_SIZE // 8) < 4


def test_field_that_is_larger_than_any_honest_one_is_refused() -> None:
    value = b"mx; dkim=pass header.b="
    assert parse_value(value + b"a" * (MAX_SIZE - len(value)))
    with pytest.raises(AuthresError, match="larger"):
        parse_value(value + b"a" * (MAX_SIZE + 1 - len(value)))
