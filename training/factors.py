"""Weighted alternating least squares for implicit feedback (Hu, Koren and Volinsky, 2008)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
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

    A row of few courses is solved over its courses and not over the factors, which gives the same by the push-through
    identity: with Y the factors of what was taken and E the equations of who has taken nothing,
    (E + a Y'Y)^-1 Y' = E^-1 Y' (I + a Y E^-1 Y')^-1.

    Args:
        others: float32[n, factors].
        alpha: as of `item_factors`.
    """

    def __init__(self, others: NDArray[np.float32], alpha: float) -> None:
        self._others = others
        self._alpha = alpha
        self._everything = others.T @ others + RIDGE * np.eye(others.shape[1], dtype=np.float32)
        self._solved = np.ascontiguousarray(np.linalg.solve(self._everything, others.T).T, dtype=np.float32)

    def __call__(self, taken: Sparse, threads: int = 1) -> NDArray[np.float32]:
        """Return float32[d, factors], the best factors of each row of float32[d, n], weights of what was taken."""
        found = np.zeros((taken.shape[0], self._others.shape[1]), np.float32)
        for rows, factors in in_order(
            lambda rows: (rows, self._fold(taken, rows)), _alike(taken, self._others.shape[1]), threads
        ):
            found[rows] = factors
        return found

    def _fold(self, taken: Sparse, rows: Integers) -> NDArray[np.float32]:
        """Return the factors of rows of like lengths."""
        short = int(taken.indptr[rows[-1] + 1] - taken.indptr[rows[-1]]) <= self._others.shape[1]
        return (self._by_courses if short else self._by_factors)(taken, rows)

    def _by_courses(self, taken: Sparse, rows: Integers) -> NDArray[np.float32]:
        places = taken.indptr[rows][:, None] + np.arange(taken.indptr[rows[0] + 1] - taken.indptr[rows[0]])
        columns, roots = taken.indices[places], np.sqrt(taken.data[places])[..., None]
        ours, solved = self._others[columns] * roots, self._solved[columns] * roots
        equations = self._alpha * (ours @ solved.transpose(0, 2, 1)) + np.eye(places.shape[1], dtype=np.float32)
        shares = np.linalg.solve(equations, (1 + self._alpha) * roots)
        return np.asarray((shares.transpose(0, 2, 1) @ solved)[:, 0], np.float32)

    def _by_factors(self, taken: Sparse, rows: Integers) -> NDArray[np.float32]:
        equations = np.empty((len(rows), *self._everything.shape), np.float32)
        wanted = np.empty((len(rows), len(self._everything), 1), np.float32)
        for number, row in enumerate(rows.tolist()):
            part = slice(taken.indptr[row], taken.indptr[row + 1])
            ours, weights = self._others[taken.indices[part]], taken.data[part]
            equations[number] = self._alpha * (ours.T @ (ours * weights[:, None])) + self._everything
            wanted[number, :, 0] = (1 + self._alpha) * (weights @ ours)
        return np.asarray(np.linalg.solve(equations, wanted)[..., 0], np.float32)


def _alike(taken: Sparse, short: int) -> Iterator[Integers]:
    """Yield int64[], rows that are solved together: short ones of one length, or longer ones, but none of nothing."""
    lengths = np.minimum(np.diff(taken.indptr), short + 1)
    order = np.argsort(lengths, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if len(group) and lengths[group[0]] > 0:
            for start in range(0, len(group), _CHUNK):
                yield group[start : start + _CHUNK]
