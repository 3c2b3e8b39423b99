"""Board: numbers that the workers of a host tell each other, in a piece of memory that all of them see.

Each worker has a region that it alone writes and all read: nobody waits for a lock, and one that is killed in the
middle of anything leaves nothing held, since the supervisor clears its region. A region is a hash table of 64-bit
words, a key and its number, which stand in one of a few places: looking for them takes the same short time for all.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Sequence
from hashlib import blake2b
from threading import Lock
from typing import Self

from msgspec import Struct

WORD = 8  # octets; an aligned word is read and written whole
WINDOW = 16  # entries, from the one its hash points to, in one of which a key stands
ROOM = 4  # entries for each key that is expected: then a window that is full is not to be met with
SECRET_SIZE = 2 * WORD
LARGEST = (1 << 64) - 1

_MAGIC = 0x6D61696C77617264  # "mailward"
_HEAD = 3 + SECRET_SIZE // WORD  # words: magic, regions, entries, the secret
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL  # nobody can take mapped memory away (SIGBUS)


class Layout(Struct, frozen=True):
    """Where things stand, in words. The head is followed by a word for each region that says whether it is in use."""

    regions: int
    entries: int  # of a region: a power of two

    @property
    def first_region(self) -> int:
        return _whole_pages(_HEAD + self.regions)

    @property
    def column(self) -> int:
        """Length of a region's keys, and of its numbers; a window that begins with the last entry goes on behind it."""
        return _whole_pages(self.entries + WINDOW)

    @property
    def octets(self) -> int:
        return (self.first_region + self.regions * 2 * self.column) * WORD


class Board:
    """All regions. Only the supervisor hands them out and takes them back."""

    def __init__(self, memory: mmap.mmap, layout: Layout, *, fd: int = -1) -> None:
        """`fd` is for those who are to see the same memory; -1 where nobody else is."""
        self.fd = fd
        self.layout = layout
        self.memory = memory
        self._words = memoryview(memory).cast("Q")
        self._secret = bytes(memory[3 * WORD : 3 * WORD + SECRET_SIZE])
        self._mask = layout.entries - 1
        self._column = layout.column
        self.first_keys = [layout.first_region + number * 2 * layout.column for number in range(layout.regions)]
        self.marks = slice(_HEAD * WORD, (_HEAD + layout.regions) * WORD)  # where it stands which regions are in use

    @classmethod
    def make(cls, *, regions: int, keys: int) -> Self:
        """A board that other processes can be given, with room for so many keys in each region. Raises OSError."""
        layout = _layout(regions, keys)
        fd = os.memfd_create("mailward-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, layout.octets)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            return cls(_begun(mmap.mmap(fd, layout.octets), layout), layout, fd=fd)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def private(cls, *, keys: int, regions: int = 1) -> Self:
        """A board that no other process sees."""
        layout = _layout(regions, keys)
        return cls(_begun(mmap.mmap(-1, layout.octets), layout), layout)

    @classmethod
    def join(cls, fd: int) -> Self:
        """The board that another process has made; `fd` is closed. Raises OSError, and ValueError where it is none."""
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise ValueError("the memory is not sealed")
        size = os.fstat(fd).st_size
        if size < mmap.PAGESIZE:
            raise ValueError("the memory is too small")
        memory = mmap.mmap(fd, size)
        layout = _layout_in(memory)
        if layout.octets != size:
            raise ValueError("the memory has another size than it says")
        os.close(fd)  # what is mapped stays
        return cls(memory, layout)

    def hand_out(self) -> int:
        """A region that nobody has. Raises OSError where there is none left."""
        for region in range(self.layout.regions):
            if not self._words[_HEAD + region]:
                self._words[_HEAD + region] = 1
                return region
        raise OSError("every region of the board is in use: too many workers have not ended yet")

    def take_back(self, region: int) -> None:
        """The process that had it is gone."""
        self._words[_HEAD + region] = 0
        first, length = self.first_keys[region] * WORD, 2 * self.layout.column * WORD
        self.memory[first : first + length] = bytes(length)

    def regions(self) -> tuple[int, ...]:
        """Those in use."""
        return _in_use(self.memory[self.marks])

    def key(self, name: str) -> int:
        """The key of a name. The hash is keyed, so that no client can choose addresses that share a window."""
        digest = blake2b(name.encode(), digest_size=WORD, key=self._secret).digest()
        return int.from_bytes(digest) or 1

    def number(self, region: int, key: int) -> int:
        """What the region says about a key; 0 where it says nothing."""
        return self.said(self.first_keys[region] + (key & self._mask), key)

    def said(self, entry: int, key: int) -> int:
        """The same of the region in which the key's hash points to this entry."""
        words = self._words
        found = words[entry]
        if not found:  # the entry was never taken: the key would stand here
            return 0
        if found != key:
            window = words[entry : entry + WINDOW].tolist()
            if key not in window:
                return 0
            entry += window.index(key)
        number = words[entry + self._column]
        return number if words[entry] == key else 0  # its owner may have given the entry to another key meanwhile

    def total(self, key: int) -> int:
        """The sum of what all regions say."""
        return sum(self.number(region, key) for region in self.regions())

    def region(self, number: int) -> "Region":
        """For its owner, who alone writes there. Raises ValueError where it has not been handed out."""
        if number not in self.regions():
            raise ValueError(f"region {number} of the board has not been handed out")
        return Region(self, number, self._words, self.first_keys[number])


class Region:
    """One's own region, and what stands in those of the others. What it holds is known here, and never read back."""

    def __init__(self, board: Board, number: int, words: "memoryview[int]", keys: int) -> None:
        """`keys` is where they begin in `words`."""
        self.key = board.key
        self._board = board
        self._said = board.said
        self._number = number
        self._memory = board.memory
        self._where = board.marks
        self._marks = b""  # what stood there when it was last looked
        self._beside: tuple[int, ...] = ()  # where the keys of the regions in use then begin, but for this one
        self._words = words
        self._keys = keys
        self._numbers = keys + board.layout.column
        self._mask = board.layout.entries - 1
        self._places: dict[int, int] = {}  # the entry of each key
        self._taken = bytearray(board.layout.entries + WINDOW)
        self._own: dict[int, int] = {}
        self._barrier = Lock()

    @staticmethod
    def private(*, keys: int = 1024) -> "Region":
        """A region for a process that has no others beside it."""
        board = Board.private(keys=keys)
        return board.region(board.hand_out())

    def own(self, key: int) -> int:
        return self._own.get(key, 0)

    # Readers see for themselves whether the regions in use are those they know: a message has a dozen of them.

    def others(self, key: int) -> list[int]:
        """What the others say about a key, where they say anything."""
        beside = self._beside if self._memory[self._where] == self._marks else self._look_beside()
        words, entry = self._words, key & self._mask
        for theirs in beside:
            if words[theirs + entry]:  # here and below: else it was never taken, as mostly, and says nothing
                return [said for keys in beside if (said := self._said(keys + entry, key))]
        return []

    def total(self, key: int) -> int:
        """The sum of what all say."""
        beside = self._beside if self._memory[self._where] == self._marks else self._look_beside()
        total, words, entry = self._own.get(key, 0), self._words, key & self._mask
        for theirs in beside:
            if words[theirs + entry]:
                total += self._said(theirs + entry, key)
        return total

    def totals(self, keys: Sequence[int]) -> list[int]:
        """The same of several keys."""
        beside = self._beside if self._memory[self._where] == self._marks else self._look_beside()
        totals, words, own, mask = [], self._words, self._own, self._mask
        for key in keys:
            total, entry = own.get(key, 0), key & mask
            for theirs in beside:
                if words[theirs + entry]:
                    total += self._said(theirs + entry, key)
            totals.append(total)
        return totals

    @property
    def neighbours(self) -> int:
        """How many other regions are in use."""
        return len(self._look_beside())

    def _look_beside(self) -> tuple[int, ...]:
        board = self._board
        self._marks = marks = self._memory[self._where]
        self._beside = tuple(board.first_keys[region] for region in _in_use(marks) if region != self._number)
        return self._beside

    def add_each(self, keys: Sequence[int], amount: int) -> int | None:
        """As `add`, under several keys or under none: then the place of the one for which there is no room."""
        for place, key in enumerate(keys):
            if not self._say(key, self._own.get(key, 0) + amount):
                self.add_each(keys[:place], -amount)
                return place
        with self._barrier:
            return None

    def post(self, key: int, number: int) -> bool:
        """Say this number, whatever was said before; else as `add`."""
        return self.add(key, number - self._own.get(key, 0))

    def add(self, key: int, amount: int = 1) -> bool:
        """Say so much more than before, or less, and nothing in place of 0; False where there is no room for one more
        key. Others see it before what is read next was read: two who say something and then look cannot both have
        overlooked each other."""
        if not self._say(key, self._own.get(key, 0) + amount):
            return False
        # Nobody else has this lock: it is taken for the memory barrier in it, a full one on x86. On other machines the
        # time that the interpreter takes until it reads is what a store needs to be seen.
        with self._barrier:
            return True

    def _say(self, key: int, number: int) -> bool:
        entry = self._places.get(key)
        if number <= 0:
            if entry is not None:
                del self._places[key], self._own[key]
                self._words[self._numbers + entry] = 0  # the key stays there until another one takes the entry
                self._taken[entry] = 0
            return True
        if entry is None:
            first = key & self._mask
            entry = self._taken.find(0, first, first + WINDOW)
            if entry < 0:
                return False
            self._taken[entry] = 1
            self._places[key] = entry
            self._words[self._keys + entry] = key
        self._own[key] = number
        self._words[self._numbers + entry] = number if number < LARGEST else LARGEST
        return True


def _in_use(marks: bytes) -> tuple[int, ...]:
    return tuple(region for region, mark in enumerate(memoryview(marks).cast("Q")) if mark)


def _layout(regions: int, keys: int) -> Layout:
    return Layout(regions, max(1 << (ROOM * keys - 1).bit_length(), WINDOW))


def _begun(memory: mmap.mmap, layout: Layout) -> mmap.mmap:
    """Write the head into fresh memory."""
    memory[: 3 * WORD] = struct.pack("3Q", _MAGIC, layout.regions, layout.entries)
    memory[3 * WORD : 3 * WORD + SECRET_SIZE] = os.urandom(SECRET_SIZE)
    return memory


def _layout_in(memory: mmap.mmap) -> Layout:
    magic, regions, entries = struct.unpack("3Q", memory[: 3 * WORD])
    if magic != _MAGIC or not 0 < regions <= 1 << 16 or not 0 < entries <= 1 << 26 or entries & (entries - 1):
        raise ValueError("the memory is no board")
    return Layout(regions, entries)


def _whole_pages(words: int) -> int:
    page = mmap.PAGESIZE // WORD
    return -(-words // page) * page
