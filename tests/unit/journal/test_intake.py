"""The intake: batches are full or old, and every wait ends when the process is to end."""

import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from gateway.journal.feed import pair
from gateway.journal.intake import FEW, LONGEST_LULL, LULL, MANY, Batches, Ending, Intake

LONG = 60.0  # seconds, of which no test waits one


class Taking:
    def __init__(self, *, size: int = 10, seconds: float = LONG, ending: Ending | None = None) -> None:
        self.feed, self.process = pair()
        self.ending = ending or Ending()
        self.taken = 0
        self.intake = Intake(self.process, Batches(size, seconds), self.ending, on_taken=self._count)

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.feed.send(frame)

    def _count(self, frames: int) -> None:
        self.taken += frames


class Paced(Ending):
    """Waits for nothing: in each lull so many entries come, and after the last one is the end."""

    def __init__(self, *come: int) -> None:
        super().__init__()
        self.lulls: list[float] = []
        self.feed: socket.socket | None = None
        self._come = iter(come)
        self._left = len(come)

    def pause(self, seconds: float) -> bool:
        self.lulls.append(seconds)
        for _ in range(next(self._come)):
            assert self.feed
            self.feed.send(b"1")
        self._left -= 1
        if not self._left:
            self.begin()
        return True


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """As they were before."""
    handler, wakeup = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    yield
    signal.signal(signal.SIGTERM, handler)
    signal.set_wakeup_fd(wakeup)


def test_a_batch_is_full_at_its_size() -> None:
    taking = Taking(size=2)
    taking.send(b"1", b"2", b"3")
    assert taking.intake.gather(LONG) == [b"1", b"2"]
    assert taking.taken == 2
    taking.send(b"4")
    assert taking.intake.gather(LONG) == [b"3", b"4"]


def test_all_that_came_together_is_in_one_batch() -> None:
    taking = Taking(size=2)
    taking.send(b"1", b"2\n3\n4", b"5")
    assert taking.intake.gather(LONG) == [b"1", b"2", b"3", b"4"]
    assert taking.taken == 4


def test_a_batch_is_full_after_its_time() -> None:
    taking = Taking(seconds=0.05)
    taking.send(b"1", b"2")
    assert taking.intake.gather(LONG) == [b"1", b"2"]


def test_what_comes_within_its_time_is_in_the_batch() -> None:
    taking = Taking(size=2)
    taking.send(b"1")
    later = threading.Timer(0.05, taking.send, (b"2",))
    later.start()
    assert taking.intake.gather(LONG) == [b"1", b"2"]
    later.join()


@pytest.mark.parametrize(("at_once", "lull"), [(MANY - 1, LULL), (MANY, LULL / 2), (3 * MANY, LULL / 4)])
def test_the_more_has_come_the_sooner_it_is_looked_again(at_once: int, lull: float) -> None:
    ending = Paced(*([0] * 2))
    taking = Taking(size=1000, ending=ending)
    taking.send(*[b"1"] * at_once)
    assert len(taking.intake.gather(LONG)) == at_once
    assert ending.lulls == [lull, LULL]


def test_while_few_come_it_is_looked_less_often() -> None:
    ending = Paced(0, FEW - 1, 1, 0, FEW, 0, 0)
    taking = Taking(size=1000, ending=ending)
    ending.feed = taking.feed
    taking.send(b"1")
    taking.intake.gather(LONG)
    assert ending.lulls == [LULL, LULL * 2, LULL * 3, LONGEST_LULL, LONGEST_LULL, LULL, LULL]


def test_a_lull_ends_with_the_time_of_the_batch() -> None:
    ending = Paced(0)
    taking = Taking(seconds=LULL / 2, ending=ending)
    taking.send(b"1")
    taking.intake.gather(LONG)
    assert all(lull <= LULL / 2 for lull in ending.lulls)


def test_where_nothing_comes_there_is_no_batch() -> None:
    assert Taking().intake.gather(0) == []


def test_the_end_of_the_feed_is_an_end_after_all_was_taken() -> None:
    taking = Taking()
    taking.send(b"1", b"2")
    taking.feed.close()
    assert taking.intake.gather(LONG) == [b"1", b"2"]
    assert taking.ending.is_near


@pytest.mark.parametrize("frames", [(), (b"1", b"2")])
def test_sigterm_ends_the_wait_for_more(frames: tuple[bytes, ...]) -> None:
    taking = Taking()
    taking.send(*frames)
    later = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    later.start()
    assert taking.intake.gather(LONG) == list(frames)
    assert taking.ending.is_near
    later.join()


def test_after_sigterm_nothing_more_is_taken() -> None:
    """The next process takes it."""
    taking = Taking()
    os.kill(os.getpid(), signal.SIGTERM)
    taking.send(b"1")
    assert taking.intake.gather(LONG) == []
    assert taking.process.recv(10) == b"1"


def test_a_pause_ends_by_sigterm_and_then_there_is_time_for_little() -> None:
    ending = Ending(last_breath=0.05)
    later = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    later.start()
    assert ending.pause(LONG), "one more attempt may be made"
    later.join()
    assert not ending.pause(LONG)


def test_a_closed_socket_is_no_surprise() -> None:
    """A packet without octets cannot be told from the end, and nobody sends one."""
    taking = Taking()
    taking.feed.shutdown(socket.SHUT_RDWR)
    assert taking.intake.gather(LONG) == []
    assert taking.ending.is_near
