"""Paths of MAIL and RCPT: what is a mailbox, what it is on the wire, and the forms that once relayed mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope import Address, Envelope, PathError, Recipient, parse_forward_path, parse_reverse_path
from gateway.realm import Realm

OURS = Realm(domains=["example.org"])


@pytest.mark.parametrize(
    ("path", "local", "domain"),
    [
        ("<bob@Example.ORG>", "bob", "example.org"),
        ("<Bob.B@example.org.>", "Bob.B", "example.org"),
        ('<"bob"@example.org>', "bob", "example.org"),
        ('<"b\\ob"@example.org>', "bob", "example.org"),
        ('<"b b"@example.org>', '"b b"', "example.org"),
        ("<bob@[192.0.2.1]>", "bob", "[192.0.2.1]"),
        ("<bob@[IPv6:2001:db8::1]>", "bob", "[ipv6:2001:db8::1]"),
        ("<böb@Bücher.example>", "böb", "xn--bcher-kva.example"),
        ("<a=b+c/d!e%f@example.org>", "a=b+c/d!e%f", "example.org"),
    ],
)
def test_mailbox_is_parsed(path: str, local: str, domain: str) -> None:
    assert parse_forward_path(path) == parse_reverse_path(path) == Address(local=local, domain=domain)


def test_null_reverse_path_is_no_address() -> None:
    assert parse_reverse_path("<>") is None
    with pytest.raises(PathError):
        parse_forward_path("<>")


def test_postmaster_needs_no_domain() -> None:
    assert str(parse_forward_path("<PostMaster>")) == "PostMaster"
    assert OURS.holds(parse_forward_path("<PostMaster>"))


@pytest.mark.parametrize(
    "path",
    [
        "bob@example.org",
        "<bob@example.org",
        "<bob>",
        "<bob@>",
        "<@example.org>",
        "<bob@example.org> SIZE=1",
        "<bob@example.org><eve@example.net>",
        "<bob@@example.org>",
        "<bob@exa mple.org>",
        "<bob@example..org>",
        "<bob@-example.org>",
        "<bob..b@example.org>",
        "<.bob@example.org>",
        "<b b@example.org>",
        '<"bob@example.org>',
        '<"b"b@example.org>',
        "<bob(comment)@example.org>",
        "<bob@example.org\r\nDATA>",
        "<bo\x00b@example.org>",
        '<"b\x00b"@example.org>',
        "<b\x85b@example.org>",
        "<b\u2028b@example.org>",
        "<b\u202eb@example.org>",
        "<b\udcffb@example.org>",
        "<bob@ex\udcffample.org>",
        "<bob@example.org。example.net>",
        "<@example.net,:bob@example.org>",
        f"<{'b' * 65}@example.org>",
        f"<bob@{'a.' * 125}org>",
    ],
)
def test_path_that_is_no_mailbox_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        parse_forward_path(path)


@given(st.text(max_size=80).map(lambda inner: f"<{inner}>") | st.text(max_size=20))
def test_any_text_is_an_address_or_an_error(path: str) -> None:
    try:
        address = parse_forward_path(path)
    except PathError:
        return
    assert parse_forward_path(f"<{address}>") == address
    assert not any(character in str(address) for character in "\r\n\x00")


@pytest.mark.parametrize(
    "path",
    [
        "<eve%example.net@example.org>",
        "<example.net!eve@example.org>",
        '<"eve@example.net"@example.org>',
        '<"eve%example.net"@example.org>',
        '<"\\e\\v\\e%example.net"@example.org>',
        "<@example.org:eve@example.net>",
        "<@example.org,@example.org:eve%example.org@example.net>",
        "<eve@example.net@example.org>",
        "<eve@[192.0.2.1]>",
        "<eve@[example.org]>",
        "<eve@example.org.example.net>",
        "<eve@notexample.org>",
    ],
)
def test_form_that_once_relayed_gains_nothing(path: str) -> None:
    try:
        address = parse_forward_path(path)
    except PathError:
        return
    assert not OURS.holds(address)


def test_source_route_is_dropped() -> None:
    assert parse_forward_path("<@example.net,@other.example:bob@example.org>") == Address("bob", "example.org")


def test_quoted_and_bare_spelling_compare_as_one() -> None:
    assert parse_forward_path('<"B B"@example.org>').bare_local == "b b"
    assert parse_forward_path("<POSTMASTER@example.org>").bare_local == "postmaster"


def test_facts_of_an_envelope() -> None:
    sender = parse_reverse_path("<Eve@Example.net>")
    recipients = (Recipient(Address("Bob", "example.org")), Recipient(Address("amy", "example.org")))
    facts = Envelope(id="1", sender=sender, recipients=recipients).facts()
    assert facts["sender.address"] == "eve@example.net"
    assert facts["sender.null"] is False
    assert facts["recipients"] == ("bob@example.org", "amy@example.org")
    assert Envelope(id="1", sender=None).facts()["sender.null"] is True
