"""The breaker of one host, in one worker and in two."""

from gateway.scoring.breaker import Breaker, Cause
from gateway.system.board import Board, Region
from gateway.system.hostmark import HostMark


def breaker_in(region: Region) -> Breaker:
    return Breaker(limit=3, pause=10.0, mark=HostMark(region, "a spamd"))


def failed(times: int, *, now: float = 0.0) -> Breaker:
    breaker = breaker_in(Region.private())
    for _ in range(times):
        breaker.failed(now, Cause.DEAD)
    return breaker


def in_two_workers() -> tuple[Breaker, Breaker]:
    board = Board.private(keys=8, regions=2)
    return breaker_in(board.region(board.hand_out())), breaker_in(board.region(board.hand_out()))


def test_it_stays_closed_below_its_limit():
    assert failed(2).admits(0.0)


def test_it_opens_at_its_limit_for_a_pause():
    breaker = failed(3)
    assert not breaker.admits(9.9)
    assert breaker.admits(10.0)


def test_half_open_it_lets_one_attempt_through():
    breaker = failed(3)
    breaker.attempt(10.0)
    assert not breaker.admits(10.0)


def test_an_attempt_that_fails_opens_it_for_another_pause():
    breaker = failed(3)
    breaker.attempt(10.0)
    breaker.failed(12.0, Cause.DEAD)
    assert not breaker.admits(21.9)
    assert breaker.admits(22.0)


def test_an_attempt_that_never_ends_does_not_keep_it_open_for_ever():
    breaker = failed(3)
    breaker.attempt(10.0)
    assert breaker.admits(20.0)


def test_a_success_closes_it_and_forgets_the_failures():
    breaker = failed(3)
    breaker.succeeded(1.0)
    breaker.failed(2.0, Cause.DEAD)
    breaker.failed(2.0, Cause.DEAD)
    assert breaker.admits(2.0)


def test_what_one_worker_found_holds_for_the_other():
    here, there = in_two_workers()
    for _ in range(3):
        here.failed(0.0, Cause.BUSY)
    assert not there.admits(9.9)
    assert there.cause is Cause.BUSY


def test_one_attempt_is_let_through_in_all_workers_together():
    here, there = in_two_workers()
    for _ in range(3):
        here.failed(0.0, Cause.DEAD)
    there.attempt(10.0)
    assert not here.admits(10.0)
    assert there.cause is Cause.DEAD


def test_a_success_closes_it_for_all_workers():
    here, there = in_two_workers()
    for _ in range(3):
        here.failed(0.0, Cause.DEAD)
    there.attempt(10.0)
    there.succeeded(10.0)
    assert here.admits(10.0)


def test_failures_of_before_are_forgotten_where_another_worker_closed_it():
    here, there = in_two_workers()
    for _ in range(3):
        here.failed(0.0, Cause.DEAD)
    there.succeeded(10.0)
    here.attempt(11.0)
    here.failed(11.0, Cause.DEAD)
    assert here.admits(11.0)


def test_an_attempt_that_fails_elsewhere_keeps_it_open():
    here, there = in_two_workers()
    for _ in range(3):
        here.failed(0.0, Cause.DEAD)
    there.attempt(10.0)
    there.failed(12.0, Cause.BUSY)
    assert not here.admits(21.9)
    assert here.cause is Cause.BUSY
