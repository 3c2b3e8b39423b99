"""What becomes of a connection after its transaction."""

import pytest

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
