"""What is known of a client before it has sent a message."""

import pickle
from ipaddress import IPv4Address, IPv4Network, ip_address

from hypothesis import given
from hypothesis import strategies as st

from gateway.connection import ClientIPv4, plain_address


@given(st.ip_addresses(v=4))
def test_address_of_a_client_is_that_address_and_is_written_alike(ip: IPv4Address) -> None:
    client = ClientIPv4(ip.packed)
    assert (str(client), f"{client}", str(client)) == (str(ip),) * 3
    assert client == ip
    assert {client: "found"}[ip] == "found"
    assert client in IPv4Network((ip, 24), strict=False)
    assert pickle.loads(pickle.dumps(client)) == ip


def test_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address() -> None:
    assert plain_address(ip_address("::ffff:192.0.2.1")) == ip_address("192.0.2.1")
    assert plain_address(ip_address("2001:db8::1")) == ip_address("2001:db8::1")
