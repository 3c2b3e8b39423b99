"""Remembered: what spamd called spam a short time ago, so that it need not be asked about the same again.

Only spam is kept. A ham that is remembered would be a way round the scoring: what was learned since, from other mail or
from a block list, would not count for the copies of it.
"""

from collections import OrderedDict
from collections.abc import Callable

from gateway.scoring.outcome import Scored

MOST = 1000  # verdicts: some 2 MB, and far more than a spamd gives in the time that they are kept


class Remembered:
    """Verdicts by fingerprint, each for so many seconds; with 0 nothing is kept. `clock` gives monotonic seconds."""

    def __init__(self, *, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Scored]] = OrderedDict()  # with the time until which it counts

    def find(self, fingerprint: bytes) -> Scored | None:
        until, scored = self._known.get(fingerprint, (0.0, None))
        return scored if self._clock() < until else None

    def note(self, fingerprint: bytes, scored: Scored) -> None:
        if not (scored.score.is_spam and self._seconds):
            return
        self._known.pop(fingerprint, None)
        self._known[fingerprint] = (self._clock() + self._seconds, scored)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
