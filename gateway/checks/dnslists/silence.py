"""Silence: turns missing answers in a row into a pause, so that a list that is down keeps few clients waiting.

Each client has a name of its own to be asked for, so that no cache helps. Pure; `now` is in seconds.
"""

from msgspec import Struct


class Silence(Struct):
    """Of one list. After `limit` missing answers it is asked once every `pause` seconds, until it answers."""

    limit: int
    pause: float
    missing: int = 0
    retry_at: float = 0.0

    def allows(self, now: float) -> bool:
        """Whether the list is to be asked. Who is told so asks it."""
        if self.missing < self.limit:
            return True
        if now < self.retry_at:
            return False
        self.retry_at = now + self.pause
        return True

    def broken(self) -> None:
        self.missing = 0

    def goes_on(self, now: float) -> None:
        self.missing += 1
        self.retry_at = now + self.pause
