"""What becomes of a connection after its transaction."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.delivery.downstream import SmtpRoute
from gateway.delivery.endpoint import Endpoint, Protocol
from gateway.system.board import Board, Region
from gateway.system.line import PREFERENCE
from tests.support.deliveries import deliver, route
from tests.support.downstream import Downstream, Fault
from tests.support.waiting import until


async def test_it_is_closed_when_nobody_wants_it() -> None:
    async with Downstream() as server:
        with route(server.endpoint, idle_timeout=0.02) as hop:
            await deliver(hop)
            await until(lambda: server.open_count == 0)
    assert server.sessions[0].commands[-1] == "QUIT"


@pytest.mark.parametrize("bound", [{"max_messages": 1}, {"max_age": 0.000001}])
async def test_it_is_not_kept_beyond_its_bounds(bound: dict[str, float]) -> None:
    async with Downstream() as server:
        with route(server.endpoint, **bound) as hop:
            await deliver(hop)
            await deliver(hop)
    assert len(server.sessions) == 2


async def test_it_is_left_before_refusals_cost_the_patience_of_the_server() -> None:
    refusals = ["550 5.1.1 Unknown"] * 8
    async with Downstream({"RCPT": refusals}, {}) as server:
        with route(server.endpoint) as hop:
            for _ in refusals:
                await deliver(hop)
            await deliver(hop)
    assert len(server.sessions) == 2


async def test_a_delivery_restores_the_patience_of_the_server() -> None:
    async with Downstream({"RCPT": ["550 5.1.1 Unknown", "250 Ok"] * 10}) as server:
        with route(server.endpoint) as hop:
            for _ in range(20):
                await deliver(hop)
    assert len(server.sessions) == 1


async def test_it_is_not_used_after_words_that_nobody_asked_for() -> None:
    async with Downstream({".": ["250 2.0.0 Ok\n250 2.0.0 And more"]}, {}) as server:
        with route(server.endpoint) as hop:
            assert (await deliver(hop)).told.startswith("250")
            assert (await deliver(hop)).told.startswith("250")
    assert len(server.sessions) == 2


async def test_it_is_replaced_when_its_reset_is_refused() -> None:
    async with Downstream({"RCPT": ["550 5.1.1 Unknown"], "RSET": ["500 5.5.2 What"]}, {}) as server:
        with route(server.endpoint) as hop:
            await deliver(hop)
            assert (await deliver(hop)).told.startswith("250")
    assert len(server.sessions) == 2


async def test_a_flood_of_answers_ends_it() -> None:
    async with Downstream({"RCPT": ["250 Ok\n" * 100_000 + "250 Ok"]}) as server:
        with route(server.endpoint) as hop:
            course = await deliver(hop)
        assert str(course.rcpts[0]).startswith(("250", "451"))
        await until(lambda: server.open_count == 0)


async def test_a_closed_pool_keeps_nothing() -> None:
    async with Downstream() as server:
        with route(server.endpoint) as hop:
            hop.pool.close()
            await deliver(hop)
            await until(lambda: server.open_count == 0)


async def test_a_host_that_stays_silent_takes_a_bounded_time() -> None:
    async with Downstream({"EHLO": [Fault.SILENCE]}) as silent, Downstream() as other:
        with route(silent.endpoint, other.endpoint, command_timeout=0.1) as hop:
            assert (await deliver(hop)).told.startswith("250")


def two_workers() -> tuple[Region, Region]:
    board = Board.private(keys=64, regions=2)
    return board.region(board.hand_out()), board.region(board.hand_out())


@contextlib.contextmanager
def routes_of_two(endpoint: Endpoint, **limits: Any) -> Iterator[tuple[SmtpRoute, SmtpRoute]]:
    """A route of each of two workers to the same server."""
    one, other = two_workers()
    with route(endpoint, region=one, **limits) as here, route(endpoint, region=other, **limits) as there:
        yield here, there


async def test_connections_are_counted_for_all_workers_together() -> None:
    async with Downstream() as server:
        with routes_of_two(server.endpoint, max_connections=2, command_timeout=0.1) as (here, there):
            held = [await here.pool.take("192.0.2.1") for _ in range(2)]
            assert str((await deliver(there)).rcpts[0]).startswith("451")
            assert len(server.sessions) == 2
            for client in held:
                here.pool.give_back(client)
            assert (await deliver(there)).told.startswith("250")


async def test_one_without_work_gives_way_to_another_worker() -> None:
    async with Downstream() as server:
        with routes_of_two(server.endpoint, max_connections=1, idle_timeout=60) as (here, there):
            for hop in (here, there, here):
                assert (await deliver(hop)).told.startswith("250")
            await until(lambda: server.open_count == 1)
    assert [len(session.messages) for session in server.sessions] == [1, 1, 1]


async def test_of_two_workers_that_have_as_many_one_gives_way_only_to_a_long_wait() -> None:
    async with Downstream() as server:
        with routes_of_two(server.endpoint, max_connections=2, idle_timeout=60) as (here, there):
            own, held = await here.pool.take("192.0.2.1"), await there.pool.take("192.0.2.1")
            waiting = asyncio.create_task(there.pool.take("192.0.2.2"))
            await asyncio.sleep(0)
            here.pool.give_back(own)
            assert own.usable
            there.pool.give_back(await waiting)
            assert len(server.sessions) == 3
            there.pool.give_back(held)


async def test_nobody_takes_one_without_work_before_those_who_wait_in_another_worker() -> None:
    async with Downstream() as server:
        with routes_of_two(server.endpoint, max_connections=2, idle_timeout=60) as (here, there):
            own, held = await here.pool.take("192.0.2.1"), await there.pool.take("192.0.2.1")
            waiting = asyncio.create_task(there.pool.take("192.0.2.2"))
            await asyncio.sleep(0)
            here.pool.give_back(own)
            assert here.pool.take_idle() is None
            there.pool.give_back(held)
            there.pool.give_back(await waiting)
            assert here.pool.take_idle() is own
            here.pool.give_back(own)


async def test_worker_keeps_its_connections_as_long_as_no_other_wants_them() -> None:
    async with Downstream() as server:
        with routes_of_two(server.endpoint, max_connections=2) as (here, there):
            for hop in (here, there) * 5:
                assert (await deliver(hop)).told.startswith("250")
    assert [len(session.messages) for session in server.sessions] == [5, 5]


async def test_all_are_served_where_two_workers_want_more_than_there_is() -> None:
    async with Downstream() as server:
        with routes_of_two(server.endpoint, max_connections=3, command_timeout=30.0) as (here, there):
            courses = await asyncio.gather(*(deliver((here, there)[number % 2]) for number in range(60)))
    assert all(course.told.startswith("250") for course in courses)
    assert len(server.messages) == 60


async def test_connection_that_could_not_be_opened_takes_no_place() -> None:
    one, _ = two_workers()
    async with Downstream(*[{"banner": [Fault.CLOSE]}] * 5, {}) as server:
        with route(server.endpoint, region=one, max_connections=1) as hop:
            for _ in range(5):
                assert str((await deliver(hop)).rcpts[0]).startswith("451")
            assert (await deliver(hop)).told.startswith("250")


async def test_closed_pool_leaves_all_places_to_others() -> None:
    one, other = two_workers()
    async with Downstream() as server:
        with route(server.endpoint, region=one, max_connections=1) as here:
            await deliver(here)
        with route(server.endpoint, region=other, max_connections=1, command_timeout=0.1) as there:
            assert (await deliver(there)).told.startswith("250")


async def test_transactions_that_are_held_are_counted_for_all_workers_together() -> None:
    one, other = two_workers()
    async with Downstream() as server:
        with (
            route(server.endpoint, region=one, max_held=1) as here,
            route(server.endpoint, region=other, max_held=1) as there,
        ):
            assert here.pool.hold()
            assert not there.pool.hold()
            here.pool.unhold()
            assert there.pool.hold()


async def test_host_that_one_worker_found_dead_is_asked_last_by_the_other() -> None:
    one, other = two_workers()
    async with Downstream({"banner": [Fault.CLOSE]}, {}) as dying, Downstream() as second:
        with route(dying.endpoint, second.endpoint, region=one) as here:
            assert (await deliver(here)).told.startswith("250")
        with route(dying.endpoint, second.endpoint, region=other) as there:
            assert (await deliver(there)).told.startswith("250")
    assert (len(dying.messages), len(second.messages)) == (0, 2)


async def test_transaction_given_up_while_it_waits_leaves_its_place() -> None:
    async with Downstream() as server:
        with route(server.endpoint, max_connections=1) as hop:
            held = await hop.pool.take("192.0.2.1")
            waiting = asyncio.create_task(hop.pool.take("192.0.2.1"))
            await asyncio.sleep(0)
            hop.pool.give_back(held)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            assert (await deliver(hop)).told.startswith("250")
    assert len(server.sessions) == 1


async def test_connection_goes_to_another_worker_that_clearly_waited_longer_than_anybody_here() -> None:
    limits = {"max_connections": 1, "command_timeout": 30.0}
    async with Downstream() as server:
        with routes_of_two(server.endpoint, **limits) as (here, there):
            held = await here.pool.take("192.0.2.1")
            first = asyncio.create_task(there.pool.take("192.0.2.1"))
            await asyncio.sleep(1.2 * PREFERENCE)
            second = asyncio.create_task(here.pool.take("192.0.2.1"))
            await asyncio.sleep(0)
            here.pool.give_back(held)
            there.pool.give_back(await first)
            assert not second.done()
            here.pool.give_back(await second)


async def test_connection_that_ended_while_it_had_no_work_takes_no_place() -> None:
    async with Downstream() as server:
        with route(server.endpoint, max_connections=1) as hop:
            await deliver(hop)
            server.end_sessions()
            await until(lambda: server.open_count == 0)
            assert (await deliver(hop)).told.startswith("250")


async def test_connection_that_ends_just_when_it_is_given_back_is_closed() -> None:
    def greet(listening: socket.socket) -> socket.socket:
        server, _ = listening.accept()
        server.sendall(b"220 ready\r\n")
        server.recv(1024)  # EHLO
        server.sendall(b"250 ready\r\n")
        return server

    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = Endpoint(protocol=Protocol.SMTP, host="127.0.0.1", port=listening.getsockname()[1])
        with route(endpoint, max_connections=1) as hop:
            client, server = await asyncio.gather(hop.pool.take("192.0.2.1"), asyncio.to_thread(greet, listening))
            client.in_transaction = True
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()  # resets the connection, which the event loop has had no time to notice
            hop.pool.give_back(client)
            assert not client.usable
            hop.pool.close()


async def test_clients_take_turns_where_all_connections_are_in_use() -> None:
    async with Downstream() as server:
        with route(server.endpoint, max_connections=1, command_timeout=30.0) as hop:
            held = await hop.pool.take("flood")
            flood = [asyncio.create_task(hop.pool.take("flood")) for _ in range(2)]
            await asyncio.sleep(0)
            single = asyncio.create_task(hop.pool.take("single"))
            await asyncio.sleep(0)
            hop.pool.give_back(held)
            hop.pool.give_back(await flood[0])
            hop.pool.give_back(await single)
            assert not flood[1].done()
            hop.pool.give_back(await flood[1])
