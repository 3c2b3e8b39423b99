"""Counted scores, and what thresholds make of them."""

import pytest

from gateway.tuning.curve import curve, extent, grid
from gateway.tuning.scores import LIMIT, Scores
from gateway.tuning.sighting import Known


def counted(**scores: tuple[float, ...]) -> Scores:
    found = Scores()
    for known, values in scores.items():
        for value in values:
            found.add(Known(known), value)
    return found


@pytest.mark.parametrize("score", [4.99, 5.0, 0.1 + 0.2 + 4.7, 5.01, -5.0])
def test_a_threshold_hits_what_a_rule_with_it_would(score: float) -> None:
    """Sums of decimals in binary fall a little short of what people read: 0.1 + 0.2 + 4.7 is 5."""
    assert counted(ham=(score,)).at_least(Known.HAM, 5.0) == (score > 4.999)


def test_scores_beyond_the_limit_are_counted_as_the_limit() -> None:
    scores = counted(spam=(1000.0, -1e300, float("inf")))
    assert list(scores.counted(Known.SPAM)) == [(-LIMIT, 1), (LIMIT, 2)]


def test_the_number_of_messages_makes_nothing_larger() -> None:
    scores = counted(unknown=tuple(number / 7 for number in range(-5_000, 5_000)) * 3)
    assert len(list(scores.counted(Known.UNKNOWN))) <= 2 * LIMIT * 100 + 1
    assert scores.number(Known.UNKNOWN) == 30_000


def test_a_curve_tells_what_each_threshold_catches_and_what_it_costs() -> None:
    low, high = curve(counted(ham=(0, 1, 2, 6), spam=(4, 6, 8, 10, 12), unknown=(5,)), [3.0, 7.0])
    assert (low.spam, low.ham, low.messages) == (5, 1, 7)
    assert (low.spam_share, low.ham_share, low.share, low.precision) == (1.0, 0.25, 0.7, 5 / 6)
    assert (high.spam_share, high.ham_share, high.precision) == (0.6, 0.0, 1.0)


def test_shares_of_none_are_not_zero() -> None:
    [point] = curve(counted(unknown=(1.0,)), [5.0])
    assert (point.ham_share, point.spam_share, point.precision, point.share) == (None, None, None, 0.0)


def test_a_few_extreme_scores_widen_nothing() -> None:
    scores = counted(ham=(0.0,) * 500 + (90.0, -90.0), spam=(10.0,) * 500)
    assert extent(scores, []) == (0.0, 10.0)
    assert extent(scores, [15.0]) == (0.0, 15.0)
    assert extent(Scores(), [15.0]) is None


def test_a_grid_reaches_over_both_ends() -> None:
    assert grid(-0.3, 1.2, 0.5) == [-0.5, 0.0, 0.5, 1.0, 1.5]
