"""Scores: how many messages of each kind have which score, counted by the hundredth. Pure, and of bounded size."""

from collections import Counter
from collections.abc import Iterator
from math import ceil, floor

from gateway.tuning.sighting import Known

LIMIT = 100.0  # scores beyond are counted as this: no threshold lies there, and GTUBE has 1000 points
STEPS = 100  # that are told apart within a point: people write at most two decimals
ROUNDING = 1e-6  # scores are sums of decimals in binary


class Scores:
    """Counts scores."""

    def __init__(self) -> None:
        self._counted: dict[Known, Counter[int]] = {known: Counter() for known in Known}

    def add(self, known: Known, score: float) -> None:
        bounded = min(max(score, -LIMIT), LIMIT)
        self._counted[known][floor(bounded * STEPS + ROUNDING)] += 1

    def number(self, known: Known) -> int:
        return self._counted[known].total()

    def at_least(self, known: Known, threshold: float) -> int:
        """How many a rule would match that reads `score >= threshold`."""
        least = ceil(threshold * STEPS - ROUNDING)
        return sum(count for step, count in self._counted[known].items() if step >= least)

    def counted(self, known: Known) -> Iterator[tuple[float, int]]:
        """Each score that there is, in ascending order, and how many have it."""
        return ((step / STEPS, count) for step, count in sorted(self._counted[known].items()))

    def window(self, share: float) -> tuple[float, float] | None:
        """Between which scores all messages are but the lowest and the highest of that share; None without any."""
        everything = sum(self._counted.values(), Counter[int]())
        steps = sorted(everything)
        if not steps:
            return None
        cut = share * everything.total()
        return _reached(steps, everything, cut), _reached(steps[::-1], everything, cut)


def _reached(steps: list[int], counted: Counter[int], cut: float) -> float:
    """The first of the steps by which more messages than `cut` were passed."""
    passed = 0
    for step in steps:
        passed += counted[step]
        if passed > cut:
            return step / STEPS
    return steps[-1] / STEPS
