"""The board: what one region says is read in all, and nothing that stands there can bring a reader down."""

import fcntl
import mmap
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.system.board import LARGEST, WINDOW, WORD, Board, Layout, Region

ROOT = Path(__file__).resolve().parents[3]


def two_regions(keys: int = 64) -> tuple[Board, Region, Region]:
    board = Board.private(keys=keys, regions=2)
    return board, board.region(board.hand_out()), board.region(board.hand_out())


def test_what_one_posts_the_others_read() -> None:
    board, here, there = two_regions()
    key = board.key("a name")
    assert here.post(key, 3)
    assert (here.own(key), here.others(key), there.own(key), there.others(key)) == (3, [], 0, [3])
    assert there.post(key, 4)
    assert board.total(key) == 7


def test_zero_takes_a_number_away_and_its_entry_is_used_again() -> None:
    board, here, there = two_regions()
    for number in range(10_000):
        key = board.key(f"name {number}")
        assert here.post(key, 1)
        here.post(key, 0)
        assert there.others(key) == []


def test_a_key_in_a_full_window_is_not_posted_and_the_others_stay() -> None:
    board, here, there = two_regions(keys=4)
    keys = [1 + number * board.layout.entries for number in range(WINDOW + 1)]  # all point to one entry
    assert [here.post(key, 1) for key in keys] == [True] * WINDOW + [False]
    assert [there.others(key) for key in keys] == [[1]] * WINDOW + [[]]
    here.post(keys[3], 0)
    assert here.post(keys[-1], 9)
    assert there.others(keys[-1]) == [9]


def test_window_of_the_last_entry_goes_on_behind_it() -> None:
    board, here, there = two_regions(keys=128)  # so that a column would end with a page
    entries = [board.layout.entries - 1, 0]
    keys = [entry + number * board.layout.entries for entry in entries for number in range(1, WINDOW + 1)]
    for number, key in enumerate(keys, 1):
        assert here.post(key, number)
    assert [there.others(key) for key in keys] == [[number] for number in range(1, 2 * WINDOW + 1)]


def test_as_many_keys_as_are_expected_find_room() -> None:
    board, here, _ = two_regions(keys=4096)
    assert all(here.post(board.key(f"address {number}"), 1) for number in range(4096))


def test_numbers_above_a_word_are_cut() -> None:
    _, here, there = two_regions()
    assert here.post(5, LARGEST + 10)
    assert there.others(5) == [LARGEST]


def test_region_that_is_taken_back_says_nothing_and_is_handed_out_again() -> None:
    board, here, there = two_regions()
    key = board.key("a name")
    here.post(key, 5)
    with pytest.raises(OSError, match="every region"):
        board.hand_out()
    board.take_back(0)
    assert there.others(key) == []
    assert board.hand_out() == 0
    assert board.total(key) == 0


def test_region_that_is_handed_out_later_is_read_by_those_who_have_looked_before() -> None:
    board = Board.private(keys=64, regions=2)
    here, key = board.region(board.hand_out()), board.key("a name")
    assert (here.others(key), here.totals([key])) == ([], [0])
    board.region(board.hand_out()).post(key, 4)
    assert (here.others(key), here.total(key), here.totals([key])) == ([4], 4, [4])


def test_region_that_nobody_was_given_cannot_be_written_to() -> None:
    board = Board.private(keys=4, regions=2)
    for number in (0, 1, -1, 7):
        with pytest.raises(ValueError, match="not been handed out"):
            board.region(number)


def test_board_is_joined_by_its_descriptor() -> None:
    ours = Board.make(regions=2, keys=8)
    theirs = Board.join(os.dup(ours.fd))
    number = ours.hand_out()
    key = ours.key("a name")
    assert theirs.key("a name") == key
    theirs.region(number).post(key, 2)
    assert ours.total(key) == 2


def test_memory_of_a_board_cannot_be_taken_away() -> None:
    board = Board.make(regions=1, keys=8)
    with pytest.raises(PermissionError):
        os.ftruncate(board.fd, 0)


def test_keys_of_one_board_say_nothing_about_those_of_another() -> None:
    assert Board.private(keys=4).key("a name") != Board.private(keys=4).key("a name")


def sealed(content: bytes) -> int:
    fd = os.memfd_create("no board", os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def head(regions: int, entries: int) -> bytes:
    layout = Layout(regions, entries)
    return b"".join(word.to_bytes(WORD, "little") for word in (0x6D61696C77617264, regions, entries)) + bytes(
        max(min(layout.octets, 1 << 20) - 3 * WORD, 0)
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 10,
        bytes(mmap.PAGESIZE),
        b"\xff" * mmap.PAGESIZE,
        head(0, 16),
        head(1, 0),
        head(1, 24),
        head(1 << 17, 16),
        head(1, 1 << 40),
        head(1, 64) + bytes(8),
        head(1, 64)[:-8],
    ],
    ids=range(11),
)
def test_memory_that_is_no_board_is_refused(content: bytes) -> None:
    fd = sealed(content)
    with pytest.raises((ValueError, OSError)):
        Board.join(fd)
    os.close(fd)


def test_memory_that_could_be_taken_away_is_refused() -> None:
    fd = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    os.write(fd, head(1, 64))
    with pytest.raises(ValueError, match="not sealed"):
        Board.join(fd)
    os.close(fd)


def test_nonsense_in_the_region_of_another_harms_no_reader() -> None:
    ours = Board.make(regions=3, keys=16)
    regions = [ours.region(ours.hand_out()) for _ in range(3)]
    layout, chance = ours.layout, random.Random(4)
    memory = mmap.mmap(ours.fd, layout.octets)
    start = (layout.first_region + 2 * layout.column) * WORD
    for _ in range(50):
        memory[start : start + 4 * layout.column * WORD] = chance.randbytes(4 * layout.column * WORD)
        for name in range(40):
            key = ours.key(f"name {name}")
            assert sum(regions[0].others(key)) >= 0
            regions[0].post(key, regions[0].own(key) + 1)
    assert regions[0].own(ours.key("name 1")) == 50


class Boards(RuleBasedStateMachine):
    """Three regions against three dictionaries; keys of few windows, so that these fill."""

    @initialize()
    def begin(self) -> None:
        self.board = Board.private(keys=4, regions=3)
        self.regions = {number: self.board.region(number) for number in (self.board.hand_out() for _ in range(3))}
        self.model: dict[int, dict[int, int]] = {number: {} for number in self.regions}

    @rule(
        number=st.integers(0, 2),
        key=st.builds(lambda window, n: window + 1 + 16 * n, st.integers(0, 2), st.integers(0, 20)),
        value=st.integers(-1, 5),
    )
    def post(self, number: int, key: int, value: int) -> None:
        known = self.model[number]
        was = known.get(key)
        done = self.regions[number].post(key, value)
        if value <= 0:
            known.pop(key, None)
            assert done
        elif done:
            known[key] = value
        else:
            assert was is None
            assert len(known) >= WINDOW

    @rule(number=st.integers(0, 2))
    def die(self, number: int) -> None:
        self.board.take_back(number)
        assert self.board.hand_out() == number
        self.regions[number] = self.board.region(number)
        self.model[number] = {}

    @invariant()
    def all_agree(self) -> None:
        for key in {key for known in self.model.values() for key in known}:
            assert self.board.total(key) == sum(known.get(key, 0) for known in self.model.values())
            for number, region in self.regions.items():
                assert region.own(key) == self.model[number].get(key, 0)
                others = [known.get(key, 0) for other, known in self.model.items() if other != number]
                assert sorted(region.others(key)) == sorted(filter(None, others))


TestBoards = Boards.TestCase
TestBoards.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)


# Another process. Of ever new keys, all of which get the same entry, it says the number that they have in their order;
# which one it has come to it says under a key that stays.
WRITER = """
import sys
from itertools import count
from gateway.system.board import Board
board, region, stays = map(int, sys.argv[1:])
board = Board.join(board)
region = board.region(region)
print("ready", flush=True)
for number in count(1):
    region.post(stays, number)
    region.post(number * board.layout.entries, number)
    region.post(number * board.layout.entries, 0)
"""


def test_number_is_never_that_of_the_key_that_has_the_entry_next() -> None:
    board = Board.make(regions=2, keys=16)
    ours, theirs = board.region(board.hand_out()), board.hand_out()
    stays = board.layout.entries // 2
    command = [sys.executable, "-c", WRITER, *map(str, (board.fd, theirs, stays))]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, pass_fds=(board.fd,))
    try:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
        for _ in range(100_000):
            number = sum(ours.others(stays))
            assert ours.others(number * board.layout.entries) in ([], [number])
    finally:
        writer.kill()
        writer.communicate()
