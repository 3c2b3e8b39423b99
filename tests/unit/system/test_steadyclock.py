"""A clock for whoever removes what is old."""

import pytest

from gateway.system.steadyclock import SteadyClock


class Times:
    """A wall clock and what has passed."""

    wall = 1_000_000.0
    passed = 50.0


@pytest.mark.parametrize(
    ("jump", "passing", "shown"),
    [(0, 0, 0), (0, 600, 600), (86400, 600, 600), (-86400, 600, -85800), (5, 1, 1)],
    ids=["at once", "as time passes", "a jump forward", "a jump back", "a small correction"],
)
def test_time_that_has_not_passed_is_not_shown(jump: float, passing: float, shown: float) -> None:
    times = Times()
    clock = SteadyClock(wall=lambda: times.wall, passed=lambda: times.passed)
    times.wall += jump + passing
    times.passed += passing
    assert clock() == 1_000_000.0 + shown
