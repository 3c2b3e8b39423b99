"""The service of a worker: what must hold whatever its parts do."""

from pathlib import Path

import pytest

from gateway.record import Record
from gateway.serve import Gateway
from gateway.system.metrics import Metrics
from tests.support.journeys import Walk, settings_of


class FullDisk(Metrics):
    def count(self, record: Record) -> None:
        raise OSError("No space left on device")


async def test_a_failure_to_record_is_no_failure_to_deliver(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is delivered is delivered: an exception here would be answered 451, and the message would come again."""
    gateway = Gateway(settings_of(tmp_path), metrics=FullDisk(), workers=1)
    walk = Walk(parts=gateway.parts, records=[], mail=tmp_path / "mail")
    for wave in ("client", "sender", "message", "conclusion", "scoring"):
        walk.with_wave(wave)
    try:
        await walk.connect()
        assert (await walk.send()).startswith("250 ")
    finally:
        await gateway.close()
    assert len(walk.delivered()) == 1
    assert "message m1 could not be recorded" in caplog.text
