"""A spool gives back what was written, from memory or from a file without a name."""

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import CHUNK
from gateway.system.board import Region
from gateway.system.hostcounts import HostCounts, Places
from gateway.system.spool import BATCH, STEP, Spool

THRESHOLD = 1000


@pytest.fixture
def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def write(spool: Spool, octets: bytes) -> None:
    """As whoever collects a message does."""
    spool.write(octets)
    if spool.is_full:
        spool.unload()


@pytest.mark.parametrize("size", [0, 1, THRESHOLD, THRESHOLD + 1, 3 * CHUNK + 5, 2 * BATCH + 5])
@pytest.mark.parametrize("step", [1, 999, CHUNK])
def test_what_was_written_is_read(tmp_path: Path, size: int, step: int) -> None:
    if size > CHUNK and step == 1:
        step = 777
    octets = os.urandom(size)
    spool = Spool(threshold=THRESHOLD, directory=tmp_path)
    for start in range(0, size, step):
        write(spool, octets[start : start + step])
    assert spool.size == size
    assert b"".join(spool.chunks()) == octets
    assert b"".join(spool.chunks()) == octets
    assert all(len(chunk) <= CHUNK for chunk in spool.chunks())
    spool.close()


@given(
    st.lists(st.tuples(st.binary(max_size=50), st.booleans()), max_size=20), st.integers(0, 1200), st.integers(0, 100)
)
def test_reading_begins_anywhere(pieces: list[tuple[bytes, bool]], start: int, threshold: int) -> None:
    spool = Spool(threshold=threshold, directory=Path("/tmp"))
    for piece, is_unloaded in pieces:
        spool.write(piece)
        if is_unloaded:
            spool.unload()
    assert b"".join(spool.chunks(start)) == b"".join(piece for piece, _ in pieces)[start:]
    spool.close()


def test_two_readers_do_not_disturb_each_other(tmp_path: Path) -> None:
    spool = Spool(threshold=0, directory=tmp_path)
    write(spool, os.urandom(3 * CHUNK))
    spool.write(os.urandom(CHUNK))
    first = spool.chunks()
    head = next(first)
    assert b"".join(spool.chunks())[:CHUNK] == head
    assert head + b"".join(first) == b"".join(spool.chunks())
    spool.close()


def test_what_is_written_after_reading_is_read_too() -> None:
    spool = Spool(threshold=THRESHOLD, directory=Path("/nonexistent"))
    spool.write(bytearray(b"one "))
    first = spool.chunks()
    spool.write(bytearray(b"two"))
    assert b"".join(spool.chunks()) == b"one two"
    assert b"".join(spool.chunks(4)) == b"two"
    assert b"".join(spool.chunks(7)) == b""
    assert b"".join(first).startswith(b"one ")
    spool.close()


def test_a_small_message_needs_no_disk() -> None:
    spool = Spool(threshold=THRESHOLD, directory=Path("/nonexistent"))
    write(spool, b"x" * THRESHOLD)
    assert spool.size == THRESHOLD
    with pytest.raises(FileNotFoundError):
        write(spool, b"x")


def test_what_is_in_memory_is_bounded_once_there_is_a_file(tmp_path: Path) -> None:
    spool = Spool(threshold=10 * BATCH, directory=tmp_path)
    spool.write(b"x" * 10 * BATCH)
    assert not spool.is_full
    spool.unload()
    spool.write(b"x" * BATCH)
    assert not spool.is_full
    spool.write(b"x")
    assert spool.is_full
    spool.close()


def test_a_large_message_leaves_no_name_behind(tmp_path: Path) -> None:
    spool = Spool(threshold=THRESHOLD, directory=tmp_path)
    write(spool, b"x" * 5 * THRESHOLD)
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_where_files_without_a_name_cannot_be_made_the_name_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def without_tmpfile(path: Path, flags: int, *mode: int, **more: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return real(path, flags, *mode, **more)

    monkeypatch.setattr(os, "open", without_tmpfile)
    spool = Spool(threshold=0, directory=tmp_path)
    write(spool, b"here")
    assert list(tmp_path.iterdir()) == []
    assert b"".join(spool.chunks()) == b"here"
    spool.close()


def test_closing_gives_the_file_back_and_may_be_done_twice(tmp_path: Path, open_files: set[str]) -> None:
    spool = Spool(threshold=0, directory=tmp_path)
    write(spool, b"x")
    assert len(os.listdir("/proc/self/fd")) == len(open_files) + 1
    spool.close()
    spool.close()
    assert len(os.listdir("/proc/self/fd")) == len(open_files)


def test_a_file_that_is_written_to_is_closed_when_that_is_done(tmp_path: Path, open_files: set[str]) -> None:
    """Its number must not become that of another file before: a thread that waits for a hung disk would write there."""
    pipe, theirs = os.pipe()
    spool = Spool(threshold=0, directory=tmp_path)
    write(spool, b"x")
    os.dup2(theirs, spool._fd)  # what nobody reads from hangs like a disk, once it is full
    os.close(theirs)
    spool.write(b"y" * 1_000_000)
    hanging = threading.Thread(target=spool.unload, daemon=True)
    hanging.start()
    os.read(pipe, 1)  # it has begun
    spool.close()
    assert len(os.listdir("/proc/self/fd")) == len(open_files) + 2
    while hanging.is_alive():
        os.read(pipe, 65536)
    assert len(os.listdir("/proc/self/fd")) == len(open_files) + 1
    os.close(pipe)


def test_a_full_disk_is_told_to_the_writer(tmp_path: Path) -> None:
    spool = Spool(threshold=0, directory=tmp_path)
    write(spool, b"x")
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, spool._fd)
    os.close(full)
    spool.write(b"y")
    with pytest.raises(OSError, match="No space left"):
        spool.unload()
    spool.close()


def test_what_is_in_memory_is_given_out_in_chunks_too(tmp_path: Path) -> None:
    spool = Spool(threshold=4 * CHUNK, directory=tmp_path)
    write(spool, bytes(3 * CHUNK))
    assert [len(chunk) for chunk in spool.chunks(5)] == [CHUNK, CHUNK, CHUNK - 5]
    spool.close()


def memory_of(octets: int) -> Places:
    return Places(HostCounts(Region.private()), "memory", octets)


def test_host_counts_what_is_in_memory_until_it_is_in_the_file_or_gone(tmp_path: Path) -> None:
    host = memory_of(100 * STEP)
    spool, other = (Spool(threshold=4 * STEP, directory=tmp_path, host=host) for _ in range(2))
    other.write(bytes(STEP - 1))
    assert host.taken == 0
    for held in (1, 2, 3, 4):
        write(spool, bytes(STEP))
        assert host.taken == held * STEP
    write(spool, b"x")  # one too many for its threshold
    write(spool, b"x")
    assert host.taken == 0
    other.write(bytes(2 * STEP))
    assert host.taken == 2 * STEP
    other.close()
    other.close()
    spool.close()
    assert host.taken == 0


def test_spool_without_memory_left_at_the_host_goes_to_its_file(tmp_path: Path) -> None:
    host = memory_of(2 * STEP)
    first, second = (Spool(threshold=100 * STEP, directory=tmp_path, host=host) for _ in range(2))
    first.write(bytes(2 * STEP))
    assert not first.is_full
    content = os.urandom(5 * STEP)
    for start in range(0, len(content), 1000):
        second.write(content[start : start + 1000])
        if second.is_full:
            second.unload()
        assert second.in_memory < STEP + 1000
    assert host.taken == 2 * STEP
    assert b"".join(second.chunks()) == content
    first.close()
    second.write(bytes(2 * STEP))
    assert not second.is_full
    assert host.taken == 2 * STEP
    second.close()
    assert host.taken == 0
