"""Breaker: turns failures in a row into a pause: a dead host costs no message its time. Pure; `now` is in seconds."""

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Closed until `limit` failures came in a row; then one attempt is let through every `pause` seconds, until one
    succeeds."""

    limit: int
    pause: float
    failures: int = 0
    retry_at: float = 0.0

    def admits(self, now: float) -> bool:
        return self.failures < self.limit or now >= self.retry_at

    def attempt(self, now: float) -> None:
        """An attempt begins. Where the breaker is open, others wait for its outcome, or for another pause."""
        if self.failures >= self.limit:
            self.retry_at = now + self.pause

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, now: float) -> None:
        self.failures += 1
        self.attempt(now)
