"""Marks: the newest word about a host holds for all workers."""

import pytest

from gateway.system.board import Board
from gateway.system.hostmark import LONGEST, MILLISECONDS, HostMark


def two_workers() -> tuple[HostMark, HostMark]:
    board = Board.private(keys=8, regions=2)
    here, there = (HostMark(board.region(board.hand_out()), "a host") for _ in range(2))
    return here, there


def test_nothing_is_known_at_first() -> None:
    here, _ = two_workers()
    assert here.retry_at == 0.0


def test_what_one_found_is_known_to_all() -> None:
    here, there = two_workers()
    here.leave_alone(100.0, 15.0, 2)
    assert (there.retry_at, there.note) == (115.0, 2)


def test_later_word_holds_whoever_says_it() -> None:
    here, there = two_workers()
    here.leave_alone(100.0, 3600.0)
    there.is_well(101.0)
    assert here.retry_at == there.retry_at == 0.0
    here.leave_alone(102.0, 5.0)
    assert there.retry_at == 107.0


@pytest.mark.parametrize("now", [100.0, 99.0, 0.0])
def test_what_is_said_later_holds_also_where_no_time_has_passed(now: float) -> None:
    here, there = two_workers()
    here.leave_alone(100.0, 60.0)
    there.is_well(now)
    assert here.retry_at == 0.0


def test_host_that_nobody_doubts_costs_no_room() -> None:
    board = Board.private(keys=8)
    region = board.region(board.hand_out())
    HostMark(region, "a host").is_well(100.0)
    assert region.own(region.key("mark of a host")) == 0


def test_pauses_are_kept_within_what_the_word_holds() -> None:
    here, there = two_workers()
    here.leave_alone(0.0, 10**9)
    assert there.retry_at == LONGEST / MILLISECONDS
    here.leave_alone(1.0, 0.0)
    assert there.retry_at > 1.0
