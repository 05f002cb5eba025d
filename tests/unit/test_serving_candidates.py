"""Candidates: the best of each retriever, only eligible courses, and enough of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from features.histories import Popularity
from serving import candidates
from serving.candidates import best, most_popular

SIZE, COUNT = 150, 40
Scores = np.ndarray[tuple[int], np.dtype[np.float32]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
scores = arrays(np.float32, SIZE, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]))


@given(values=scores, eligible=arrays(np.bool_, SIZE))
@settings(max_examples=60, deadline=None)
def test_a_retriever_brings_its_best(values: Scores, eligible: Mask) -> None:
    """What is brought are the largest positive scores of eligible courses; of equal ones, those that come first."""
    worthy = [position for position in range(SIZE) if eligible[position] and values[position] > 0]
    expected = sorted(worthy, key=lambda position: (-values[position], position))[:COUNT]
    assert sorted(expected) == sorted(best(values, eligible, COUNT).tolist())


@given(values=scores, eligible=arrays(np.bool_, SIZE), count=st.integers(0, 2 * SIZE))
@settings(max_examples=60, deadline=None)
def test_popularity_fills_the_list(values: Scores, eligible: Mask, count: int) -> None:
    """Popularity brings as many eligible courses as are wanted or exist, those that nobody took too, in their order."""
    expected = sorted(np.flatnonzero(eligible).tolist(), key=lambda position: (-values[position], position))[:count]
    assert expected == most_popular(Popularity.of(values), eligible, count).tolist()


@given(values=scores, eligible=arrays(np.bool_, SIZE))
@settings(max_examples=60, deadline=None)
def test_many_courses_are_chosen_from_like_few(values: Scores, eligible: Mask) -> None:
    """Looking at a part first changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        expected = best(values, eligible, 8).tolist()
        patch.setattr(candidates, "_SAMPLE", 30)
        assert expected == best(values, eligible, 8).tolist()


def test_without_courses_there_are_no_candidates() -> None:
    """An empty catalog brings nothing, and no error."""
    nothing = np.zeros(0, np.float32)
    assert 0 == len(best(nothing, np.zeros(0, np.bool_), COUNT))
    assert 0 == len(most_popular(Popularity.of(nothing), np.zeros(0, np.bool_), COUNT))
