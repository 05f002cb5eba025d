"""Weighted alternating least squares for implicit feedback (Hu, Koren and Volinsky, 2008)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Sparse
from training.parallel import in_order

FACTORS = 64
ITERATIONS = 8
RIDGE = 5.0
_SEED = 7
_CHUNK = 1_024


def item_factors(taken: Sparse, alpha: float, threads: int = 1) -> NDArray[np.float32]:
    """Return float32[n, factors], whatever the number of threads.

    Args:
        taken: binary float32[learners, n].
        alpha: how much more certain an enrollment is than its absence, which has the weight one.
        threads: how many rows are solved at a time, in chunks.
    """
    columns = sp.csr_array(taken.T)
    items = np.random.default_rng(_SEED).normal(0, 0.1, (taken.shape[1], FACTORS)).astype(np.float32)
    for _ in range(ITERATIONS):
        learners = FoldIn(items, alpha)(taken, threads)
        items = FoldIn(learners, alpha)(columns, threads)
    return items


class FoldIn:
    """Finds the best factors of rows, given those of what they have taken.

    Args:
        others: float32[n, factors].
        alpha: as of `item_factors`.
    """

    def __init__(self, others: NDArray[np.float32], alpha: float) -> None:
        self._others = others
        self._alpha = alpha
        self._everything = others.T @ others + RIDGE * np.eye(others.shape[1], dtype=np.float32)
        self._outer = np.einsum("if,ig->ifg", others, others).reshape(len(others), -1)

    def __call__(self, taken: Sparse, threads: int = 1) -> NDArray[np.float32]:
        """Return float32[d, factors], the best factors of each row of float32[d, n], weights of what was taken."""
        chunks = (taken[start : start + _CHUNK] for start in range(0, taken.shape[0], _CHUNK))
        none = np.zeros((0, self._others.shape[1]), np.float32)
        return np.concatenate([none, *in_order(self._solved, chunks, threads)])

    def _solved(self, part: Sparse) -> NDArray[np.float32]:
        grams = (part @ self._outer).reshape(-1, *self._everything.shape) * self._alpha + self._everything
        wanted = (1 + self._alpha) * (part @ self._others)
        solved: NDArray[np.float32] = np.linalg.solve(grams, wanted[..., None])[..., 0].astype(np.float32)
        return solved
