"""SpamAssassin's trust, written from ours."""

from ipaddress import ip_network

import pytest

from gateway.scoring.trust import render_trust


def rendered(own: list[str], relay: list[str]) -> list[str]:
    text = render_trust([ip_network(n) for n in own], [ip_network(n) for n in relay], "mx.example.org")
    return [line for line in text.splitlines() if "networks" in line]


def test_own_networks_and_relay_partners_are_trusted_and_internal():
    assert rendered(["10.0.0.0/8"], ["2001:db8::/32"]) == [
        "trusted_networks 10.0.0.0/8",
        "trusted_networks 2001:db8::/32",
        "internal_networks 10.0.0.0/8",
        "internal_networks 2001:db8::/32",
    ]


def test_networks_within_others_and_loopback_are_left_out():
    assert rendered(["10.0.0.0/8", "127.0.0.0/8", "::1/128"], ["10.1.0.0/16", "127.0.0.1/32"]) == [
        "trusted_networks 10.0.0.0/8",
        "internal_networks 10.0.0.0/8",
    ]


def test_without_networks_nothing_is_left_to_guess():
    assert rendered([], []) == ["trusted_networks !0.0.0.0/0", "internal_networks !0.0.0.0/0"]


def test_authserv_id_is_trusted():
    assert "authres_trusted_authserv mx.example.org\n" in render_trust([], [], "mx.example.org")


@pytest.mark.parametrize("text", ["", "two words", "mx.example.org\nrequired_score 100", "a;b", "-mx", "x" * 256])
def test_authserv_id_that_is_no_host_name_is_refused(text):
    with pytest.raises(ValueError, match="authserv-id"):
        render_trust([], [], text)
