"""Our Received field, and the loops that Received fields show."""

import re
from ipaddress import IPv6Address, ip_address
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.authres.folding import MAX_LINE
from gateway.authres.received import loop_problem, received_field
from gateway.connection import Connection, Role, Tls
from gateway.envelope import Address, Envelope, Recipient
from gateway.message import split_fields
from tests.support.mailbytes import message_of

CLIENT = Connection(
    id="c1", ip=ip_address("192.0.2.7"), port=4000, role=Role.STRANGER, opened=0.0, helo="mail.example.net", esmtp=True
)
BOB = Recipient(Address("bob", "example.org"))
ENVELOPE = Envelope(id="4XyZ-1", sender=None, recipients=(BOB,))
TLS = Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
OTHER_TLS = replace(TLS, cipher="TLS_CHACHA20_POLY1305_SHA256")

_received_re = re.compile(
    rb"Received: from [A-Za-z0-9._:\[\]?-]+ \([A-Za-z0-9._:\[\]?-]+ \[192\.0\.2\.7\]\)"
    rb" by [A-Za-z0-9._:\[\]?-]+ \(Mailward\) with ESMTP id [A-Za-z0-9._:\[\]?-]+"
    rb"( for <[^<>\s]+>)?; Mon, 24 Nov 2025 16:00:00 \+0000\r\n\Z"
)


def received(connection: Connection = CLIENT, envelope: Envelope = ENVELOPE, client_name: str = "") -> bytes:
    return received_field(
        connection, envelope, hostname="mx.example.org", client_name=client_name, now=1764000000.5, ident=envelope.id
    )


def test_field_says_who_brought_the_message() -> None:
    assert received(replace(CLIENT, tls=TLS), client_name="mail.example.net") == (
        b"Received: from mail.example.net (mail.example.net [192.0.2.7])\r\n"
        b" (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
        b" by mx.example.org (Mailward) with ESMTPS id 4XyZ-1\r\n"
        b" for <bob@example.org>; Mon, 24 Nov 2025 16:00:00 +0000\r\n"
    )


def test_field_is_of_its_own_message_whatever_came_before() -> None:
    names, addresses, secured = ("a.example", "b.example"), ("192.0.2.7", "2001:db8::7"), (None, TLS, OTHER_TLS)
    for helo, name, ip, tls, host in product(names, names, addresses, secured, names):
        client = replace(CLIENT, helo=helo, ip=ip_address(ip), tls=tls)
        field = received_field(client, ENVELOPE, hostname=host, client_name=name, now=1764000000.5, ident="4XyZ-1")
        literal = f"IPv6:{ip}" if ":" in ip else ip
        using = f" (using {tls.version} with cipher {tls.cipher} ({tls.bits}/{tls.bits} bits))\r\n" if tls else ""
        by = f" by {host} (Mailward) with {'ESMTPS' if tls else 'ESMTP'} id 4XyZ-1\r\n"
        assert field.startswith(f"Received: from {helo} ({name} [{literal}])\r\n{using}{by}".encode())
    for local, domain in product("ab", names):
        field = received(envelope=replace(ENVELOPE, recipients=(Recipient(Address(local, domain)),)))
        assert f" for <{local}@{domain}>; ".encode() in field


def test_client_without_a_confirmed_name_is_unknown() -> None:
    assert b"from mail.example.net (unknown [192.0.2.7])" in received()


def test_ipv6_address_is_a_literal() -> None:
    client = replace(CLIENT, ip=IPv6Address("2001:db8::7"))
    assert b"(unknown [IPv6:2001:db8::7])" in received(client)


def test_several_recipients_are_not_named() -> None:
    two = replace(ENVELOPE, recipients=(BOB, Recipient(Address("amy", "example.org"))))
    assert received(envelope=two) == (
        b"Received: from mail.example.net (unknown [192.0.2.7])\r\n"
        b" by mx.example.org (Mailward) with ESMTP id 4XyZ-1;\r\n Mon, 24 Nov 2025 16:00:00 +0000\r\n"
    )


@pytest.mark.parametrize("local", ['"b; x"', "bö", "envelope-from=eve", '"b b"', "b%x"])
def test_recipient_that_readers_could_stumble_over_is_not_named(local: str) -> None:
    odd = replace(ENVELOPE, recipients=(Recipient(Address(local, "example.org")),))
    assert b"for <" not in received(envelope=odd)


@pytest.mark.parametrize(
    ("smtputf8", "tls", "esmtp", "word"),
    [
        (False, None, False, b"SMTP"),
        (False, None, True, b"ESMTP"),
        (False, TLS, True, b"ESMTPS"),
        (True, None, True, b"UTF8SMTP"),
        (True, TLS, True, b"UTF8SMTPS"),
    ],
)
def test_protocol_is_named(smtputf8: bool, tls: Tls | None, esmtp: bool, word: bytes) -> None:
    field = received(replace(CLIENT, tls=tls, esmtp=esmtp), replace(ENVELOPE, smtputf8=smtputf8))
    assert b" with " + word + b" id " in field


@given(st.text(), st.text(), st.text(min_size=1), st.sampled_from([(), (BOB,), (BOB, BOB)]))
def test_nothing_that_a_client_says_breaks_out_of_its_clause(
    helo: str, client_name: str, ident: str, recipients: tuple[Recipient, ...]
) -> None:
    field = received(replace(CLIENT, helo=helo), replace(ENVELOPE, id=ident, recipients=recipients), client_name)
    assert _received_re.match(field.replace(b"\r\n ", b" "))
    assert len(split_fields(field)) == 1


@pytest.mark.parametrize("zone", ["eth0", "a\r\nX-Spam-Flag: NO\r\n", "\0\x7f \t\xe9\udc80", "z" * 2000, " " * 2000])
def test_zone_of_an_address_breaks_out_of_no_line(zone: str) -> None:
    field = received(replace(CLIENT, ip=IPv6Address(f"fe80::1%{zone}")))
    assert re.fullmatch(rb"Received: (?:[!-~]|\r\n(?= [!-~])| (?! )){1,500}\r\n", field)
    assert len(split_fields(field)) == 1


@pytest.mark.parametrize("local", ["b" * 64, "b" * 2000])
def test_lines_are_short_however_long_a_name_is(local: str) -> None:
    long = "x." * 2000
    to_long = (replace(ENVELOPE, recipients=(Recipient(Address(local, domain)),)) for domain in ("example.org", long))
    for envelope in to_long:
        field = received(replace(CLIENT, helo=long, tls=Tls(long, long, 256)), envelope, long)
        assert all(len(line) <= 998 for line in field.split(b"\r\n"))


def test_lines_are_folded_where_they_may_be() -> None:
    client = replace(CLIENT, helo="h" * 40, tls=replace(TLS, cipher="C" * 50))
    envelope = replace(ENVELOPE, id="i" * 40, recipients=(Recipient(Address("b" * 50, "example.org")),))
    for recipients in (envelope.recipients, ()):
        field = received(client, replace(envelope, recipients=recipients), "n" * 40)
        assert all(len(line) <= MAX_LINE for line in field.split(b"\r\n"))


def message_with(count: int, own: int = 0) -> bytes:
    return b"Received: from a by b; date\r\n" * count + received() * own + b"\r\n"


def test_message_on_an_ordinary_way_is_no_loop() -> None:
    assert loop_problem(message_of(message_with(10, own=1)), "mx.example.org", 50, 3) is None


def test_too_many_received_fields_are_a_loop() -> None:
    assert loop_problem(message_of(message_with(50)), "mx.example.org", 50, 3) is None
    assert loop_problem(message_of(message_with(51)), "mx.example.org", 50, 3) == "there are 51 Received fields"


def test_too_many_fields_of_ours_are_a_loop() -> None:
    assert loop_problem(message_of(message_with(1, own=3)), "mx.example.org", 50, 3) is None
    for others in (0, 1):
        assert loop_problem(message_of(message_with(others, own=4)), "MX.example.org", 50, 3) is not None


@pytest.mark.parametrize(
    "field",
    [
        b"Received: from a by other.example.org (Mailward) with SMTP; date\r\n",
        b"Received: from a by mx.example.org (Postfix) with SMTP; date\r\n",
        b"Received: from by mx.example.org(Mailward); date\r\n",
        b"X-Received: from a by mx.example.org (Mailward) with SMTP; date\r\n",
    ],
)
def test_field_of_another_host_or_software_is_not_ours(field: bytes) -> None:
    assert loop_problem(message_of(field * 9 + b"\r\n"), "mx.example.org", 50, 3) is None
