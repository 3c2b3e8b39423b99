"""Counts of the host: their limit is never exceeded, whatever the workers do at once."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.system.board import Board, Region
from gateway.system.hostcounts import HostCounts, Places

ROOT = Path(__file__).resolve().parents[3]


def workers(count: int) -> list[HostCounts]:
    board = Board.private(keys=64, regions=count)
    return [HostCounts(board.region(board.hand_out())) for _ in range(count)]


def test_limit_is_that_of_all_together() -> None:
    here, there = workers(2)
    key = here.key("connections")
    assert [counts.take(key, 3) for counts in (here, there, here, there)] == [True, True, True, False]
    assert (here.total(key), there.total(key)) == (3, 3)
    here.leave(key)
    assert there.take(key, 3)


def test_one_may_hold_all_of_it() -> None:
    here, there = workers(2)
    key = here.key("connections")
    assert [here.take(key, 3) for _ in range(4)] == [True, True, True, False]
    assert not there.take(key, 3)


def test_amounts_are_taken_whole_or_not_at_all() -> None:
    here, there = workers(2)
    key = here.key("octets")
    assert here.take(key, 100, 60)
    assert not there.take(key, 100, 41)
    assert there.take(key, 100, 40)
    here.leave(key, 60)
    assert here.total(key) == 40


def test_what_is_held_beyond_the_limit_still_counts() -> None:
    here, there = workers(2)
    key = here.key("connections")
    for _ in range(3):
        here.add(key)
    assert not there.take(key, 2)
    here.leave(key)
    here.leave(key)
    assert there.take(key, 2)


def test_giving_back_what_is_not_held_makes_no_room() -> None:
    here, there = workers(2)
    key = here.key("connections")
    there.take(key, 2)
    there.take(key, 2)
    here.leave(key)
    assert not here.take(key, 2)


def test_key_that_finds_no_room_is_refused() -> None:
    counts = HostCounts(Region.private(keys=1))
    taken = [counts.take(counts.key(f"address {number}"), 5) for number in range(1000)]
    assert any(taken)
    assert not all(taken)


def test_several_are_claimed_together_or_none_of_them() -> None:
    here, there = workers(2)
    keys, limits = [here.key(name) for name in ("address", "network", "host")], (9, 2, 9)
    assert [counts.claim_each(keys, limits) for counts in (here, there, here)] == [None, None, 1]
    assert [here.total(key) for key in keys] == [2, 2, 2]
    assert (here.full_among(keys, limits), here.full_among(keys, (9, 3, 2)), here.full_among(keys, (3, 3, 3))) == (
        1,
        2,
        None,
    )
    there.leave_each(keys)
    assert [here.total(key) for key in keys] == [1, 1, 1]
    assert here.claim_each(keys, limits) is None


def test_none_is_claimed_where_one_of_them_finds_no_room() -> None:
    counts = HostCounts(Region.private(keys=1))
    address, host = counts.key("address"), counts.key("host")
    assert counts.take(host, 5)
    others = (counts.key(f"address {number}") for number in range(1000))
    crowded = next(key for key in others if not counts.take(key, 5))
    counts.leave(host)
    assert counts.claim_each((host, crowded, address), (5, 5, 5)) == 1
    assert [counts.total(key) for key in (host, crowded, address)] == [0, 0, 0]


def test_places_are_full_at_their_limit() -> None:
    here, there = (Places(counts, "messages", 2) for counts in workers(2))
    assert here.take()
    assert there.take()
    assert (here.taken, here.are_full, here.take()) == (2, True, False)
    there.leave()
    assert not here.are_full


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.booleans()), max_size=200))
def test_counts_are_those_of_a_model(steps: list[tuple[int, str, bool]]) -> None:
    counts, limits = workers(3), {"a": 4, "b": 1}
    held = {(worker, name): 0 for worker in range(3) for name in "ab"}
    for worker, name, takes in steps:
        key = counts[worker].key(name)
        everywhere = sum(held[other, name] for other in range(3))
        if takes:
            assert counts[worker].take(key, limits[name]) is (everywhere < limits[name])
            held[worker, name] += everywhere < limits[name]
        elif held[worker, name]:
            counts[worker].leave(key)
            held[worker, name] -= 1
        assert counts[worker].total(key) == sum(held[other, name] for other in range(3))


# Another process. It takes and leaves the two places of "p" as fast as it can. The kernel's locks on two octets of a
# file tell whether there are ever three at once: whoever has a place must get one of them.
RIVAL = """
import fcntl, sys
from gateway.system.board import Board
from gateway.system.hostcounts import HostCounts
board, region, rounds, witness = sys.argv[1:]
counts = HostCounts(Board.join(int(board)).region(int(region)))
file, key = open(witness, "r+b"), counts.key("p")

def witnessed():
    for octet in (0, 1):
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, octet)
            return octet
        except BlockingIOError:
            continue

got = too_many = 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(rounds)):
    if counts.take(key, 2):
        got += 1
        octet = witnessed()
        if octet is None:
            too_many += 1
        else:
            fcntl.lockf(file, fcntl.LOCK_UN, 1, octet)
        counts.leave(key)
held = sum(counts.take(key, 2) for _ in range(5))
print(got, too_many, held, flush=True)
sys.stdin.readline()
"""


class Rival:
    """A worker that wants the same places. The context ends it."""

    def __init__(self, board: Board, witness: Path, *, rounds: int) -> None:
        self.region = board.hand_out()
        command = [sys.executable, "-c", RIVAL, str(board.fd), str(self.region), str(rounds), str(witness)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, pass_fds=(board.fd,), bufsize=1
        )
        assert self.hear() == "ready"

    def __enter__(self) -> "Rival":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def begin(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("go\n")

    def hear(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_processes_that_race_for_the_last_places_never_have_too_many(tmp_path: Path) -> None:
    board = Board.make(regions=3, keys=16)
    (tmp_path / "witness").write_bytes(bytes(2))
    with ExitStack() as stack:
        rivals = [stack.enter_context(Rival(board, tmp_path / "witness", rounds=30_000)) for _ in range(3)]
        for rival in rivals:
            rival.begin()
        answers = [list(map(int, rival.hear().split())) for rival in rivals]
        assert any(got for got, _, _ in answers)  # not all: two may stand still for long with both places in hand
        assert [too_many for _, too_many, _ in answers] == [0, 0, 0]
        assert sum(held for _, _, held in answers) == board.total(board.key("p")) <= 2


def test_places_of_a_process_that_was_killed_come_back_once_its_region_is_taken_back(tmp_path: Path) -> None:
    board = Board.make(regions=2, keys=16)
    ours = HostCounts(board.region(board.hand_out()))
    (tmp_path / "witness").touch()
    with Rival(board, tmp_path / "witness", rounds=0) as rival:
        rival.begin()
        assert rival.hear() == "0 0 2"
        assert not ours.take(ours.key("p"), 2)
        rival.kill()
        board.take_back(rival.region)
    assert ours.take(ours.key("p"), 2)
