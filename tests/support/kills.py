"""kill -9 under load: somebody is killed at random moments while letters are brought, and what was said is held against
what was done.

    with counting_sink(tmp_path) as sink, running_gateway(...) as gateway:
        report = Trial(gateway, sink, Random(seed)).run(Victim.WORKER, letters=1000, kills=5)
    assert not report.faults()
"""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Protocol

import uvloop

from tests.support.gateway import RunningGateway
from tests.support.letters import read_letter
from tests.support.load import Fates, Load
from tests.support.sink import Sink
from tests.support.supervised import is_alive

LAG = 0.03  # seconds at most between the letter that calls for a kill and the kill: a letter takes about as long
LOOK = 0.005  # seconds between two looks at whether it is time, or somebody is there to be killed
DOWN = 0.2  # seconds at most that a server stays down

# What a sender is told whose message may be at the server all the same: its final reply was lost.
UNCONFIRMED = "451 4.4.2 The mail server behind this gateway did not confirm"


class Victim(StrEnum):
    WORKER = "worker"  # one of them, drawn at random
    SUPERVISOR = "supervisor"
    GATEWAY = "gateway"  # the supervisor and all its workers at once
    DOWNSTREAM = "downstream"


class Taker(Protocol):
    """Where the letters go."""

    def taken(self) -> Counter[str]: ...


@dataclass(frozen=True)
class Store:
    """A directory in which the gateway itself keeps messages: a Maildir, or some below it."""

    root: Path

    def taken(self) -> Counter[str]:
        return Counter(read_letter(file.read_bytes()).decode() for file in self.root.rglob("new/*"))


@dataclass(frozen=True)
class Report:
    """What the clients were told, and how often each letter was taken by its server."""

    victim: Victim
    kills: int
    fates: Fates
    taken: Counter[str]

    @property
    def lost(self) -> set[str]:
        """Answered 250, and nobody has it."""
        return self.fates.accepted - self.taken.keys()

    @property
    def doubled(self) -> set[str]:
        """Taken more than once, though its client brought it once."""
        return {name for name, times in self.taken.items() if times > 1}

    @property
    def would_come_twice(self) -> set[str]:
        """Taken, though its client was not told so: it would bring it again."""
        return self.taken.keys() - self.fates.accepted

    @property
    def unknown(self) -> set[str]:
        """Those whose client cannot know: it had no answer, or was told that nobody knows."""
        unconfirmed = {name for name, told in self.fates.refused.items() if told.startswith(UNCONFIRMED)}
        return self.fates.unanswered | unconfirmed

    def faults(self) -> dict[str, set[str]]:
        """Everything that must not be."""
        named = {
            "lost": self.lost,
            "doubled": self.doubled,
            "twice outside of the unknown window": self.would_come_twice - self.unknown,
            "broken": {name for name in self.taken if name.startswith(("broken-", "nameless"))},
            "refused for good": {name for name, told in self.fates.refused.items() if told.startswith("5")},
        }
        return {fault: letters for fault, letters in named.items() if letters}

    def __str__(self) -> str:
        return (
            f"{self.victim} killed {self.kills} times: {self.fates}; taken {len(self.taken)}; lost {len(self.lost)}; "
            f"would come twice {len(self.would_come_twice)}, of {len(self.unknown)} in the unknown window"
        )


class Trial:
    """Letters brought to `gateway`, which hands them to `taker`, while somebody is killed."""

    def __init__(self, gateway: RunningGateway, taker: Taker, random: Random) -> None:
        self._gateway = gateway
        self._taker = taker
        self._random = random

    def run(self, victim: Victim, *, letters: int, kills: int) -> Report:
        """Bring so many letters, and kill the victim so often meanwhile. All that was begun comes to its end before the
        letters are counted."""
        load = Load(self._gateway.port, letters=letters, random=self._random)
        moments = sorted(self._random.sample(range(letters // 20, letters), kills))

        async def main() -> Fates:
            killing = asyncio.ensure_future(self._kill_now_and_then(load, victim, moments))
            fates = await load.run()
            await killing
            return fates

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            fates = runner.run(main())
        self._gateway.stop()
        return Report(victim, kills, fates, self._taker.taken())

    async def _kill_now_and_then(self, load: Load, victim: Victim, moments: list[int]) -> None:
        """A moment is the number of the letter that is being brought, and a little more."""
        kill = {
            Victim.WORKER: self._kill_a_worker,
            Victim.SUPERVISOR: self._kill_the_supervisor,
            Victim.GATEWAY: self._kill_everything,
            Victim.DOWNSTREAM: self._kill_the_server,
        }[victim]
        for moment in moments:
            while load.begun < moment:
                await asyncio.sleep(LOOK)
            await asyncio.sleep(self._random.random() * LAG)
            await asyncio.to_thread(kill)

    def _kill_a_worker(self) -> None:
        while not (workers := sorted(self._gateway.workers())):
            time.sleep(LOOK)
        _kill(self._random.choice(workers))

    def _kill_the_supervisor(self) -> None:
        """Its workers end by themselves; then another one is started, as systemd does."""
        workers = self._gateway.workers()
        self._gateway.process.kill()
        self._gateway.process.wait()
        self._start_after(workers)

    def _kill_everything(self) -> None:
        workers = self._gateway.workers()
        self._gateway.process.kill()
        for pid in workers:
            _kill(pid)
        self._gateway.process.wait()
        self._start_after(workers)

    def _start_after(self, workers: set[int]) -> None:
        while any(map(is_alive, workers)):
            time.sleep(LOOK)
        self._gateway.start()

    def _kill_the_server(self) -> None:
        assert isinstance(self._taker, Sink)
        self._taker.kill()
        time.sleep(self._random.random() * DOWN)
        self._taker.start()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself in this moment
        os.kill(pid, signal.SIGKILL)
