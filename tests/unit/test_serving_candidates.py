"""Candidates: the best of each retriever, only eligible courses, and enough of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from serving.candidates import QUOTAS, select_candidates

SIZE = 150
scores = arrays(np.float32, (3, SIZE), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]))


@given(values=scores, eligible=arrays(np.bool_, (3, SIZE)))
@settings(max_examples=60, deadline=None)
def test_a_retriever_brings_its_best(
    values: np.ndarray[tuple[int, int], np.dtype[np.float32]], eligible: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
) -> None:
    """No eligible course that was left out scores better than one that was brought, and zero is never brought."""
    rows, columns = select_candidates({"content": values}, eligible)
    for row in range(3):
        chosen = set(columns[rows == row].tolist())
        worthy = {column for column in range(SIZE) if eligible[row, column] and values[row, column] > 0}
        assert chosen <= worthy
        assert len(chosen) == min(QUOTAS["content"], len(worthy))
        if chosen and worthy - chosen:
            assert min(values[row, list(chosen)]) >= max(values[row, list(worthy - chosen)])


def test_popularity_fills_the_list() -> None:
    """Where nothing else is known there are as many candidates as popularity brings, with a score of zero too."""
    nothing = np.zeros((1, SIZE), np.float32)
    _, columns = select_candidates({"item_item": nothing, "popularity": nothing}, np.ones((1, SIZE), np.bool_))
    assert QUOTAS["popularity"] == len(columns)
    _, columns = select_candidates({"popularity": nothing}, np.zeros((1, SIZE), np.bool_))
    assert 0 == len(columns)
    rows, _ = select_candidates({"popularity": nothing[:, :0]}, np.ones((1, 0), np.bool_))
    assert 0 == len(rows)
