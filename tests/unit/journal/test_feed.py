"""The feed: a worker never waits for the journal, whatever becomes of it; what it cannot take is dropped, counted."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from gateway.journal.feed import Feed, pair
from gateway.journal.frame import MAX_FRAME, Noted, decode, unpacked
from gateway.system.burst import AT_ONCE, MANY, Burst
from tests.support.journal import numbered, record_of
from tests.support.waiting import until

LARGE = record_of(answer="a" * 20_000)  # some of these fill what the kernel holds


class Ends:
    """Both ends of a feed, and what was dropped."""

    def __init__(self) -> None:
        self.workers, self.process = pair()
        self.dropped = 0
        self.come = 0

    def feed(self, limit: int = 100, burst: Burst = AT_ONCE) -> Feed:
        return Feed(self.workers.dup(), glossary="digest", limit=limit, on_drop=self._count, burst=burst)

    def taken(self) -> list[str]:
        """The ids of all that has come by now."""
        return [str(noted.values["id"]) for noted in self.noted()]

    def noted(self) -> list[Noted]:
        noted: list[Noted] = []
        with contextlib.suppress(BlockingIOError):
            while packet := self.process.recv(1 << 16):
                noted += map(decode, unpacked(packet))
        return noted

    def has_come(self, entries: int) -> bool:
        """Whether so many have come since this was first asked."""
        self.come += len(self.noted())
        return self.come >= entries

    def _count(self, entries: int) -> None:
        self.dropped += entries


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.workers.close()
    ends.process.close()


async def test_an_entry_is_there_at_once(ends: Ends) -> None:
    ends.feed().put(record_of())
    assert ends.taken() == ["m1"]


async def test_entries_wait_while_nobody_takes_them_and_come_in_their_order(ends: Ends) -> None:
    feed, given = ends.feed(limit=50), 0
    while not feed.waiting:
        given += 1
        feed.put(replace(LARGE, id=f"m{given}"))
    taken = ends.taken()
    for name in ("last", "very last"):
        feed.put(record_of(id=name))
    assert ends.taken() == [], "nothing may come before what waits"

    def is_there() -> bool:
        taken.extend(ends.taken())
        return len(taken) == given + 2

    await until(is_there)
    assert taken == [*(f"m{number + 1}" for number in range(given)), "last", "very last"]
    assert ends.dropped == 0


async def test_entries_of_a_turn_come_in_few_packets_each_no_larger_than_a_frame(ends: Ends) -> None:
    burst, records, packets = Burst(lambda: MANY), numbered(40), list[bytes]()
    feed = ends.feed(limit=1, burst=burst)
    for record in records:
        feed.put(record)
    with pytest.raises(BlockingIOError):
        ends.process.recv(1)
    burst.leave()
    with contextlib.suppress(BlockingIOError):
        while packet := ends.process.recv(1 << 20):
            packets.append(packet)
    come = [decode(frame).values["id"] for packet in packets for frame in unpacked(packet)]
    assert (come, ends.dropped) == ([record.id for record in records], 0)
    assert 1 < len(packets) < 10
    assert max(map(len, packets)) <= MAX_FRAME


async def test_what_does_not_fit_into_the_queue_is_dropped_and_told(ends: Ends) -> None:
    feed, given = ends.feed(limit=5), 0
    while not ends.dropped:
        feed.put(LARGE)
        given += 1
    came = len(ends.noted())
    await until(lambda: ends.has_come(given - 1 - came))
    feed.put(record_of(id="after"))
    [after] = ends.noted()
    assert (after.values["id"], after.missing) == ("after", 1)
    feed.put(record_of(id="last"))
    assert [noted.missing for noted in ends.noted()] == [0]


async def test_nothing_is_raised_where_nobody_is_there_any_more(ends: Ends) -> None:
    ends.process.close()
    feed = ends.feed(limit=2)
    for record in numbered(5):
        feed.put(record)
    assert ends.dropped == 3
    await feed.close()
    assert ends.dropped == 5


async def test_the_end_of_a_worker_hands_over_what_waits(ends: Ends) -> None:
    feed, given = ends.feed(), 0
    while not feed.waiting:
        given += 1
        feed.put(LARGE)
    taken = len(ends.taken())
    await feed.close()
    assert taken + len(ends.taken()) == given
    assert ends.dropped == 0


async def test_the_end_of_all_workers_is_the_end_of_the_feed(ends: Ends) -> None:
    one, other = ends.feed(), ends.feed()
    ends.workers.close()
    one.put(record_of())
    await one.close()
    assert ends.taken() == ["m1"]
    with pytest.raises(BlockingIOError):
        ends.process.recv(1)
    await other.close()
    assert ends.process.recv(1) == b""


async def test_what_is_on_the_way_outlives_the_process_that_did_not_take_it(ends: Ends) -> None:
    taking = ends.process.dup()
    feed = ends.feed()
    feed.put(record_of(id="m1"))
    taking.close()
    feed.put(record_of(id="m2"))
    assert ends.taken() == ["m1", "m2"]


def test_the_kernel_is_asked_for_as_much_as_it_gives(ends: Ends) -> None:
    default = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with default:
        least = default.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert ends.workers.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= least
