"""The interval of a difference of shares."""

from __future__ import annotations

import pytest

from app.trial_outcomes import Side, difference_of_shares


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        # Newcombe (1998), table II, method 10.
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
    ],
)
def test_interval_is_that_of_the_paper(counts: tuple[int, int, int, int], interval: tuple[float, float]) -> None:
    """Also where nobody or everybody did."""
    difference, low, high = difference_of_shares(*counts)
    assert pytest.approx(interval, abs=5e-5) == (low, high)
    assert low <= difference <= high


def test_share_of_nobody_is_nothing() -> None:
    """While nobody was shown a list."""
    assert 0.0 == Side.of([]).share("clicked")
