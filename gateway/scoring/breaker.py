"""Breaker: turns failures in a row into a pause: a dead host costs no message its time. `now` is monotonic seconds."""

from enum import StrEnum

from msgspec import Struct

from gateway.system.hostmark import HostMark


class Cause(StrEnum):
    """Why a spamd gives no score."""

    BUSY = "busy"  # it is there, but had no place or gave no score in time
    DEAD = "dead"  # it cannot be connected to


_CAUSES = tuple(Cause)


class Breaker(Struct):
    """Closed until `limit` failures came in a row in one worker; then open for all of them: one attempt is let through
    every `pause` seconds, until one succeeds."""

    limit: int
    pause: float
    mark: HostMark
    failures: int = 0  # in a row, of this worker

    @property
    def cause(self) -> Cause:
        """Of the failure that opened it."""
        return _CAUSES[self.mark.note % len(_CAUSES)]

    def admits(self, now: float) -> bool:
        return now >= self.mark.retry_at

    def attempt(self, now: float) -> None:
        """An attempt begins. Where the breaker is open, others wait for its outcome, or for another pause."""
        if self.mark.retry_at:
            self.mark.leave_alone(now, self.pause, self.mark.note)
        elif self.failures >= self.limit:  # another worker has closed it
            self.failures = 0

    def succeeded(self, now: float) -> None:
        self.failures = 0
        self.mark.is_well(now)

    def failed(self, now: float, cause: Cause) -> None:
        self.failures += 1
        if self.failures >= self.limit or self.mark.retry_at:
            self.mark.leave_alone(now, self.pause, _CAUSES.index(cause))
