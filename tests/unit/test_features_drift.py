"""The population stability index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from features.drift import Sketch, population_stability

BEFORE = np.arange(1000.0)
Values = arrays(np.float64, st.integers(1, 60), elements=st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)))


@given(Values, Values, st.integers(2, 4))
def test_the_index_is_finite_and_never_negative(
    before: NDArray[np.float64], now: NDArray[np.float64], times: int
) -> None:
    """Whatever moved or is missing; and the same population several times over has not moved."""
    assert 0 <= population_stability(before, now) < np.inf
    assert 0 == pytest.approx(population_stability(before, np.tile(before, times)), abs=1e-12)


def test_the_same_population_has_not_moved() -> None:
    """Equal values in any order have an index of zero, and constants too."""
    assert 0 == population_stability(BEFORE, BEFORE[::-1])
    assert 0 == population_stability(np.ones(9), np.ones(5))


def test_the_index_is_what_a_person_computes() -> None:
    """Half of a two-valued population against a quarter: (0.25 - 0.5) ln 0.5 + (0.75 - 0.5) ln 1.5."""
    before, now = np.array([0.0, 1.0] * 50), np.array([0.0, 1.0, 1.0, 1.0] * 25)
    expected = (0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5)
    assert expected == pytest.approx(population_stability(before, now))


def test_values_that_go_missing_are_drift() -> None:
    """A gap is a bin of its own; a shift by a fifth of the range is above the rule of thumb."""
    gaps = np.where(BEFORE % 3 == 0, np.nan, BEFORE)
    assert population_stability(BEFORE, gaps) > 0.25
    assert population_stability(BEFORE, BEFORE + 200) > 0.25
    assert population_stability(np.full(5, np.nan), np.full(5, np.nan)) == 0


@pytest.mark.parametrize(("before", "now"), [(0.95, 0.05), (0.05, 0.95), (1.0, 0.0), (0.0, 1.0), (0.6, 0.2)])
def test_value_that_many_share_moves_in_both_directions(before: float, now: float) -> None:
    """A flag that most have and few have later is drift, as the other way round."""

    def flags(share: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return (np.arange(1000) < 1000 * share).astype(np.float64)

    assert population_stability(flags(before), flags(now)) > 0.25
    assert population_stability(flags(before), flags(before)) < 1e-9


def test_infinite_values_are_missing() -> None:
    """They have no decile."""
    values = np.arange(100.0)
    holed = np.where(values < 50, np.nan, values)
    assert population_stability(values, holed) == population_stability(values, np.where(values < 50, np.inf, values))


@given(Values, Values)
def test_a_sketch_compares_as_its_values_do(before: NDArray[np.float64], now: NDArray[np.float64]) -> None:
    """What is kept of a population is enough for the index, to the last bit."""
    sketch = Sketch.of(before)
    assert population_stability(before, now) == sketch.stability(now)
    assert len(before) == sketch.size
    assert np.isnan(before).mean() == pytest.approx(sketch.missing)
    assert len(sketch.edges) + 2 == len(sketch.counts) < 24
