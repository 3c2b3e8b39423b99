"""The servers that a resolv.conf(5) names."""

from pathlib import Path

import pytest

from gateway.system.nameservers import SystemServers, parse_server


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ("192.0.2.1", "2001:db8::1")),
        ("# nameserver 192.0.2.9\nsearch example.org\nnameserver\t192.0.2.1 # ours\noptions rotate", ("192.0.2.1",)),
        ("nameserver\nnameserver ns.example.org\nnameserver fe80::1%1\n", ("fe80::1%1",)),
        ("", ()),
        ("nameserver 192.0.2.\u0661\n", ()),
    ],
)
def test_addresses_are_found_and_all_else_is_passed_over(text: str, servers: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert SystemServers(str(file))() == servers


def test_servers_stay_while_the_file_is_being_written(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 192.0.2.1\n")
    servers = SystemServers(str(file))
    assert servers() == ("192.0.2.1",)
    file.write_text("")
    assert servers() == ("192.0.2.1",)
    file.unlink()
    assert servers() == ("192.0.2.1",)
    file.write_text("nameserver 192.0.2.22\n")
    assert servers() == ("192.0.2.22",)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_a_server_has_a_port(text: str, server: tuple[str, int]) -> None:
    assert parse_server(text) == server
