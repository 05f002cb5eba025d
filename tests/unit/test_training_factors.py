"""Factors of rows are the solution of their equations, whether they took few courses or many."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Sparse
from training.factors import RIDGE, FoldIn, item_factors

ALPHA = 20.0
FACTORS = 8
RNG = np.random.default_rng(7)
OTHERS: NDArray[np.float32] = RNG.normal(0, 0.3, (60, FACTORS)).astype(np.float32)


def rows_of(lengths: list[int]) -> Sparse:
    """Return rows of so many weights, of columns that are drawn."""
    columns = [RNG.choice(len(OTHERS), length, replace=False) for length in lengths]
    rows = np.repeat(np.arange(len(lengths)), lengths)
    weights = RNG.uniform(0.5, 2.0, len(rows)).astype(np.float32)
    return sp.coo_array((weights, (rows, np.concatenate(columns))), shape=(len(lengths), len(OTHERS))).tocsr()


def solution(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what minimizes the weighted squares of one row, by the equations of Hu, Koren and Volinsky."""
    others = OTHERS.astype(np.float64)
    certain = 1.0 + ALPHA * weights
    equations = others.T @ (certain[:, None] * others) + RIDGE * np.eye(FACTORS)
    # Where a weight is none the course was not taken, and the wanted value is zero.
    return np.asarray(np.linalg.solve(equations, others.T @ ((1.0 + ALPHA) * weights)), np.float64)


@pytest.mark.parametrize("threads", [1, 3])
def test_factors_solve_the_equations_of_each_row(threads: int) -> None:
    """Rows of nothing, of few, of as many as there are factors, and of more, in any order."""
    taken = rows_of([3, 0, 1, 40, 3, FACTORS, FACTORS + 1, 0, 12, 60, 1])
    found = FoldIn(OTHERS, ALPHA)(taken, threads)
    expected = np.stack([solution(row) for row in taken.toarray()])
    np.testing.assert_allclose(expected, found, rtol=1e-3, atol=1e-5)
    assert not found[[1, 7]].any()


def test_threads_change_no_factor() -> None:
    """Chunks are the same, however many are solved at a time."""
    taken = rows_of(RNG.integers(0, 30, 200).tolist())
    taken.data[:] = 1.0
    assert np.array_equal(item_factors(taken, ALPHA), item_factors(taken, ALPHA, 3))


def test_nobody_has_no_factors() -> None:
    """There may be nobody to fold in."""
    assert (0, FACTORS) == FoldIn(OTHERS, ALPHA)(rows_of([2])[:0]).shape
