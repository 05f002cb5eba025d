"""Candidates: enough of them, and only eligible courses."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from features.histories import Popularity
from serving.candidates import most_popular

SIZE = 150
Scores = np.ndarray[tuple[int], np.dtype[np.float32]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
scores = arrays(np.float32, SIZE, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]))


@given(values=scores, eligible=arrays(np.bool_, SIZE), count=st.integers(0, 2 * SIZE))
@settings(max_examples=60, deadline=None)
def test_popularity_fills_the_list(values: Scores, eligible: Mask, count: int) -> None:
    """Popularity brings as many eligible courses as are wanted or exist, those that nobody took too, in their order."""
    expected = sorted(np.flatnonzero(eligible).tolist(), key=lambda position: (-values[position], position))[:count]
    assert expected == most_popular(Popularity.of(values), eligible, count).tolist()


def test_without_courses_there_are_no_candidates() -> None:
    """An empty catalog brings nothing, and no error."""
    nothing = np.zeros(0, np.float32)
    assert 0 == len(most_popular(Popularity.of(nothing), np.zeros(0, np.bool_), 40))
