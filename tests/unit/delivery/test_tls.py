"""STARTTLS towards the next hop (RFC 3207)."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from gateway.delivery.client import TlsMode
from tests.support.certificates import Certificate, make_certificate
from tests.support.deliveries import deliver, route
from tests.support.downstream import Downstream


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, "127.0.0.1")


async def test_tls_is_used_where_it_is_offered(own: Certificate) -> None:
    async with Downstream(tls=own.server_context) as server:
        with route(server.endpoint) as hop:
            assert (await deliver(hop)).told.startswith("250")
            assert (await deliver(hop)).told.startswith("250")
    (session,) = server.sessions
    assert session.tls
    assert session.commands[:3] == ["EHLO mx.example.org", "STARTTLS", "EHLO mx.example.org"]


def test_it_works_on_uvloop_as_well(own: Certificate) -> None:
    async def main() -> str:
        async with Downstream(tls=own.server_context) as server:
            with route(server.endpoint) as hop:
                return (await deliver(hop)).told

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()).startswith("250")


async def test_it_can_be_switched_off(own: Certificate) -> None:
    async with Downstream(tls=own.server_context) as server:
        with route(server.endpoint, tls=TlsMode.NEVER) as hop:
            assert (await deliver(hop)).told.startswith("250")
    assert not server.sessions[0].tls


@pytest.mark.parametrize("mode", [TlsMode.REQUIRED, TlsMode.VERIFIED])
async def test_no_mail_goes_in_the_clear_where_tls_is_required(mode: TlsMode) -> None:
    async with Downstream() as server:
        with route(server.endpoint, tls=mode) as hop:
            assert str((await deliver(hop)).rcpts[0]).startswith("451 4.7.5")
    assert server.sessions[0].heard("MAIL") == []


async def test_a_certificate_of_a_known_authority_is_verified(own: Certificate) -> None:
    async with Downstream(tls=own.server_context) as server:
        with route(server.endpoint, tls=TlsMode.VERIFIED, tls_authorities=str(own.certificate)) as hop:
            assert (await deliver(hop)).told.startswith("250")


async def test_a_certificate_that_nobody_vouches_for_is_refused(own: Certificate) -> None:
    async with Downstream(tls=own.server_context) as server:
        with route(server.endpoint, tls=TlsMode.VERIFIED) as hop:
            assert str((await deliver(hop)).rcpts[0]).startswith("451 4.7.5")


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "127.0.0.2")
    async with Downstream(tls=other.server_context) as server:
        with route(server.endpoint, tls=TlsMode.VERIFIED, tls_authorities=str(other.certificate)) as hop:
            assert str((await deliver(hop)).rcpts[0]).startswith("451 4.7.5")


@pytest.mark.parametrize(
    ("answer", "told"), [("554 5.7.0 No TLS today", "451 4.3.5"), ("454 4.7.0 TLS not available", "451 4.3.2")]
)
async def test_a_refused_starttls_is_about_us(own: Certificate, answer: str, told: str) -> None:
    async with Downstream({"STARTTLS": [answer]}, tls=own.server_context) as server:
        with route(server.endpoint) as hop:
            assert str((await deliver(hop)).rcpts[0]).startswith(told)


@pytest.mark.parametrize("injected", ["250 mail", "250-mail", "nonsense", "250-mail\nnonsense"])
async def test_answers_in_the_clear_behind_that_to_starttls_are_not_believed(own: Certificate, injected: str) -> None:
    async with Downstream({"STARTTLS": [f"220 2.0.0 Ready\n{injected}"]}, tls=own.server_context) as server:
        with route(server.endpoint) as hop:
            assert str((await deliver(hop)).rcpts[0]).startswith("451 4.5.0")
    assert server.sessions[0].heard("MAIL") == []
