"""Fuzzed messages and envelopes: each parser gives a value or its own error, and no octet is lost on the way."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.addresses import split_host_port
from gateway.author import find_author, message_facts
from gateway.authres.received import loop_problem, received_field
from gateway.connection import Tls
from gateway.domain import MAX_DOMAIN, canonical_domain
from gateway.encodedwords import decode_words
from gateway.envelope import (
    MAX_LOCAL_PART,
    Address,
    PathError,
    Recipient,
    parse_forward_path,
    parse_reverse_path,
)
from gateway.lines import to_crlf
from gateway.mailboxes import MailboxError, parse_mailboxes
from gateway.message import HeaderTooLarge, parse_message, split_fields
from gateway.system.dns import is_name
from tests.support.hostility import fuzzed, mutants, texts
from tests.support.mailbytes import Bytes, message_of, subject_of
from tests.support.soundness import assert_facts, assert_field

HEADERS = (
    b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: A letter\r\n\r\nHi.\r\n",
    b"Received: from a by b\r\n\tfor <c@example.net>; Mon, 1 Jan 2024 00:00:00 +0000\r\nFrom:\r\n a@b.example\r\n\r\n",
    b"From : a@b.example\r\nno field\r\n: no name\r\n\xff: x\r\nA:\r\n",
    b"\r\nno header",
    b" folded from the first\r\nFrom: a@b.example\r\n\r\n\r\n\r\n",
)
AUTHORS = (
    b"ann@example.org",
    b'"Public, Bob" <bob@EXAMPLE.org> (Bob)',
    b"=?utf-8?q?eve=40example.net?= <bob@example.org>",
    b"(a (nested (comment))) <@a.example,@b.example:ann@example.org>",
    b'Team: "a b"@example.org, Bob <bob@example.net>;, ann@[192.0.2.1]',
    "Bücher <info@bücher.example>".encode(),
)
DOMAINS = ("example.org", "BÜCHER.example.", "xn--bcher-kva.example", "_dmarc.example.org", "x" * 63 + ".org", "рф")
PATHS = ("<ann@example.org>", '<"a b\\""@example.org>', "<>", "<@a.example,@b.example:a@[192.0.2.1]>", "<postmaster>")
WORDS = (b"=?utf-8?q?caf=C3=A9_one?= =?iso-8859-1*fr?B?w6k=?= text", b"=?utf-7?b?KzJBQS0=?=", b"plain\r\n folded")
HOSTS = ("127.0.0.1:25", "[2001:db8::1]:2525", "mx.example.org:65535")


@fuzzed(120)
@given(mutants(HEADERS), st.integers(1, 70), st.sampled_from([1, 60, 1 << 20]))
def test_header_and_rest_are_the_message_again(octets: bytes, step: int, max_header: int) -> None:
    try:
        message = parse_message(Bytes(octets, step), max_header=max_header)
    except HeaderTooLarge:
        return
    assert message.header_size <= max_header
    count = len(message.fields)
    assert parse_message(Bytes(octets, step), max_header=max_header, max_fields=count) == message
    with pytest.raises(HeaderTooLarge):
        parse_message(Bytes(octets, step), max_header=max_header, max_fields=count - 1)
    assert b"".join(field.raw for field in message.fields) == octets[: message.header_size]
    assert b"".join(message.rest()) == octets[message.header_size :]
    for field in message.fields:
        assert field.name == field.name.lower()
        assert field.name.isprintable()
        field.text.encode()
        assert field.value in field.raw


@fuzzed(120)
@given(mutants(AUTHORS), st.integers(0, 2))
def test_author_has_sound_facts(value: bytes, repeated: int) -> None:
    subject = subject_of(b"From: b@example.org\r\n" * repeated + b"From: " + value + b"\r\n\r\n")
    assert subject.message is not None
    author = find_author(subject.message)
    assert_facts(message_facts(subject.message, author))
    assert bool(author.domain) is not bool(author.problem)
    assert not (repeated and author.domain)


@fuzzed(120)
@given(mutants(AUTHORS))
def test_mailboxes_have_canonical_domains(value: bytes) -> None:
    with suppress(MailboxError):
        for mailbox in parse_mailboxes(value):
            assert canonical_domain(mailbox.domain) == mailbox.domain
            assert mailbox.local
            assert "@" not in mailbox.local


@fuzzed(120)
@given(texts(DOMAINS))
def test_canonical_domain_is_one_that_dns_can_hold_and_stays(text: str) -> None:
    canonical = canonical_domain(text)
    assert canonical == "" or (is_name(canonical) and canonical.isascii() and canonical == canonical.lower())
    assert canonical_domain(canonical) == canonical
    assert canonical_domain(canonical.upper()) == canonical


@fuzzed(120)
@given(texts(PATHS))
def test_path_is_an_address_that_can_be_written_again(text: str) -> None:
    for parse in (parse_reverse_path, parse_forward_path):
        with suppress(PathError):
            address = parse(text)
            if address is None or not address.domain:
                continue
            assert parse(f"<{address}>") == address
            assert str(address).isprintable()
            assert address.domain.startswith("[") or canonical_domain(address.domain) == address.domain


@fuzzed(100)
@given(mutants(WORDS))
def test_what_is_shown_of_a_field_can_be_encoded(value: bytes) -> None:
    decode_words(value).encode()


@fuzzed(100)
@given(texts(HOSTS))
def test_host_and_port_are_told_apart_or_refused(text: str) -> None:
    with suppress(ValueError):
        host, port = split_host_port(text)
        assert host
        assert 0 <= port < 65536


@fuzzed(100)
@given(texts(("mail.example.org", "[IPv6:2001:db8::1]")), texts(DOMAINS), texts(("TLSv1.3", "AES")), texts(("ann",)))
def test_received_field_is_one_field(helo: str, name: str, cipher: str, local: str) -> None:
    subject = subject_of(HEADERS[0])
    connection = replace(subject.connection, helo=helo, tls=Tls(cipher, cipher, 256))
    name = name[:MAX_DOMAIN]
    envelope = replace(subject.envelope, recipients=(Recipient(Address(local[:MAX_LOCAL_PART], name)),))
    octets = received_field(connection, envelope, hostname="mx", client_name=name, now=1.7e9, ident=name[:24])
    assert_field(octets)
    assert len(split_fields(octets)) == 1
    assert octets.count(b";") == 1


@fuzzed(100)
@given(mutants(HEADERS))
def test_loops_are_looked_for_in_any_message(octets: bytes) -> None:
    problem = loop_problem(message_of(octets * 3), "mx.example.org", 2, 1)
    assert problem is None or problem.isprintable()


@fuzzed(100)
@given(mutants(HEADERS))
def test_line_ends_are_brought_to_crlf_once(octets: bytes) -> None:
    brought = to_crlf(octets)
    assert to_crlf(brought) == brought
    assert brought.replace(b"\r\n", b"").count(b"\n") == brought.replace(b"\r\n", b"").count(b"\r") == 0
