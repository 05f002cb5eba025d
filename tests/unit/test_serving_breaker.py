"""The breaker: open after failures in a row, one trial after a pause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from serving.breaker import Breaker

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAUSE = timedelta(seconds=5)


def opened() -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker(failures=2, open_for=PAUSE)
    breaker.failed(NOW)
    breaker.failed(NOW)
    return breaker


def test_single_failures_do_not_open_it() -> None:
    """A success between two failures starts the count anew."""
    breaker = Breaker(failures=2, open_for=PAUSE)
    breaker.failed(NOW)
    breaker.succeeded()
    breaker.failed(NOW)
    assert breaker.allows(NOW)


def test_after_the_pause_one_caller_tries() -> None:
    """While the trial is under way the others still wait; its failure opens the breaker again."""
    breaker = opened()
    later = NOW + PAUSE
    assert [False, True, False] == [breaker.allows(NOW), breaker.allows(later), breaker.allows(later)]
    breaker.failed(later)
    assert [False, True] == [breaker.allows(later + PAUSE / 2), breaker.allows(later + PAUSE)]


def test_a_success_closes_it() -> None:
    """After a successful trial everybody may call."""
    breaker = opened()
    breaker.succeeded()
    assert [True, True] == [breaker.allows(NOW), breaker.allows(NOW)]


def test_a_clock_that_was_set_back_does_not_keep_it_open() -> None:
    """An hour earlier is not within the pause."""
    assert opened().allows(NOW - timedelta(hours=1))
