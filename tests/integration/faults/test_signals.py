"""SIGHUP and SIGTERM under load: what was under way comes to its end and is answered as ever, and nothing is
refused."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import uvloop

from tests.support.gateway import STOP, RunningGateway, dns_process, running_gateway
from tests.support.load import Fates, Load
from tests.support.sink import Sink, counting_sink

LETTERS = 200  # before and after the signal
MANY = 1_000_000  # more than are brought while something lasts
PAUSE = 0.02  # seconds that the server behind takes for a message, so that many are past their final dot at any moment


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), "") as address:
        yield address


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with counting_sink(tmp_path, pause=PAUSE) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, dns: str, sink: Sink) -> Iterator[RunningGateway]:
    more = f'[route.default]\nhosts = ["{sink.endpoint}"]\n'
    with running_gateway(tmp_path / "gateway", dns=dns, more=more, workers=2) as running:
        yield running


def under_load(gateway: RunningGateway, act: Callable[[Load], Awaitable[None]]) -> Fates:
    """Bring letters, and act meanwhile."""
    load = Load(gateway.port, letters=MANY, random=Random(1))

    async def act_and_stop() -> None:
        try:
            await act(load)
        finally:
            load.stop()

    async def main() -> Fates:
        acting = asyncio.ensure_future(act_and_stop())
        fates = await load.run()
        await acting
        return fates

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def begun(load: Load, letters: int) -> None:
    while load.begun < letters:
        await asyncio.sleep(0.005)


@pytest.mark.fault("SIGHUP under load")
def test_a_reload_under_load_refuses_and_loses_nothing(gateway: RunningGateway, sink: Sink) -> None:
    async def reload(load: Load) -> None:
        await begun(load, LETTERS)
        gateway.process.send_signal(signal.SIGHUP)
        done = await asyncio.to_thread(gateway.wait_for_record, 1, "reload")
        assert done["outcome"] == "done"
        await begun(load, load.begun + LETTERS)

    fates = under_load(gateway, reload)
    assert len(fates.accepted) > 2 * LETTERS
    assert fates == Fates(accepted=fates.accepted), str(fates)
    assert set(sink.taken().items()) == {(name, 1) for name in fates.accepted}


@pytest.mark.fault("SIGTERM under load")
def test_a_stop_under_load_finishes_what_was_under_way(gateway: RunningGateway, sink: Sink) -> None:
    async def stop(load: Load) -> None:
        await begun(load, LETTERS)
        gateway.process.send_signal(signal.SIGTERM)
        load.is_listened_to = False

    fates = under_load(gateway, stop)
    assert gateway.process.wait(STOP) == 0
    assert fates.accepted
    assert fates == Fates(accepted=fates.accepted, not_begun=fates.not_begun), str(fates)
    assert set(sink.taken().items()) == {(name, 1) for name in fates.accepted}
