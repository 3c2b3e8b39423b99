"""The threads for the disk: named, few, and with a bound on what waits."""

import asyncio
import errno
import threading

import pytest

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
