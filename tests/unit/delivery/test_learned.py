"""What the hosts of all routes offer decides what is offered to clients: each must have been greeted, and have it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.delivery.downstream import Verification
from gateway.delivery.endpoint import Endpoint
from gateway.delivery.routes import DomainSettings, Routes, RouteSettings, Surroundings, build_routes
from gateway.envelope import Envelope
from tests.support.certificates import Certificate, make_certificate
from tests.support.deliveries import CONNECTION, deliver, disk_threads, recipient, route
from tests.support.downstream import OFFERS, Downstream
from tests.support.waiting import until

DSN = (*OFFERS, "DSN")


@contextmanager
def routes_to(*servers: Downstream | Endpoint | str, **settings: object) -> Iterator[Routes]:
    """A route for each of them, the first is the default one."""
    hosts = [str(server.endpoint) if isinstance(server, Downstream) else str(server) for server in servers]
    named = {f"r{number}": RouteSettings(hosts=(host,), **settings) for number, host in enumerate(hosts)}
    named["default"] = named.pop("r0")
    domains = {f"{name}.example": DomainSettings(route=name) for name in named if name != "default"}
    with disk_threads() as disk:
        routes = build_routes(named, domains, Surroundings(hostname="mx.example.org", disk=disk))
        try:
            yield routes
        finally:
            routes.close()


async def test_nothing_is_known_before_a_host_was_greeted() -> None:
    async with Downstream(offers=DSN) as server:
        with routes_to(server) as routes:
            assert not routes.carries
            await routes.learn()
            assert "DSN" in routes.carries


async def test_every_route_must_have_it() -> None:
    async with Downstream(offers=DSN) as first, Downstream(offers=OFFERS) as second:
        with routes_to(first, second) as routes:
            await routes.learn()
            assert "DSN" not in routes.carries
            assert "PIPELINING" in routes.carries


async def test_every_host_of_a_route_must_have_it() -> None:
    async with Downstream(offers=DSN) as first, Downstream(offers=OFFERS) as second:
        with route(first.endpoint, second.endpoint) as hop:
            await deliver(hop)
            assert "DSN" not in hop.carries
            await hop.pool.learned.ask()
            assert "PIPELINING" in hop.carries
            assert "DSN" not in hop.carries


async def test_a_host_that_was_never_reached_has_nothing() -> None:
    async with Downstream(offers=DSN) as gone:
        pass
    async with Downstream(offers=DSN) as server:
        with routes_to(server, gone.endpoint) as routes:
            await routes.learn()
            assert not routes.carries


async def test_each_connection_teaches_anew() -> None:
    async with Downstream(offers=DSN) as server:
        with route(server.endpoint, max_messages=1) as hop:
            await deliver(hop)
            assert "DSN" in hop.carries
            server.offers = OFFERS
            await deliver(hop)
            assert "DSN" not in hop.carries


async def test_hosts_that_get_mail_are_not_greeted_besides() -> None:
    async with Downstream(offers=DSN) as server:
        with route(server.endpoint) as hop:
            await deliver(hop)
            await hop.pool.learned.ask()
            assert len(server.sessions) == 1
            await hop.pool.learned.ask()
            assert len(server.sessions) == 2
            await until(lambda: server.sessions[1].commands[-1] == "QUIT")


async def test_a_host_without_mail_is_greeted_each_time() -> None:
    async with Downstream(offers=DSN) as server:
        with route(server.endpoint) as hop:
            for greeted in (1, 2, 3):
                await hop.pool.learned.ask()
                assert len(server.sessions) == greeted


async def test_a_maildir_carries_requiretls_and_no_dsn(tmp_path: Path) -> None:
    with routes_to(f"maildir://{tmp_path}") as routes:
        assert set(routes.carries) == {"REQUIRETLS"}


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, "127.0.0.1")


@pytest.mark.parametrize(
    ("tls", "carried"), [("verified", True), ("required", False), ("opportunistic", False), ("never", False)]
)
async def test_requiretls_needs_a_verified_host(own: Certificate, tls: str, carried: bool) -> None:
    async with Downstream(offers=(*OFFERS, "REQUIRETLS"), tls=own.server_context) as server:
        with routes_to(server, tls=tls, tls_authorities=str(own.certificate)) as routes:
            await routes.learn()
            assert "PIPELINING" in routes.carries
            assert ("REQUIRETLS" in routes.carries) is carried


async def test_requiretls_is_passed_on(own: Certificate) -> None:
    async with Downstream(offers=(*OFFERS, "REQUIRETLS"), tls=own.server_context) as server:
        with route(server.endpoint, tls="verified", tls_authorities=str(own.certificate)) as hop:
            course = await deliver(hop, requiretls=True)
            assert course.told.startswith("250 ")
            assert server.sessions[0].tls
            assert server.sessions[0].heard("MAIL") == ["MAIL FROM:<alice@example.com> REQUIRETLS"]


@pytest.mark.parametrize("verification", Verification)
@pytest.mark.parametrize("offers", [OFFERS, (*OFFERS, "REQUIRETLS")])
async def test_message_that_requires_tls_goes_nowhere_else(verification: Verification, offers: tuple[str, ...]) -> None:
    """A server that offers it in the clear is none either."""
    async with Downstream(offers=offers) as server:
        with route(server.endpoint, verification=verification) as hop:
            delivery = hop.open(CONNECTION, Envelope(id="m1", sender=None, requiretls=True), "")
            answer = await delivery.recipient(recipient("bob@example.org"))
            if verification is Verification.LIVE:
                assert str(answer) == "550 5.7.30 REQUIRETLS support required"
            await delivery.close()
            course = await deliver(hop, requiretls=True)
            told = course.told if course.outcome else str(course.rcpts[0])
            assert told == "550 5.7.30 REQUIRETLS support required"
            assert [session.heard("MAIL") for session in server.sessions] == [[]] * len(server.sessions)
