"""Host mark: what was last found out about another host, by whichever worker: it is well, or to be left alone.

One word holds when that was found, for how long it stands and a note, so that the newest word is the largest.
"""

from gateway.system.board import Region

MILLISECONDS = 1000
NOTE_BITS = 2
PAUSE_BITS = 22
LONGEST = (1 << PAUSE_BITS) - 1  # milliseconds that a pause can have: more than an hour
_FOUND = NOTE_BITS + PAUSE_BITS  # the bits below the time


class HostMark:
    """Times are monotonic seconds: that clock is the same for all processes of a host."""

    def __init__(self, region: Region, name: str) -> None:
        self._region = region
        self._key = region.key(f"mark of {name}")

    @property
    def retry_at(self) -> float:
        """When it may be tried again; 0.0 where nothing is known against it."""
        newest = self._newest()
        pause = newest >> NOTE_BITS & LONGEST
        return ((newest >> _FOUND) + pause) / MILLISECONDS if pause else 0.0

    @property
    def note(self) -> int:
        """What was noted with the pause that stands."""
        return self._newest() & ((1 << NOTE_BITS) - 1)

    def leave_alone(self, now: float, seconds: float, note: int = 0) -> None:
        """It does not serve, and is not to be asked for so long. `note` is a small number of the caller's."""
        pause = max(1, min(round(seconds * MILLISECONDS), LONGEST))
        self._say(now, pause << NOTE_BITS | note)

    def is_well(self, now: float) -> None:
        """It serves. Nothing is said where nothing else was known."""
        if self.retry_at:
            self._say(now, 0)

    def _say(self, now: float, what: int) -> None:
        newest, found = self._newest(), round(now * MILLISECONDS)
        if newest:  # what is said later is newer, though it be in the same millisecond
            found = max(found, (newest >> _FOUND) + 1)
        self._region.post(self._key, found << _FOUND | what)

    def _newest(self) -> int:
        return max((self._region.own(self._key), *self._region.others(self._key)))
