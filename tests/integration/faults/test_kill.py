"""kill -9 of a worker, of the supervisor and of the server behind, under load: what was answered 250 is there, once.

`python -m tests.bench.kills` does the same with thousands of letters.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support.gateway import dns_process, running_gateway
from tests.support.kills import Store, Trial, Victim
from tests.support.sink import counting_sink

LETTERS = 500
KILLS = {Victim.WORKER: 4, Victim.SUPERVISOR: 1, Victim.GATEWAY: 1, Victim.DOWNSTREAM: 5}
FAULTS = {
    Victim.WORKER: "kill -9: a worker",
    Victim.SUPERVISOR: "kill -9: the supervisor",
    Victim.GATEWAY: "kill -9: the supervisor and all workers",
    Victim.DOWNSTREAM: "kill -9: the server behind",
}
PAUSE = 0.005  # seconds between the server's note and its 250, so that kills find something in between
QUARANTINE = '[[rule]]\nid = "keep"\nwhy = "a test"\nwhen = "message.size > 0"\nthen = "quarantine"\n'


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dns_process(tmp_path_factory.mktemp("dns"), "") as address:
        yield address


@pytest.fixture
def random() -> Random:
    """Chance that can be had again: a failed test prints its seed."""
    seed = int(os.environ.get("MAILWARD_SEED") or Random().randrange(2**32))
    print(f"MAILWARD_SEED={seed}")
    return Random(seed)


@pytest.mark.parametrize("victim", [pytest.param(victim, marks=pytest.mark.fault(FAULTS[victim])) for victim in Victim])
def test_nothing_that_was_answered_250_is_lost(victim: Victim, tmp_path: Path, dns: str, random: Random) -> None:
    with counting_sink(tmp_path, pause=PAUSE) as sink:
        more = f'[route.default]\nhosts = ["{sink.endpoint}"]\nretry_dead = 0\n'
        with running_gateway(tmp_path / "gateway", dns=dns, more=more, workers=2) as gateway:
            report = Trial(gateway, sink, random).run(victim, letters=LETTERS, kills=KILLS[victim])
    print(report)
    assert not report.faults()
    assert len(report.fates.accepted) > LETTERS // 4


@pytest.mark.parametrize("table", ["route.default", "quarantine"])
def test_nothing_that_is_kept_here_is_lost_or_there_in_part(
    table: str, tmp_path: Path, dns: str, random: Random
) -> None:
    store = Store(tmp_path / "store")
    more = f'[route.default]\nhosts = ["maildir://{store.root}"]\n'
    if table == "quarantine":
        more += f'[quarantine]\ndirectory = "{store.root}"\n'
    rules = QUARANTINE if table == "quarantine" else ""
    with running_gateway(tmp_path / "gateway", dns=dns, more=more, rules=rules, workers=2) as gateway:
        report = Trial(gateway, store, random).run(Victim.WORKER, letters=LETTERS, kills=KILLS[Victim.WORKER])
    print(report)
    assert not report.faults()
    assert len(report.fates.accepted) > LETTERS // 4
