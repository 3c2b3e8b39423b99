"""The service of a worker: what must hold whatever its parts do."""

import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway import serve
from gateway.checks.run import run_wave
from gateway.delivery.downstream import SmtpRoute
from gateway.delivery.durable import make_maildir
from gateway.record import Record
from gateway.serve import Gateway, build_waves
from gateway.system import burst
from gateway.system.board import Region
from gateway.system.metrics import Metrics
from tests.support.dnstable import TableResolver
from tests.support.journeys import Walk, settings_of
from tests.support.mailbytes import subject_of
from tests.support.waiting import until


class FullDisk(Metrics):
    def count(self, record: Record) -> None:
        raise OSError("No space left on device")


def unchecked(gateway: Gateway, mail: Path) -> Walk:
    """A walk through this gateway, without its checks."""
    walk = Walk(parts=gateway.parts, records=[], mail=mail)
    for wave in ("client", "sender", "message", "conclusion", "scoring"):
        walk.with_wave(wave)
    return walk


async def test_a_failure_to_record_is_no_failure_to_deliver(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is delivered is delivered: an exception here would be answered 451, and the message would come again."""
    gateway = Gateway(settings_of(tmp_path), metrics=FullDisk(), region=Region.private())
    walk = unchecked(gateway, tmp_path / "mail")
    try:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
    finally:
        await gateway.close()
    assert len(walk.delivered()) == 1
    assert "message m1 could not be recorded" in caplog.text


class Counting(Metrics):
    def __init__(self) -> None:
        super().__init__()
        self.counted: list[str] = []

    def count(self, record: Record) -> None:
        self.counted.append(record.id)


async def test_a_busy_worker_notes_a_message_before_its_reply_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(burst, "MANY", 0)
    metrics = Counting()
    gateway = Gateway(settings_of(tmp_path), metrics=metrics, region=Region.private())
    walk = unchecked(gateway, tmp_path / "mail")
    try:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
        assert metrics.counted == [], "it waits for others of this turn"
        gateway.parts.burst.leave()
        assert metrics.counted == ["m1"]
        assert (await walk.send()).startswith("250 ")
    finally:
        await gateway.close()
    assert metrics.counted == ["m1", "m2"], "the last ones are noted at the end of the worker"


async def test_dmarc_answers_in_time_where_no_name_server_does(tmp_path: Path) -> None:
    """Or it would be unavailable, a word that no rule refuses."""
    settings = settings_of(tmp_path, limits={"check_timeout": 2})
    silent = TableResolver({}, delay=60)
    waves = build_waves(settings, (), silent, clock=time.time, region=Region.private())
    answers = await run_wave(waves.conclusion, subject_of(b"From: ann@example.org\r\n\r\n"))
    assert answers.facts()["dmarc.result"] == "temperror"


async def test_clients_of_one_network_are_one_where_connections_to_a_next_hop_are_waited_for(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, route={"default": {"hosts": ["smtp://127.0.0.1:1"]}}, session={"ipv4_prefix": 16})
    gateway = Gateway(settings, metrics=Metrics(), region=Region.private())
    try:
        hop = gateway.parts.routes.hop_for("example.org")
        assert isinstance(hop, SmtpRoute)
        here, near, far = (hop.network_of(ip_address(ip)) for ip in ("192.0.2.1", "192.0.9.1", "192.1.2.1"))
    finally:
        await gateway.close()
    assert here == near != far


async def test_quarantine_is_purged_again_and_again_whatever_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "PURGE_INTERVAL", 0.01)
    directory = tmp_path / "quarantine"
    directory.write_text("in the way")
    gateway = Gateway(
        settings_of(tmp_path, quarantine={"directory": directory}), metrics=Metrics(), region=Region.private()
    )
    try:
        await gateway.serve([])
        await until(lambda: "could not be purged" in caplog.text)
        directory.unlink()
        make_maildir(directory)
        expired = directory / "new" / "1.m1,S=1"
        expired.write_text("x")
        await until(lambda: not expired.exists())
    finally:
        await gateway.close()
