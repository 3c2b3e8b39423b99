"""Who a message is from: one clear domain, or none and why."""

import time
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.author import FACTS, MAX_FROM, MESSAGE_FACTS, Author, find_author, message_facts
from gateway.domain import canonical_domain
from tests.support.mailbytes import message_of


def author_of(value: bytes | str) -> Author:
    octets = value if isinstance(value, bytes) else value.encode()
    return find_author(message_of(b"From: " + octets + b"\r\n\r\n"))


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("bob@example.org", "bob@example.org"),
        ("<bob@example.org>", "bob@example.org"),
        ("< bob@example.org >", "bob@example.org"),
        ("Bob <bob@EXAMPLE.org>", "bob@example.org"),
        ("Bob Q. Public <bob@example.org>", "bob@example.org"),
        ('"Public, Bob" <bob@example.org>', "bob@example.org"),
        ('"eve@example.net" <bob@example.org>', "bob@example.org"),
        ('"\\"<eve@example.net>" <bob@example.org>', "bob@example.org"),
        ("=?utf-8?q?eve=40example.net?= <bob@example.org>", "bob@example.org"),
        ("=?utf-8?b?ZXZlQGV4YW1wbGUubmV0?= <bob@example.org>", "bob@example.org"),
        ("[Team] Bob\r\n <bob@example.org>", "bob@example.org"),
        ("bob@example.org (Bob)", "bob@example.org"),
        ("(eve@example.net (a (b) \\) c)) bob@example.org", "bob@example.org"),
        ("Bob (eve@example.net) <bob@example.org> (Bob)", "bob@example.org"),
        ("bob@example.org <bob@example.org>", "bob@example.org"),
        ("<@a.example,@b.example:bob@example.org>", "bob@example.org"),
        ('"Bob B"@example.org', '"Bob B"@example.org'),
        ("bob@example.org.", "bob@example.org"),
        ("bob..b.@example.org", "bob..b.@example.org"),
        ("bob@Bücher.example", "bob@xn--bcher-kva.example"),
        (",, bob@example.org,", "bob@example.org"),
        ("Team: bob@example.org;", "bob@example.org"),
    ],
)
def test_one_clear_address_is_the_author(value: str, address: str) -> None:
    author = author_of(value)
    assert author == Author(addresses=(address,), domain=address.rpartition("@")[2])


@pytest.mark.parametrize(
    "value",
    ["a@example.org, B <b@example.org>", "Team: a@example.org, b@Example.org;", "a@example.org, G: b@example.org;"],
)
def test_authors_of_one_domain_have_that_domain(value: str) -> None:
    author = author_of(value)
    assert author.domain == "example.org"
    assert len(author.addresses) == 2


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "nobody"),
        ("Undisclosed:;", "nobody"),
        ("(bob@example.org)", "nobody"),
        ("<>", "not one address"),
        ("Bob", "not one address"),
        ("Public, Bob <bob@example.org>", "not one address"),
        ("eve@example.net bob@example.org", "not one address"),
        ("eve@example.net@example.org", "not one address"),
        ("<eve@example.net><bob@example.org>", "not one address"),
        ("eve@example.net, bob@example.org", "several domains"),
        ("Team: eve@example.net, bob@example.org;", "several domains"),
        ("eve@example.net <bob@example.org>", "another domain"),
        ("<bob@example.org> eve", "text behind"),
        ("<bob@example.org> <eve@example.net>", "not one address"),
        ("<(eve@example.net) bob@example.org>", "a comment within"),
        ("<bob@example.org (eve@example.net)>", "a comment within"),
        ("bob(eve@example.net)@example.org", "comment inside"),
        ("bob@example.org .example.net", "white space"),
        ("bob@example.org\r\n .example.net", "white space"),
        ("bob @example.org", "white space"),
        ("=?utf-8?q?eve=40example.net?=@example.org", "encoded word"),
        ("=?utf-8?q?eve=40example.net?=", "not one address"),
        ('"eve@example.net"@example.org', "readers could take"),
        ('"eve\x00"@example.org', "readers could take"),
        ("bob@[192.0.2.1]", "not of a domain"),
        ("bob@[IPv6:2001:db8::1]", "not of a domain"),
        ("bob@example..org", "not of a domain"),
        ("bob@example.org\x00", "not of a domain"),
        ("bob@example.org。example.net", "not of a domain"),
        ("bob@exa\u200bmple.org", "not of a domain"),
        ("eve@example.net: bob@example.org;", "without a name"),
        ("Team: bob@example.org", "does not end"),
        ("A: B: bob@example.org;;", "where no group"),
        ("bob@example.org;", "where no group"),
        ("(bob@example.org", "comment that does not end"),
        ('"bob@example.org', "cannot be understood"),
        ("bob\\@example.org", "cannot be understood"),
        ("<bob@example.org", "does not close"),
        ("bob@", "without a local part or a domain"),
        ("@example.org", "without a local part or a domain"),
        ("<@example.net>", "without a local part"),
    ],
)
def test_unclear_from_field_has_no_domain(value: str, problem: str) -> None:
    author = author_of(value)
    assert author.domain == ""
    assert problem in author.problem


def test_octets_that_are_not_utf8_make_no_domain() -> None:
    assert author_of(b"bob@b\xfccher.example").domain == ""
    assert author_of(b"B\xfcrgel <bob@example.org>").domain == "example.org"


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"Subject: x\r\n", "no From field"),
        (b"From: a@example.org\r\nFrom: a@example.org\r\n", "more than one From field"),
        (b"From: a@example.org\r\nFROM : b@example.net\r\n", "more than one From field"),
        (b"From: a@example.org\r\nFrom\r\n : b@example.net\r\n", "more than one From field"),
        (b"From: a@example.org," + b" " * MAX_FROM + b"\r\n", "larger than"),
    ],
)
def test_missing_repeated_or_endless_from_field_has_no_domain(header: bytes, problem: str) -> None:
    author = find_author(message_of(header + b"\r\n"))
    assert author.domain == ""
    assert problem in author.problem


_marks = ["@", "<", ">", ",", ":", ";", '"', "(", ")", "\\", " ", "\r\n ", "=?x?q?", "?=", "[", "]"]
pieces = st.lists(st.sampled_from(["a", "b@c.d", "e.f", "ü", *_marks]), max_size=14).map("".join)


@given(pieces | st.text(max_size=60))
def test_domain_is_never_there_beside_a_problem(value: str) -> None:
    author = author_of(value.replace("\n", " ").replace("\r", " "))
    assert (author.domain == "") is (author.problem != "")


@given(pieces)
def test_domain_is_one_that_a_common_reader_sees_too(value: str) -> None:
    """Where the standard library's reader finds an address at all, it is of the domain that we find."""
    author = author_of(value)
    seen = {address.rpartition("@")[2].lower() for _, address in getaddresses([value]) if "@" in address}
    if author.domain and seen:
        assert author.domain in {canonical_domain(domain) for domain in seen}


@pytest.mark.parametrize(
    "part", [b"(", b")", b'"', b"\\", b"<", b">", b"a@b,", b"<a@b>,", b":", b"a:", b"@", b" ", b"a ", b"["]
)
def test_hostile_field_costs_little(part: bytes) -> None:
    began = time.process_time()
    author_of(part * ((MAX_FROM - 10) // len(part)))
    author_of(part * ((1 << 20) // len(part)))
    assert time.process_time() - began < 5


def test_facts_are_those_declared() -> None:
    message = message_of(
        b"Received: a\r\nReceived: b\r\nno field\r\nFrom: Bob@example.org\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\r\nbody"
    )
    facts = message_facts(message, find_author(message))
    assert set(facts) == {fact.name for fact in (*FACTS, *MESSAGE_FACTS)}
    assert facts["author.address"] == "bob@example.org"
    assert facts["author.domain"] == "example.org"
    assert facts["author.count"] == 1
    assert facts["subject"] == "é"
    assert facts["received.count"] == 2
    assert facts["message.malformed"] == 1
    assert facts["message.size"] == message.size
