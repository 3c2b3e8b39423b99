"""The breaker of one host."""

from gateway.scoring.breaker import Breaker


def failed(times: int, *, now: float = 0.0) -> Breaker:
    breaker = Breaker(limit=3, pause=10.0)
    for _ in range(times):
        breaker.failed(now)
    return breaker


def test_it_stays_closed_below_its_limit():
    assert failed(2).admits(0.0)


def test_it_opens_at_its_limit_for_a_pause():
    breaker = failed(3)
    assert not breaker.admits(9.9)
    assert breaker.admits(10.0)


def test_half_open_it_lets_one_attempt_through():
    breaker = failed(3)
    breaker.attempt(10.0)
    assert not breaker.admits(10.0)


def test_an_attempt_that_fails_opens_it_for_another_pause():
    breaker = failed(3)
    breaker.attempt(10.0)
    breaker.failed(12.0)
    assert not breaker.admits(21.9)
    assert breaker.admits(22.0)


def test_an_attempt_that_never_ends_does_not_keep_it_open_for_ever():
    breaker = failed(3)
    breaker.attempt(10.0)
    assert breaker.admits(20.0)


def test_a_success_closes_it_and_forgets_the_failures():
    breaker = failed(3)
    breaker.succeeded()
    breaker.failed(0.0)
    breaker.failed(0.0)
    assert breaker.admits(0.0)
