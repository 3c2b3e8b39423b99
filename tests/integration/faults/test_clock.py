"""A wall clock that jumps, forward and back, while clients are served: deadlines go by another clock, so nobody is
cut off and nobody waits, and what is in the quarantine has not become old."""

import os
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway, dns_process, running_gateway

SENDER, ALICE = "ann@sender.example", "alice@example.org"
LETTER = b"From: <ann@sender.example>\r\nSubject: a letter\r\n\r\nHello\r\n"
KEEP = '[[rule]]\nid = "keep"\nwhy = "a test"\nwhen = \'subject == "keep"\'\nthen = "quarantine"\n'
DAY = 86400.0

# What Python runs in every process that is started with it on its path.
JUMPING = """\
import time
def moved(true, unit):
    def now():
        with open({file!r}) as file:
            return true() + unit(float(file.read() or 0))
    return now
time.time = moved(time.time, float)
time.time_ns = moved(time.time_ns, lambda seconds: int(seconds * 10**9))
"""


class WallClock:
    """The wall clock of the processes that are started within the test."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "offset"
        self.jump(0)
        (directory / "sitecustomize.py").write_text(JUMPING.format(file=str(self._file)))

    def jump(self, days: float) -> None:
        """Be so many days ahead from now on. The file is never empty: processes read it at any moment."""
        new = self._file.with_suffix(".new")
        new.write_text(str(days * DAY))
        new.rename(self._file)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock")


@pytest.fixture(scope="module")
def clock(root: Path) -> Iterator[WallClock]:
    (root / "site").mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(root / "site"), prepend=os.pathsep)
        yield WallClock(root / "site")


@pytest.fixture(scope="module")
def gateway(root: Path, clock: WallClock) -> Iterator[RunningGateway]:
    more = f'[route.default]\nhosts = ["maildir://{root}/mail"]\n[quarantine]\ndirectory = "{root}/quarantine"\n'
    with (
        dns_process(root / "dns", "") as dns,
        running_gateway(root / "gateway", dns=dns, more=more, rules=KEEP) as running,
    ):
        yield running


def begin(client: smtplib.SMTP) -> None:
    assert client.mail(SENDER)[0] == client.rcpt(ALICE)[0] == 250


@pytest.mark.fault("clock: jumps")
def test_a_jump_cuts_nobody_off_and_makes_nobody_wait(gateway: RunningGateway, clock: WallClock) -> None:
    with gateway.client() as client:
        client.ehlo()
        for days in (400, -400, 0):
            begin(client)
            clock.jump(days)
            assert client.data(LETTER)[0] == 250
            assert client.noop()[0] == 250
    began = [record["began"] for record in (gateway.wait_for_record(3), *gateway.records())][1:]
    assert max(began) - min(began) > 300 * DAY, "the processes did not see the jumps"
    assert all(record["milliseconds"]["total"] < 60_000 for record in gateway.records())
    assert gateway.process.poll() is None
    assert not gateway.records("worker ended")


@pytest.mark.fault("clock: jumps")
def test_a_jump_forward_does_not_empty_the_quarantine(gateway: RunningGateway, clock: WallClock, root: Path) -> None:
    assert gateway.send(LETTER.replace(b"a letter", b"keep"), sender=SENDER).code == 250
    [kept] = (root / "quarantine" / "new").iterdir()
    clock.jump(400)
    assert gateway.send(LETTER.replace(b"a letter", b"keep"), sender=SENDER).code == 250
    assert kept.exists()
    assert len(list(kept.parent.iterdir())) == 2
