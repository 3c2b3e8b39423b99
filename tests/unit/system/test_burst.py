"""Burst: the writes of a turn, in their order; at once where few would wait for each other."""

import asyncio
import socket
from typing import cast

import pytest

from gateway.system.burst import MANY, Burst
from tests.support.loops import on_both_loops


class Pipe:
    def __init__(self, told: list[bytes]) -> None:
        self.told = told
        self.closing = False

    def write(self, octets: bytes) -> None:
        self.told.append(octets)

    def is_closing(self) -> bool:
        return self.closing


def pipes(count: int) -> tuple[list[bytes], list[asyncio.WriteTransport]]:
    told: list[bytes] = []
    return told, [cast(asyncio.WriteTransport, Pipe(told)) for _ in range(count)]


async def test_writes_of_a_turn_leave_at_its_end_in_their_order() -> None:
    told, (one, another) = pipes(2)
    burst = Burst(lambda: MANY)
    burst.write(one, b"1")
    burst.write(another, b"2")
    burst.write(one, b"3")
    assert told == []
    await asyncio.sleep(0)
    assert told == [b"1", b"2", b"3"]
    burst.write(another, b"4")
    await asyncio.sleep(0)
    assert told == [b"1", b"2", b"3", b"4"]


async def test_where_few_are_connected_nothing_waits() -> None:
    told, (one,) = pipes(1)
    Burst(lambda: MANY - 1).write(one, b"1")
    assert told == [b"1"]


async def test_nothing_overtakes_what_waits() -> None:
    told, (one,) = pipes(1)
    connections = MANY
    burst = Burst(lambda: connections)
    burst.write(one, b"1")
    connections = 0
    burst.write(one, b"2")
    await asyncio.sleep(0)
    assert told == [b"1", b"2"]


async def test_all_of_it_can_leave_before_the_end_of_the_turn() -> None:
    told, (one, another) = pipes(2)
    burst = Burst(lambda: MANY)
    burst.write(one, b"1")
    burst.write(another, b"2")
    burst.leave()
    assert told == [b"1", b"2"]
    burst.write(one, b"3")
    await asyncio.sleep(0)
    assert told == [b"1", b"2", b"3"]


async def test_what_waits_for_a_connection_that_is_closed_meanwhile_is_lost() -> None:
    told, (one, another) = pipes(2)
    burst = Burst(lambda: MANY)
    burst.write(one, b"1")
    burst.write(another, b"2")
    cast(Pipe, one).closing = True
    await asyncio.sleep(0)
    assert told == [b"2"]


async def test_what_is_to_be_first_is_done_before_anything_that_waits_leaves() -> None:
    told, (one,) = pipes(1)
    burst = Burst(lambda: MANY)
    burst.write(one, b"1")
    burst.first(lambda: told.append(b"2"))
    burst.first(lambda: burst.first(lambda: told.append(b"4")))
    burst.first(lambda: told.append(b"3"))
    assert told == []
    await asyncio.sleep(0)
    assert told == [b"2", b"3", b"4", b"1"]
    burst.first(lambda: told.append(b"5"))
    burst.leave()
    await asyncio.sleep(0)
    assert told == [b"2", b"3", b"4", b"1", b"5"]


async def test_where_few_are_connected_it_is_done_at_once() -> None:
    told: list[bytes] = []
    Burst(lambda: MANY - 1).first(lambda: told.append(b"1"))
    assert told == [b"1"]


async def test_nothing_overtakes_what_is_to_be_first_though_connections_become_few() -> None:
    told, (one,) = pipes(1)
    connections = MANY
    burst = Burst(lambda: connections)
    burst.first(lambda: told.append(b"1"))
    connections = 0
    burst.write(one, b"2")
    await asyncio.sleep(0)
    assert told == [b"1", b"2"]


async def test_what_fails_before_the_writes_costs_nobody_his_own(caplog: pytest.LogCaptureFixture) -> None:
    told, (one,) = pipes(1)
    burst = Burst(lambda: MANY)
    burst.first(lambda: 1 // 0 and None)
    burst.first(lambda: told.append(b"1"))
    burst.write(one, b"2")
    burst.leave()
    assert told == [b"1", b"2"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("connections", [0, MANY])
async def test_what_fails_is_no_failure_of_who_had_it_done(caplog: pytest.LogCaptureFixture, connections: int) -> None:
    """A message that was handed on and could not be recorded must not come again."""
    burst = Burst(lambda: connections)
    burst.first(lambda: 1 // 0 and None)
    burst.leave()
    assert "ZeroDivisionError" in caplog.text


@on_both_loops
async def test_connection_that_takes_no_more_costs_the_others_nothing() -> None:
    near, far = socket.socketpair()
    half_closed, _ = await asyncio.get_running_loop().create_unix_connection(asyncio.Protocol, sock=near)
    half_closed.write_eof()
    told, (another,) = pipes(1)
    burst = Burst(lambda: MANY)
    burst.write(half_closed, b"1")
    burst.write(another, b"2")
    burst.leave()
    assert told == [b"2"]
    assert half_closed.is_closing()
    far.close()
