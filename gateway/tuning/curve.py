"""Curve: counted scores to what thresholds would make of them. Pure."""

from collections.abc import Iterable
from math import ceil, floor

from msgspec import Struct

from gateway.tuning.quality import share
from gateway.tuning.scores import Scores
from gateway.tuning.sighting import Known

TAILS = 0.005  # of the messages, at either end, whose scores widen no picture and no table


class Point(Struct, frozen=True):
    """What a threshold would hit: messages whose score is at least that. A share of none is None."""

    threshold: float
    ham: int
    spam: int
    messages: int  # ham, spam, and those of which nothing is known
    ham_share: float | None  # of all ham that has a score
    spam_share: float | None
    share: float | None  # of all messages that have a score
    precision: float | None  # the share of spam in what is hit and known


def curve(scores: Scores, thresholds: Iterable[float]) -> list[Point]:
    return [_point(scores, threshold) for threshold in thresholds]


def grid(low: float, high: float, step: float) -> list[float]:
    """The multiples of `step` (a power of two, so that they are exact) that reach from `low` to `high`."""
    return [number * step for number in range(floor(low / step), ceil(high / step) + 1)]


def extent(scores: Scores, thresholds: Iterable[float]) -> tuple[float, float] | None:
    """From which to which score a table or picture has to reach, to show nearly all messages and every threshold."""
    window = scores.window(TAILS)
    ends = [*(window or ()), *thresholds]
    return (min(ends), max(ends)) if window else None


def _point(scores: Scores, threshold: float) -> Point:
    hit = {known: scores.at_least(known, threshold) for known in Known}
    ham, spam = hit[Known.HAM], hit[Known.SPAM]
    return Point(
        threshold=threshold,
        ham=ham,
        spam=spam,
        messages=sum(hit.values()),
        ham_share=share(ham, scores.number(Known.HAM)),
        spam_share=share(spam, scores.number(Known.SPAM)),
        share=share(sum(hit.values()), sum(map(scores.number, Known))),
        precision=share(spam, ham + spam),
    )
