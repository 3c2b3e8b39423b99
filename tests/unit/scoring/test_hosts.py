"""Which spamd is asked, in which order."""

from collections import Counter
from random import Random

import pytest
from pydantic import ValidationError

from gateway.scoring.hosts import SpamdHost, TcpAddress, UnixAddress, in_order, parse_address


def test_tcp_and_unix_addresses_are_read():
    assert parse_address("127.0.0.1:783") == TcpAddress("127.0.0.1", 783)
    assert parse_address("[::1]:783") == TcpAddress("::1", 783)
    assert parse_address("unix:///run/spamd.sock") == UnixAddress("/run/spamd.sock")


@pytest.mark.parametrize(
    "text", ["", "spamd", "127.0.0.1", "127.0.0.1:99999", "::1:783", "unix://spamd.sock", "unix://"]
)
def test_address_that_is_none_is_refused_in_the_settings(text):
    with pytest.raises(ValidationError):
        SpamdHost(address=text)


def test_lower_priority_numbers_come_first():
    hosts = [SpamdHost(address=f"h{number}:783", priority=number) for number in (3, 1, 2)]
    assert [host.priority for host in in_order(hosts, Random(1))] == [1, 2, 3]


def test_every_host_is_named_once():
    hosts = [SpamdHost(address=f"h{number}:783", priority=number % 2) for number in range(6)]
    assert sorted(host.address for host in in_order(hosts, Random(1))) == sorted(host.address for host in hosts)


def test_weight_is_the_share_of_first_places():
    heavy, light = SpamdHost(address="heavy:783", weight=3), SpamdHost(address="light:783", weight=1)
    random = Random(1)
    firsts = Counter(next(in_order([heavy, light], random)).address for _ in range(4000))
    assert firsts["heavy:783"] / 4000 == pytest.approx(0.75, abs=0.03)
