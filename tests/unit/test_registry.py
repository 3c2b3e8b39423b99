"""The open sessions of a worker: how many there may be before connections have to wait."""

from ipaddress import ip_address

from gateway.connection import Role
from gateway.reply import Reply
from gateway.smtp.processing import Bounds
from gateway.smtp.registry import RESERVE, SHORTAGE, Sessions
from gateway.smtp.settings import SessionSettings
from gateway.system.board import Board, Region


class Guest:
    """A session that is asked nothing."""

    def retire(self) -> None: ...

    def cut(self) -> None: ...


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.open = 0
        self.limits: list[str] = []

    def connection_opened(self) -> None:
        self.open += 1

    def connection_closed(self) -> None:
        self.open -= 1

    def turned_away(self, limit: str) -> None:
        self.limits.append(limit)


def let_in(sessions: Sessions, address: str, role: Role = Role.STRANGER) -> Guest | Reply:
    place = sessions.admit(ip_address(address), role)
    if isinstance(place, Reply):
        return place
    guest = Guest()
    sessions.enter(guest, place)
    return guest


def regions() -> tuple[Region, Region]:
    board = Board.private(keys=1024, regions=2)
    return board.region(board.hand_out()), board.region(board.hand_out())


def test_there_is_room_while_descriptors_suffice() -> None:
    sessions = Sessions(SessionSettings(), Region.private(), room=2)
    first, _ = let_in(sessions, "192.0.2.1"), let_in(sessions, "192.0.2.2")
    assert not sessions.has_room
    assert isinstance(first, Guest)
    sessions.leave(first)
    sessions.leave(first)
    assert sessions.has_room


def test_where_descriptors_ran_out_half_as_many_are_let_in_for_a_while() -> None:
    now = 100.0
    sessions = Sessions(SessionSettings(), Region.private(), room=8, clock=lambda: now)
    guests = [let_in(sessions, f"192.0.2.{number}") for number in range(6)]
    sessions.run_short()
    assert not sessions.has_room
    for guest in guests[:4]:
        assert isinstance(guest, Guest)
        assert not sessions.has_room
        sessions.leave(guest)
    assert sessions.has_room
    let_in(sessions, "192.0.2.9")
    assert not sessions.has_room
    now += SHORTAGE
    assert sessions.has_room


def test_where_descriptors_ran_out_one_client_is_let_in_all_the_same() -> None:
    sessions = Sessions(SessionSettings(), Region.private())
    sessions.run_short()
    assert sessions.has_room


def test_full_host_has_room_left_to_refuse_strangers_and_to_let_in_our_own() -> None:
    here, there = (Sessions(SessionSettings(max_connections=4), region) for region in regions())
    guests = [let_in(sessions, f"192.0.{number}.1") for number, sessions in enumerate((here, there) * 2)]
    assert all(isinstance(guest, Guest) for guest in guests)
    assert isinstance(let_in(here, "198.51.100.1"), Reply)
    for number in range(RESERVE):
        assert here.has_room
        assert there.has_room
        assert isinstance(let_in((here, there)[number % 2], "127.0.0.1", Role.INTERNAL), Guest)
    assert not here.has_room
    assert not there.has_room


def test_host_is_crowded_when_more_than_half_of_its_connections_are_open() -> None:
    here, there = (Sessions(SessionSettings(max_connections=4), region) for region in regions())
    let_in(here, "192.0.2.1")
    let_in(there, "192.0.2.2")
    assert not here.is_crowded
    let_in(there, "192.0.2.3")
    assert here.is_crowded


async def test_watcher_is_told_who_came_who_left_and_who_was_turned_away() -> None:
    watcher = Watcher()
    settings = SessionSettings(max_connections_per_address=1)
    sessions = Sessions(settings, Region.private(), messages=Bounds(at_once=1), watcher=watcher)
    guest = let_in(sessions, "192.0.2.1")
    assert isinstance(guest, Guest)
    let_in(sessions, "192.0.2.1")
    assert await sessions.begin_message("net") is None
    assert await sessions.begin_message("net") is not None
    assert sessions.busy() is not None
    sessions.end_message()
    assert sessions.busy() is None
    assert watcher.open == 1
    sessions.leave(guest)
    assert watcher.open == 0
    assert watcher.limits == ["address", "messages", "messages"]
