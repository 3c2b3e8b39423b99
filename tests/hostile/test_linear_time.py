"""The work that hostile input makes grows as the input does, and stays within the limits stated in docs/performance.md.

What Python runs is counted line by line at small sizes. What C does is run at full size by a child that is killed at
ten times its limit: growth of another order passes that by far, and a loaded machine does not come near it.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar

import pytest

from gateway.checks.dkim.lookup import BREATH
from gateway.message import CHUNK
from tests.support.effort import Spent, Work, growth, lines_run, run_within
from tests.support.families import FAMILIES, Family, filled, hashed, prepared, whole
from tests.support.mailbytes import Bytes

SMALL = 32  # times smaller than its full size is a family when its lines are counted
LINEAR, QUADRATIC = 3, 5  # as `growth` has them
TIMES = 10  # as much CPU time as is stated may pass before a family counts as too slow
MEMORY = 64  # mebibytes beyond the input


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_lines_run_grow_as_the_input_does(family: Family) -> None:
    grown = growth(lambda size: lines_run(family.prepare(size)), family.full // SMALL)
    assert grown < (LINEAR + QUADRATIC) / 2


@pytest.fixture(scope="module")
def running() -> Iterator[Mapping[str, Future[Spent]]]:
    """Every family at its full size, as many at once as there are processors."""

    def run(family: Family) -> Spent:
        return run_within(prepared, family.name, family.full, milliseconds=TIMES * family.limit, mebibytes=MEMORY)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield {family.name: threads.submit(run, family) for family in FAMILIES.values()}


@pytest.mark.parametrize("name", FAMILIES)
def test_full_size_stays_within_time_and_memory(running: Mapping[str, Future[Spent]], name: str) -> None:
    assert running[name].result().mebibytes < MEMORY


class Watched(Bytes):
    """A content that notes how many octets it has given between two turns of the loop."""

    given: ClassVar[list[int]] = []

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for chunk in super().chunks(start):
            self.given[-1] += len(chunk)
            yield chunk


@pytest.mark.parametrize("piece", [b" ", b"\r\n"], ids=repr)
async def test_others_have_their_turn_while_a_body_is_looked_at(piece: bytes) -> None:
    """DKIM and ARC hash side by side, and nothing else looks at a body before it is handed on."""

    async def others() -> None:
        while True:
            Watched.given.append(0)
            await asyncio.sleep(0)

    Watched.given.clear()
    watching = asyncio.create_task(others())
    await asyncio.sleep(0)
    await whole(Watched(hashed(filled(piece, 16 * BREATH)))).begin()
    watching.cancel()
    assert sum(Watched.given) > 2 * 16 * BREATH
    assert max(Watched.given) <= 2 * (BREATH + CHUNK)


def endless() -> Work:
    def work() -> None:
        while True:
            pass

    return work


def hoarding(mebibytes: int) -> Work:
    return lambda: bytes(1) * (mebibytes << 20)


def test_work_of_another_order_is_noticed() -> None:
    def lines(size: int) -> int:
        def work() -> None:
            for _ in range(size):
                for _ in range(size):
                    pass

        return lines_run(work)

    assert growth(lines, 10) > (LINEAR + QUADRATIC) / 2


def test_work_without_an_end_is_killed() -> None:
    with pytest.raises(AssertionError, match="not done"):
        run_within(endless, milliseconds=10, mebibytes=MEMORY)


def test_work_that_hoards_memory_is_noticed() -> None:
    with pytest.raises(AssertionError, match="MemoryError"):
        run_within(hoarding, 2 * MEMORY, milliseconds=1000, mebibytes=MEMORY)
