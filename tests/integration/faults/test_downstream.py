"""A server behind us that is dead, slow, refuses TLS or shows a bad certificate. Every other thing that it may do
stands in the table of the last metres (tests/integration/test_last_metres.py)."""

import logging
from pathlib import Path

import pytest

from gateway.delivery.endpoint import Endpoint, Protocol
from tests.support.certificates import make_certificate
from tests.support.downstream import Downstream, Fault
from tests.support.inside import serving
from tests.support.spamd import free_port


def nobody() -> Endpoint:
    return Endpoint(protocol=Protocol.SMTP, host="127.0.0.1", port=free_port())


@pytest.mark.fault("server behind: dead")
async def test_a_dead_server_defers_at_rcpt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, hosts=[nobody()]) as inside:
        assert (await inside.bring())[-1].startswith("451 4.4.1 ")
    assert "unreachable" in caplog.text


@pytest.mark.fault("server behind: dead, and there is another")
async def test_the_next_host_takes_over_from_a_dead_one(tmp_path: Path) -> None:
    async with Downstream() as server, serving(tmp_path, hosts=[nobody(), server.endpoint]) as inside:
        assert (await inside.bring())[-1].startswith("250 ")
        assert (await inside.recorded()).next_hop == str(server.endpoint)


@pytest.mark.fault("server behind: slow")
@pytest.mark.parametrize("stage", ["banner", "RCPT", "DATA"])
async def test_a_slow_server_defers_within_its_time(stage: str, tmp_path: Path) -> None:
    impatient = {"command_timeout": 0.3}
    async with (
        Downstream({stage: [Fault.SILENCE] * 2}) as server,
        serving(tmp_path, hosts=[server.endpoint], route=impatient) as inside,
    ):
        assert (await inside.bring())[-1].startswith("451 4.4.2 ")
    assert server.messages == []


@pytest.mark.fault("server behind: the final reply is lost")
async def test_a_message_whose_fate_is_unknown_is_deferred_and_named_so(tmp_path: Path) -> None:
    async with Downstream({".": [Fault.CLOSE]}) as server, serving(tmp_path, hosts=[server.endpoint]) as inside:
        assert (await inside.bring())[-1].startswith("451 4.4.2 The mail server behind this gateway did not confirm")
        assert (await inside.recorded()).answer.startswith("unknown: ")


@pytest.mark.fault("server behind: refuses TLS")
@pytest.mark.parametrize("mode", ["required", "verified"])
async def test_where_tls_is_required_nothing_goes_in_the_clear(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Downstream() as server, serving(tmp_path, hosts=[server.endpoint], route={"tls": mode}) as inside:
        assert (await inside.bring())[-1].startswith("451 4.7.5 ")
    assert all(session.heard("MAIL") == [] for session in server.sessions)
    assert "no tls: " in caplog.text


@pytest.mark.fault("server behind: a bad certificate")
@pytest.mark.parametrize(("mode", "code"), [("verified", "451 4.7.5 "), ("required", "250 ")])
async def test_a_certificate_that_is_to_be_verified_and_is_bad_defers(mode: str, code: str, tmp_path: Path) -> None:
    own = make_certificate(tmp_path, "127.0.0.1")
    async with (
        Downstream(tls=own.server_context) as server,
        serving(tmp_path, hosts=[server.endpoint], route={"tls": mode}) as inside,
    ):
        assert (await inside.bring())[-1].startswith(code)


@pytest.mark.fault("server behind: TLS fails after 220 to STARTTLS")
async def test_a_handshake_that_fails_is_not_gone_on_from_in_the_clear(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    own = make_certificate(tmp_path, "127.0.0.1")
    async with (
        Downstream({"handshake": [Fault.CLOSE]}, tls=own.server_context) as server,
        serving(tmp_path, hosts=[server.endpoint], route={"tls": "opportunistic"}) as inside,
    ):
        assert (await inside.bring())[-1].startswith("451 4.7.5 ")
    assert "the TLS handshake failed" in caplog.text
    assert server.messages == []
