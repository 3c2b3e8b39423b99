"""Who a message is from: one clear domain, or none and why."""

from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.author import (
    FACTS,
    MAX_DOMAINS,
    MAX_FIELDS,
    MAX_FROM,
    MESSAGE_FACTS,
    Author,
    Form,
    find_author,
    message_facts,
)
from gateway.domain import canonical_domain
from tests.support.effort import growth, lines_run
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
    assert (author.addresses, author.domain) == ((address,), address.rpartition("@")[2])
    assert (author.form, author.problem, author.claimed) == (Form.ONE, "", ())
    assert author.facts()["author.domains"] == (author.domain,)


@pytest.mark.parametrize(
    "value",
    ["a@example.org, B <b@example.org>", "Team: a@example.org, b@Example.org;", "a@example.org, G: b@example.org;"],
)
def test_authors_of_one_domain_have_that_domain(value: str) -> None:
    author = author_of(value)
    assert author.domain == "example.org"
    assert len(author.addresses) == 2
    assert (author.form, author.name) == (Form.SEVERAL, "")


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
        ("<@a.example,@b.example:bob@example.org>", "not one address"),
        ("<a:bob@example.org>", "without a local part"),
        ("eve＠example.net@example.org", "readers could take"),
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
pieces = st.lists(st.sampled_from(["a", "b@c.de", "e.fg", "ü", *_marks]), max_size=14).map("".join)


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


@given(pieces)
def test_domain_that_a_common_reader_sees_is_among_those_that_are_claimed(value: str) -> None:
    """Else a sender could write a From field whose policy nobody looks up."""
    author = author_of(value)
    unfolded = " ".join(value.split())
    seen = {canonical_domain(address.rpartition("@")[2]) for _, address in getaddresses([unfolded]) if "@" in address}
    if author.form is not Form.CROWDED:
        assert {domain for domain in seen if "." in domain} <= {*author.claimed, author.domain}


@pytest.mark.parametrize(
    ("value", "form", "claimed"),
    [
        ("", Form.EMPTY, ()),
        ("Undisclosed:;", Form.EMPTY, ()),
        ("Bob", Form.UNCLEAR, ()),
        ("bob@[192.0.2.1]", Form.ELSEWHERE, ()),
        ("bob@example..org", Form.ELSEWHERE, ("example.org",)),
        ("bob@xn--example-.org", Form.ELSEWHERE, ("example.org",)),
        ("eve@example.net, bob@example.org", Form.DIVIDED, ("example.net", "example.org")),
        ("Team: eve@example.net, bob@example.org;", Form.DIVIDED, ("example.net", "example.org")),
        ("bob@[192.0.2.1], eve@example.net", Form.ELSEWHERE, ("example.net",)),
        ("eve@example.net <bob@example.org>", Form.UNCLEAR, ("example.net", "example.org")),
        ("eve@example.net bob@example.org", Form.UNCLEAR, ("example.net", "example.org", "example.netbob")),
        ("Public, Bob <bob@example.org>", Form.UNCLEAR, ("example.org",)),
        ("<bob@example.org", Form.UNCLEAR, ("example.org",)),
        ("bob@example.org\\", Form.UNCLEAR, ("example.org",)),
        ("bob @ example.org", Form.UNCLEAR, ("example.org",)),
        ("<@a.example:bob@example.org>", Form.UNCLEAR, ("a.example", "example.org")),
        ('bob@"example.org"', Form.ELSEWHERE, ("example.org",)),
        ("bob@(x)example.org", Form.UNCLEAR, ("example.org",)),
        ("bob@example(x(y)).org", Form.UNCLEAR, ("example.org",)),
        ("bob@example.org .example.net", Form.UNCLEAR, ("example.org", "example.org.example.net")),
        ('"eve@example.net"@example.org', Form.UNCLEAR, ("example.net", "example.org")),
        ("=?utf-8?q?eve=40example.net?=@example.org", Form.UNCLEAR, ("example.org", "example.net")),
        ("=?utf-8?b?ZXZlQGV4YW1wbGUubmV0?=", Form.UNCLEAR, ("example.net",)),
        ("Bob <bob＠example.org>", Form.UNCLEAR, ("example.org",)),
        (
            "bob@Bücher.example, eve@xn--bcher-kva.example.net",
            Form.DIVIDED,
            ("xn--bcher-kva.example", "xn--bcher-kva.example.net"),
        ),
    ],
)
def test_unclear_field_claims_every_domain_that_it_could_mean(value: str, form: Form, claimed: tuple[str, ...]) -> None:
    author = author_of(value)
    assert (author.domain, author.form, author.claimed) == ("", form, claimed)
    assert author.facts()["author.domains"] == claimed


def test_every_from_field_claims_its_domain() -> None:
    author = find_author(message_of(b"From: a@example.org\r\nSubject: x\r\nFrom: B <b@example.net>\r\n\r\n"))
    assert (author.form, author.claimed) == (Form.REPEATED, ("example.org", "example.net"))


@pytest.mark.parametrize(
    "header",
    [
        ", ".join(f"a@d{number}.example" for number in range(MAX_DOMAINS + 1)).join(("From: ", "\r\n")),
        "From: a@example.org\r\n" * (MAX_FIELDS + 1),
        f"From: {'a' * MAX_FROM} <a@example.org>\r\n",
        f"From: a@example.net\r\nFrom: {'a' * (MAX_FROM // 2)} <a@example.org>\r\n",
    ],
)
def test_field_that_is_too_much_is_crowded(header: str) -> None:
    author = find_author(message_of(f"{header}\r\n".encode()))
    assert (author.domain, author.form) == ("", Form.CROWDED)
    assert len(author.claimed) <= MAX_DOMAINS


@pytest.mark.parametrize(
    ("value", "name", "domains", "address"),
    [
        ("bob@example.org", "", (), ""),
        ("Bob Q. Public <bob@example.org>", "Bob Q. Public", (), ""),
        ('"Public, \\"Bob\\"" <bob@example.org>', 'Public, "Bob"', (), ""),
        ("=?utf-8?q?B=C3=B6b?= =?utf-8?q?_P?= <bob@example.org>", "Böb P", (), ""),
        ("bob@example.org <bob@example.org>", "bob@example.org", ("example.org",), ""),
        ("bob@EXAMPLE.org (Bob)", "", (), ""),
        ('"support@news.example.org" <bob@example.org>', "support@news.example.org", ("news.example.org",), ""),
        ('"eve@example.net" <bob@example.org>', "eve@example.net", ("example.net",), "eve@example.net"),
        ("=?utf-8?q?eve=40example.net?= <bob@example.org>", "eve@example.net", ("example.net",), "eve@example.net"),
        ('"=?utf-8?q?eve=40example.net?=" <bob@example.org>', "eve@example.net", ("example.net",), "eve@example.net"),
        (
            "=?utf-8?b?ZXZlQGV4?= =?utf-8?b?YW1wbGUubmV0?= <bob@example.org>",
            "eve@example.net",
            ("example.net",),
            "eve@example.net",
        ),
        (
            "=?utf-8?q?eve=EF=BC=A0example.net?= <bob@example.org>",
            "eve@example.net",
            ("example.net",),
            "eve@example.net",
        ),
        (
            "=?utf-8?q?eve=40exam=E2=80=8Bple.net?= <bob@example.org>",
            "eve@example.net",
            ("example.net",),
            "eve@example.net",
        ),
        ('"eve\\@example.net" <bob@example.org>', "eve@example.net", ("example.net",), "eve@example.net"),
        ("bob@example.org (eve@example.net)", "", ("example.net",), "eve@example.net"),
        (
            "\"'eve@example.net' via List\" <bob@example.org>",
            "'eve@example.net' via List",
            ("example.net",),
            "eve@example.net",
        ),
        ("eve@xn--bcher-kva.example: bob@example.org;", None, None, None),
        ("Bank.Example <bob@example.org>", "Bank.Example", ("bank.example",), ""),
        ("Bücher.example <bob@xn--bcher-kva.example>", "Bücher.example", ("xn--bcher-kva.example",), ""),
        ("J.R. Public, <bob@example.org>", None, None, None),
        ("J. R. Public v1.2 <bob@example.org>", "J. R. Public v1.2", (), ""),
    ],
)
def test_display_name_is_read_as_it_is_shown(
    value: str, name: str | None, domains: tuple[str, ...] | None, address: str | None
) -> None:
    author = author_of(value)
    if name is None:
        assert (author.domain, author.name, author.name_domains, author.name_address) == ("", "", (), "")
    else:
        assert (author.name, author.name_domains, author.name_address) == (name, domains, address)


@pytest.mark.parametrize(
    "part", [b"(", b")", b'"', b"\\", b"<", b">", b"a@b,", b"<a@b>,", b":", b"a:", b"@", b" ", b"a ", b"["]
)
def test_hostile_field_costs_little(part: bytes) -> None:
    author_of(part * ((MAX_FROM - 10) // len(part)))
    author_of(part * ((1 << 20) // len(part)))
    assert growth(lambda times: lines_run(lambda: author_of(part * times)), 200) < 4


def test_facts_are_those_declared() -> None:
    message = message_of(
        b"Received: a\r\nReceived: b\r\nTo: a@b.example\r\nTO : c@d.example\r\nDate: x\r\nX: 1\r\nX: 2\r\n"
        b"no field\r\nFrom: Bob@example.org\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\r\nbody"
    )
    facts = message_facts(message, find_author(message))
    assert set(facts) == {fact.name for fact in (*FACTS, *MESSAGE_FACTS)}
    assert facts["author.address"] == "bob@example.org"
    assert facts["author.domain"] == "example.org"
    assert facts["author.count"] == 1
    assert facts["subject"] == "é"
    assert facts["received.count"] == 2
    assert facts["message.repeated"] == ("to",)
    assert facts["message.malformed"] == 1
    assert facts["message.size"] == message.size
