"""A spool gives back what was written, from memory or from a file without a name."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import CHUNK
from gateway.system.spool import Spool

THRESHOLD = 1000


@pytest.fixture
def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("size", [0, 1, THRESHOLD, THRESHOLD + 1, 3 * CHUNK + 5])
@pytest.mark.parametrize("step", [1, 999, CHUNK])
def test_what_was_written_is_read(tmp_path: Path, size: int, step: int) -> None:
    if size > CHUNK and step == 1:
        step = 777
    octets = os.urandom(size)
    spool = Spool(threshold=THRESHOLD, directory=tmp_path)
    for start in range(0, size, step):
        spool.write(octets[start : start + step])
    assert spool.size == size
    assert b"".join(spool.chunks()) == octets
    assert b"".join(spool.chunks()) == octets
    assert all(len(chunk) <= CHUNK for chunk in spool.chunks())
    spool.close()


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(0, 1200), st.integers(0, 100))
def test_reading_begins_anywhere(pieces: list[bytes], start: int, threshold: int) -> None:
    spool = Spool(threshold=threshold, directory=Path("/tmp"))
    for piece in pieces:
        spool.write(piece)
    assert b"".join(spool.chunks(start)) == b"".join(pieces)[start:]
    spool.close()


def test_two_readers_do_not_disturb_each_other(tmp_path: Path) -> None:
    spool = Spool(threshold=0, directory=tmp_path)
    spool.write(os.urandom(3 * CHUNK))
    first = spool.chunks()
    head = next(first)
    assert b"".join(spool.chunks())[:CHUNK] == head
    assert head + b"".join(first) == b"".join(spool.chunks())
    spool.close()


def test_a_small_message_needs_no_disk() -> None:
    spool = Spool(threshold=THRESHOLD, directory=Path("/nonexistent"))
    spool.write(b"x" * THRESHOLD)
    assert spool.size == THRESHOLD
    with pytest.raises(FileNotFoundError):
        spool.write(b"x")


def test_a_large_message_leaves_no_name_behind(tmp_path: Path) -> None:
    spool = Spool(threshold=THRESHOLD, directory=tmp_path)
    spool.write(b"x" * 5 * THRESHOLD)
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
    spool.write(b"here")
    assert list(tmp_path.iterdir()) == []
    assert b"".join(spool.chunks()) == b"here"
    spool.close()


def test_closing_gives_the_file_back_and_may_be_done_twice(tmp_path: Path, open_files: set[str]) -> None:
    spool = Spool(threshold=0, directory=tmp_path)
    spool.write(b"x")
    assert len(os.listdir("/proc/self/fd")) == len(open_files) + 1
    spool.close()
    spool.close()
    assert len(os.listdir("/proc/self/fd")) == len(open_files)


def test_a_full_disk_is_told_to_the_writer(tmp_path: Path) -> None:
    spool = Spool(threshold=0, directory=tmp_path)
    spool.write(b"x")
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, spool._fd)
    os.close(full)
    with pytest.raises(OSError, match="No space left"):
        spool.write(b"y")
    spool.close()


def test_what_is_in_memory_is_given_out_in_chunks_too(tmp_path: Path) -> None:
    spool = Spool(threshold=4 * CHUNK, directory=tmp_path)
    spool.write(bytes(3 * CHUNK))
    assert [len(chunk) for chunk in spool.chunks(5)] == [CHUNK, CHUNK, CHUNK - 5]
    spool.close()
