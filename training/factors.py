"""Weighted alternating least squares for implicit feedback (Hu, Koren and Volinsky, 2008)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Sparse

FACTORS = 64
ITERATIONS = 8
RIDGE = 5.0
_SEED = 7
_CHUNK = 1_024


def item_factors(taken: Sparse, alpha: float) -> NDArray[np.float32]:
    """Return float32[n, factors].

    Args:
        taken: binary float32[learners, n].
        alpha: how much more certain an enrollment is than its absence, which has the weight one.
    """
    columns = sp.csr_array(taken.T)
    items = np.random.default_rng(_SEED).normal(0, 0.1, (taken.shape[1], FACTORS)).astype(np.float32)
    for _ in range(ITERATIONS):
        items = fold_in(columns, fold_in(taken, items, alpha), alpha)
    return items


def fold_in(taken: Sparse, others: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
    """Return float32[d, factors], the best factors of each row, given those of what it has taken.

    Args:
        taken: float32[d, n], weights of what was taken.
        others: float32[n, factors].
        alpha: as of `item_factors`.
    """
    everything = others.T @ others + RIDGE * np.eye(others.shape[1], dtype=np.float32)
    solved = np.zeros((taken.shape[0], others.shape[1]), np.float32)
    outer = np.einsum("if,ig->ifg", others, others).reshape(len(others), -1)
    for start in range(0, taken.shape[0], _CHUNK):
        part = taken[start : start + _CHUNK]
        grams = (part @ outer).reshape(-1, *everything.shape) * alpha + everything
        wanted = (1 + alpha) * (part @ others)
        solved[start : start + _CHUNK] = np.linalg.solve(grams, wanted[..., None])[..., 0]
    return solved
