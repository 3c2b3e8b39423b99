"""Who is let in: by the connections of the host, of an address and of a network."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.connection import Role
from gateway.smtp.admission import Admission, Limit, Place
from gateway.smtp.settings import SessionSettings
from gateway.system.board import Board, Region
from gateway.system.hostcounts import HostCounts


def admission(region: Region | None = None, **settings: Any) -> Admission:
    return Admission(SessionSettings(**settings), HostCounts(region or Region.private(keys=4096)))


def workers(**settings: Any) -> tuple[Admission, Admission]:
    board = Board.private(keys=256, regions=2)
    here, there = (admission(board.region(board.hand_out()), **settings) for _ in range(2))
    return here, there


def come(door: Admission, address: str, role: Role = Role.STRANGER) -> Place | Limit:
    return door.admit(ip_address(address), role)


def test_address_has_so_many_connections_over_all_workers() -> None:
    here, there = workers(max_connections_per_address=2)
    assert isinstance(come(here, "192.0.2.1"), Place)
    second = come(there, "192.0.2.1")
    assert isinstance(second, Place)
    assert come(here, "192.0.2.1") is come(there, "192.0.2.1") is Limit.ADDRESS
    assert isinstance(come(here, "192.0.2.2"), Place)
    there.leave(second)
    assert isinstance(come(here, "192.0.2.1"), Place)


class Claimed(HostCounts):
    """Knows how often something was claimed of it."""

    claims = 0

    def claim_each(self, keys: Sequence[int], limits: Sequence[int]) -> int | None:
        self.claims += 1
        return super().claim_each(keys, limits)


def test_refused_client_is_counted_nowhere_even_for_a_moment() -> None:
    counts = Claimed(Region.private())
    door = Admission(SessionSettings(max_connections_per_prefix=1), counts)
    assert isinstance(come(door, "192.0.2.1"), Place)
    assert (claimed := counts.claims)
    assert come(door, "192.0.2.2") is Limit.PREFIX
    assert counts.claims == claimed


@pytest.mark.parametrize(
    ("within", "outside"),
    [
        ("192.0.2.9", "192.0.3.1"),
        ("2001:db8:1:ffff::1", "2001:db8:2::1"),
    ],
)
def test_network_has_so_many_connections(within: str, outside: str) -> None:
    door = admission(max_connections_per_prefix=1)
    first = "192.0.2.1" if "." in within else "2001:db8:1::1"
    assert isinstance(come(door, first), Place)
    assert come(door, within) is Limit.PREFIX
    assert isinstance(come(door, outside), Place)


def test_length_of_a_network_is_a_setting() -> None:
    door = admission(max_connections_per_prefix=1, ipv4_prefix=16, ipv6_prefix=64)
    assert isinstance(come(door, "192.0.2.1"), Place)
    assert come(door, "192.0.3.1") is Limit.PREFIX
    assert isinstance(come(door, "2001:db8:1:1::1"), Place)
    assert isinstance(come(door, "2001:db8:1:2::1"), Place)


def test_networks_of_ipv4_and_of_ipv6_are_not_mixed_up() -> None:
    door = admission(max_connections_per_prefix=1, ipv4_prefix=32, ipv6_prefix=32)
    assert isinstance(come(door, "32.1.13.184"), Place)  # 2001:0db8 in hexadecimal
    assert isinstance(come(door, "2001:db8::1"), Place)


def test_host_has_so_many_connections() -> None:
    here, there = workers(max_connections=2)
    assert isinstance(come(here, "192.0.2.1"), Place)
    assert isinstance(come(there, "198.51.100.1"), Place)
    assert come(here, "203.0.113.1") is Limit.CONNECTIONS
    assert here.connections == 2


@pytest.mark.parametrize("role", [Role.INTERNAL, Role.RELAY])
def test_others_than_strangers_are_counted_and_always_let_in(role: Role) -> None:
    door = admission(max_connections=2, max_connections_per_address=1, max_connections_per_prefix=1)
    places = [come(door, "192.0.2.1", role) for _ in range(5)]
    assert all(isinstance(place, Place) for place in places)
    assert come(door, "198.51.100.1") is Limit.CONNECTIONS
    for place in places:
        assert isinstance(place, Place)
        door.leave(place)
    assert isinstance(come(door, "198.51.100.1"), Place)


def test_refused_client_takes_nothing_from_others() -> None:
    door = admission(max_connections=1, max_connections_per_address=1, max_connections_per_prefix=2)
    first = come(door, "192.0.2.1")
    for number in range(2, 20):
        assert come(door, f"192.0.2.{number}") is Limit.CONNECTIONS
    assert isinstance(first, Place)
    door.leave(first)
    assert isinstance(come(door, "192.0.2.7"), Place)


def test_replies_are_temporary_and_close_the_connection() -> None:
    told = {limit: str(limit.reply) for limit in Limit}
    assert told[Limit.CONNECTIONS].startswith("421 4.3.2 ")
    assert told[Limit.ADDRESS].startswith("421 4.7.0 ")
    assert told[Limit.PREFIX].startswith("421 4.7.0 ")
    assert told[Limit.MESSAGES].startswith("452 4.3.1 ")


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.booleans()), max_size=150))
def test_limits_hold_whatever_comes_and_goes_in_two_workers(steps: list[tuple[int, int, bool]]) -> None:
    most, per_address, per_prefix = 5, 2, 3
    pair = workers(max_connections=most, max_connections_per_address=per_address, max_connections_per_prefix=per_prefix)
    addresses = [f"192.0.{number // 3}.{number}" for number in range(6)]
    held: list[tuple[int, int, Place]] = []
    for worker, number, leaves in steps:
        if leaves:
            if held:
                index, _, place = held.pop(0)
                pair[index].leave(place)
            continue
        same = sum(other == number for _, other, _ in held)
        near = sum(other // 3 == number // 3 for _, other, _ in held)
        room = same < per_address and near < per_prefix and len(held) < most
        answer = come(pair[worker], addresses[number])
        assert isinstance(answer, Place) is room
        if isinstance(answer, Place):
            held.append((worker, number, answer))
    for index, _, place in held:
        pair[index].leave(place)
    assert pair[0].connections == 0
