"""The keeper: the journal's process is started again where it ends by itself, and ends last."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.journal.keeper import Keeper
from tests.support.supervised import is_alive
from tests.support.waiting import PATIENCE, until

# Notes what it takes, and ends at the end of the feed or by SIGTERM.
TAKING = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
feed = socket.socket(fileno=int(sys.argv[2]))
feed.setblocking(True)
with open(sys.argv[1], "a") as notes:
    print("began", os.getpid(), file=notes, flush=True)
    while frame := feed.recv(100):
        print("took", frame.decode(), file=notes, flush=True)
"""
DEAF = """
import os, sys, time
with open(sys.argv[1], "a") as notes:
    print("began", os.getpid(), file=notes, flush=True)
time.sleep(600)
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{DEAF}"
FAILING = "raise SystemExit(3)"


class Kept:
    def __init__(self, notes: Path, program: str, **more: Any) -> None:
        self._notes = notes
        notes.touch()
        self.ends: list[str] = []
        command = (sys.executable, "-S", "-c", program, str(notes))
        self.keeper = Keeper(command, {}, on_end=lambda pid, how: self.ends.append(how), **more)

    def noted(self, word: str) -> list[str]:
        return [line.partition(" ")[2] for line in self._notes.read_text().splitlines() if line.startswith(word)]

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in self.noted("began")]


@asynccontextmanager
async def keeping(directory: Path, program: str = TAKING, **more: Any) -> AsyncIterator[Kept]:
    kept = Kept(directory / "notes", program, **{"end_seconds": 10 * PATIENCE, **more})
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.keeper.keep())
        yield kept
        async with asyncio.timeout(PATIENCE):
            await kept.keeper.end()


async def test_all_that_was_given_is_taken_before_it_ends(tmp_path: Path) -> None:
    """Also where it had hardly begun."""
    async with keeping(tmp_path) as kept:
        for number in range(20):
            kept.keeper.feed.send(b"%d" % number)
    assert kept.noted("took") == [str(number) for number in range(20)]
    assert kept.ends == ["ended"]


async def test_a_process_that_is_killed_is_replaced_and_nothing_on_the_way_is_lost(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await until(lambda: bool(kept.pids))
        os.kill(kept.pids[0], signal.SIGKILL)
        await until(lambda: not is_alive(kept.pids[0]))
        kept.keeper.feed.send(b"meanwhile")
        await until(lambda: kept.noted("took") == ["meanwhile"])
        assert kept.ends == ["killed"]
        assert len(set(kept.pids)) == 2


async def test_a_process_that_fails_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    async with keeping(tmp_path, FAILING) as kept:
        await until(lambda: len(kept.ends) == 2)
    assert set(kept.ends) == {"failed"}


async def test_a_command_that_is_not_there_is_tried_again_and_ends(tmp_path: Path) -> None:
    keeper = Keeper((str(tmp_path / "absent"),), {}, on_end=lambda pid, how: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keeper.keep())
        await keeper.end()


async def test_renewing_has_another_process_go_on(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        await until(lambda: bool(kept.pids))
        kept.keeper.renew()
        await until(lambda: kept.ends == ["ended"])
        kept.keeper.feed.send(b"for whoever comes")
        await until(lambda: kept.noted("took") == ["for whoever comes"])
        assert len(set(kept.pids)) == 2


async def test_a_process_that_is_told_to_end_before_it_listens_has_not_failed(tmp_path: Path) -> None:
    async with keeping(tmp_path, DEAF, end_seconds=0.1) as kept:
        await until(lambda: bool(kept.pids))
        kept.keeper.renew()
        await until(lambda: bool(kept.ends))
        assert kept.ends == ["ended"]
        await until(lambda: len(kept.pids) == 2)
        os.kill(kept.pids[-1], signal.SIGTERM)
        await until(lambda: len(kept.ends) == 2)
        assert kept.ends[1] == "killed", "nobody has told it to"


async def test_a_process_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async with keeping(tmp_path, STUBBORN, end_seconds=0.1) as kept:
        await until(lambda: bool(kept.pids))
    assert kept.ends == ["killed"]
    assert not is_alive(kept.pids[0])
