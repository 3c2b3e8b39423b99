"""Which domains are ours, and who a client is by its address."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.connection import Role
from gateway.envelope import parse_forward_path
from gateway.realm import Realm, is_role_account

REALM = Realm(
    domains=["example.org", ".example.net", "sub.example.com", ".sub.example.com"],
    own=[ip_network("198.51.100.0/24"), ip_network("2001:db8:1::/48")],
    relays=[ip_network("203.0.113.7/32"), ip_network("198.51.100.9/32")],
)


@pytest.mark.parametrize(
    "address",
    ["a@example.org", "a@EXAMPLE.ORG", "a@x.example.net", "a@deep.x.example.net", "a@sub.example.com",
     "a@x.sub.example.com", "a@example.org.", "postmaster", "PostMaster"],
)  # fmt: skip
def test_mail_for_our_domains_is_for_us(address: str) -> None:
    assert REALM.holds(parse_forward_path(f"<{address}>"))


@pytest.mark.parametrize(
    "address",
    ["a@example.com", "a@x.example.org", "a@example.net", "a@notexample.net", "a@example.org.example.com",
     "a@[192.0.2.1]", "a@org", "a%example.com@example.org", "example.com!a@example.org",
     '"a@example.com"@example.org', '"a\\@example.com"@example.org', "@example.org:a@example.com"],
)  # fmt: skip
def test_nothing_else_is(address: str) -> None:
    assert not REALM.holds(parse_forward_path(f"<{address}>"))


@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("198.51.100.1", Role.INTERNAL),
        ("::ffff:198.51.100.1", Role.INTERNAL),
        ("2001:db8:1::5", Role.INTERNAL),
        ("203.0.113.7", Role.RELAY),
        ("203.0.113.8", Role.STRANGER),
        ("2001:db8:2::5", Role.STRANGER),
        ("198.51.100.9", Role.INTERNAL),  # it is in both lists
        ("127.0.0.1", Role.STRANGER),  # only what is listed
    ],
)
def test_a_client_is_who_its_address_says(address: str, role: Role) -> None:
    assert REALM.role_of(ip_address(address)) is role


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("postmaster", True),
        ("Postmaster@example.org", True),
        ("ABUSE@example.org", True),
        ('"abuse"@example.org', True),
        ("abuse+list@example.org", False),
        ("webmaster@example.org", False),
        ("postmaster.x@example.org", False),
    ],
)
def test_role_accounts_are_postmaster_and_abuse(address: str, is_one: bool) -> None:
    assert is_role_account(parse_forward_path(f"<{address}>")) is is_one
