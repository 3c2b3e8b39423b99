"""Shared room: what one client can have of it, and what is left to others."""

from gateway.system.board import Board, Region
from gateway.system.sharedroom import SharedRoom


def taken(room: SharedRoom, client: str) -> int:
    """How much the client gets that takes what it can."""
    count = 0
    while room.take(client):
        count += 1
    return count


def test_a_client_alone_gets_half():
    assert taken(SharedRoom(Region.private(), "r", 100), "a") == 50


def test_greedy_clients_leave_a_place_for_whoever_comes_next():
    room = SharedRoom(Region.private(), "r", 100)
    assert [taken(room, f"client {number}") for number in range(4)] == [50, 25, 13, 6]
    assert room.take("next")


def test_there_is_no_more_than_there_is():
    room = SharedRoom(Region.private(), "r", 10)
    assert sum(room.take(f"client {number}") for number in range(50)) == 10


def test_what_is_left_can_be_taken_again():
    room = SharedRoom(Region.private(), "r", 2)
    assert taken(room, "a") == 1
    room.leave("a")
    assert taken(room, "a") == 1


def test_a_client_is_counted_over_all_workers():
    board = Board.private(keys=16, regions=2)
    here, there = (SharedRoom(board.region(board.hand_out()), "r", 10) for _ in range(2))
    assert taken(here, "a") == 5
    assert taken(there, "a") == 0
    assert there.take("b")


def test_no_room_is_no_room():
    assert not SharedRoom(Region.private(), "r", 0).take("a")
