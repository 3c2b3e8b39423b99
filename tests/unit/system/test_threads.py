"""The threads for the disk: named, few, and with a bound on what waits."""

import asyncio
import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.system import threads
from gateway.system.threads import DiskThreads


async def test_call_runs_on_a_named_thread() -> None:
    with DiskThreads(threads=1, waiting=0) as disk:
        name = await asyncio.get_running_loop().run_in_executor(disk, lambda: threading.current_thread().name)
    assert name.startswith("disk")


async def test_call_behind_too_many_is_refused_as_a_failure_of_the_disk() -> None:
    release = threading.Event()
    loop = asyncio.get_running_loop()
    with DiskThreads(threads=1, waiting=1) as disk:
        waiting = [loop.run_in_executor(disk, release.wait) for _ in range(2)]
        with pytest.raises(OSError, match="too slow") as refusal:
            loop.run_in_executor(disk, release.wait)
        assert refusal.value.errno == errno.EAGAIN
        release.set()
        assert all(await asyncio.gather(*waiting))
        assert await loop.run_in_executor(disk, release.wait)


async def test_a_disk_that_hangs_does_not_hold_its_caller_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "DISK_PATIENCE", 0.01)
    released = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as disk:
        with pytest.raises(TimeoutError):
            await threads.on_disk(disk, released.wait)
        released.set()
