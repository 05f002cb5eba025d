"""Linear item-to-item models in closed form: what a whole history, or its order, says of every other course.

- *linear*: EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019), where an older enrollment
  weighs less.
- *sequential*: SLIST (Choi et al., "Session-aware Linear Item-Item Models", 2021): courses before a moment predict
  the courses after it, and the whole history predicts itself.
- *latent*: item-to-item weights of a truncated singular value decomposition (PureSVD; Cremonesi et al., 2010).

The first two invert a dense matrix over the courses, so that only the `LARGEST` most taken ones have entries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse.linalg import svds

from features.interactions import Integers, Interactions, Sparse, empty_matrix, strongest

LARGEST = 10_000
"""Courses of a dense model at most: one float32 matrix of them is 400 MB, and two are held."""
HALF_LIFE = 180 * 24 * 3600 * 1_000_000
"""Microseconds after which an enrollment counts half, before the newest of all."""
LINEAR_RIDGE = 60.0
SEQUENTIAL_RIDGE = 300.0
REACH_BACK, REACH_AHEAD = 20, 5
"""How many courses before and after a moment are related."""
DECAY_BACK, DECAY_AHEAD = 0.8, 0.7
FACTORS = 64
_SHORTEST = 1e-4
"""Singular values below this share of the largest are rounding."""
_DENSE = 1_000
"""Courses or learners up to which the factor model is found whole: a second, and the same each time."""
_SHRINKAGE = 10.0
_BLOCK = 512
_PANEL = 64
"""Columns of a dense matrix that a sparse one is multiplied with at once: 2.5 MB of 10,000 rows."""
_FULL = 1 / 8
"""Share of entries above which a matrix is multiplied as a dense one."""
_SEED = 7


def fit_linear(interactions: Interactions, size: int) -> tuple[Sparse, Sparse]:
    """Return the linear and the sequential model, float32[n, n] each, the strongest entries of each row.

    Args:
        interactions: what is known, ordered by learner, then moment.
        size: number of courses.
    """
    kept = _most_taken(interactions, size)
    if len(kept) == 0:
        return empty_matrix((size, size)), empty_matrix((size, size))
    places = np.full(size, -1, np.int64)
    places[kept] = np.arange(len(kept))
    log = Interactions(interactions.learners, places[interactions.courses], interactions.moments)
    log = log.select(log.courses >= 0)
    ages = (log.moments.max(initial=0) - log.moments) / HALF_LIFE
    weights: NDArray[np.float32] = np.exp2(-ages / 2).astype(np.float32)
    linear = strongest(ease(_taken(log, weights, len(kept)), LINEAR_RIDGE))
    sequential = strongest(_sequential(log, weights, len(kept)))
    return _placed(linear, kept, size), _placed(sequential, kept, size)


def fit_latent(interactions: Interactions, size: int) -> Sparse:
    """Return float32[n, n] weights of the factor model, the strongest entries of each row.

    Args:
        interactions: what is known, ordered by learner.
        size: number of courses.
    """
    learners = int(interactions.learners.max(initial=-1)) + 1
    factors = min(FACTORS, learners - 1, size - 1)
    if factors < 1:
        return empty_matrix((size, size))
    taken = _taken(interactions, np.ones(len(interactions), np.float32), size)
    scales = np.sqrt(np.bincount(taken.indices, minlength=size) + _SHRINKAGE).astype(np.float32)
    directions = _directions((taken @ sp.diags_array(1 / scales)).tocsr(), factors)
    read, written = directions / scales, directions * scales
    parts = [
        strongest(_apart((read[:, first : first + 512].T @ written).astype(np.float32), first))
        for first in range(0, size, 512)
    ]
    return sp.vstack(parts, format="csr")


def _directions(matrix: Sparse, count: int) -> NDArray[np.float32]:
    """Return float32[at most count, n], the right singular vectors of the largest singular values.

    What is small is decomposed whole: where there are fewer directions than are asked for, Lanczos' method goes on from
    random vectors, and would find other noise each time.
    """
    if min(matrix.shape) > _DENSE:
        start = np.random.default_rng(_SEED).standard_normal(min(matrix.shape))
        _, lengths, found = svds(matrix, k=count, v0=start)
    else:
        wide = matrix.shape[0] < matrix.shape[1]
        gram = (matrix @ matrix.T if wide else matrix.T @ matrix).toarray().astype(np.float64)
        squares, vectors = np.linalg.eigh(gram)
        lengths = np.sqrt(np.maximum(squares[-count:], 0.0))
        found = vectors[:, -count:].T
        if wide:
            found = (found @ matrix) / np.maximum(lengths, np.finfo(np.float64).tiny)[:, None]
    return np.asarray(found[lengths > _SHORTEST * lengths.max()], np.float32)


def ease(taken: Sparse, ridge: float) -> NDArray[np.float32]:
    """Return float32[n, n], the weights of EASE, with a zero diagonal.

    Args:
        taken: float32[learners, n].
        ridge: what is added to the diagonal of the Gram matrix.
    """
    inverse = _inverse((taken.T @ taken).toarray(), ridge)
    inverse /= -np.diag(inverse)[None, :]
    np.fill_diagonal(inverse, 0.0)
    return inverse


def _sequential(log: Interactions, weights: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    back, ahead = _around(log, weights, size)
    whole = _taken(log, weights, size)
    before, after = sp.vstack([back, whole], format="csr"), sp.vstack([ahead, whole], format="csr")
    inverse = _inverse((before.T @ before).toarray(), SEQUENTIAL_RIDGE)
    solved = _product_turned((after.T @ before).tocsr(), inverse)
    corrections = np.asarray(np.diag(solved) / np.diag(inverse), np.float32)
    inverse *= corrections[None, :]
    solved -= inverse
    np.fill_diagonal(solved, 0.0)
    return solved


def _product_turned(matrix: Sparse, symmetric: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32[n, n], the product of float32[n, n] with a symmetric matrix, its rows as columns.

    What is sparse is multiplied with some columns at a time, which stay in the processor's cache; where there is much,
    a dense product of some rows at a time is faster, though it takes the zeros too. Both take as little memory.
    """
    size = len(symmetric)
    turned = np.empty_like(symmetric)
    if matrix.nnz > _FULL * size * size:
        for first in range(0, size, _BLOCK):
            turned[:, first : first + _BLOCK] = (matrix[first : first + _BLOCK].toarray() @ symmetric).T
    else:
        for first in range(0, size, _PANEL):
            columns = np.ascontiguousarray(symmetric[:, first : first + _PANEL])
            turned[first : first + _PANEL] = (matrix @ columns).T
    return turned


def _around(log: Interactions, weights: NDArray[np.float32], size: int) -> tuple[Sparse, Sparse]:
    """Return float32[m, n] twice: for each enrollment the courses before it, and itself with those after it."""
    count = len(log)
    positions = np.arange(count)
    parts: dict[str, list[list[NDArray[Any]]]] = {"back": [], "ahead": []}
    for gap in range(1, min(REACH_BACK, count - 1) + 1):
        rows = positions[gap:][log.learners[gap:] == log.learners[:-gap]]
        parts["back"].append([rows, log.courses[rows - gap], DECAY_BACK ** (gap - 1) * weights[rows]])
    follows = np.flatnonzero(log.learners[1:] == log.learners[:-1]) + 1
    for gap in range(REACH_AHEAD):
        rows = follows[follows + gap < count]
        rows = rows[log.learners[rows + gap] == log.learners[rows]]
        parts["ahead"].append([rows, log.courses[rows + gap], DECAY_AHEAD**gap * weights[rows]])
    return _stacked(parts["back"], (count, size)), _stacked(parts["ahead"], (count, size))


def _stacked(parts: list[list[NDArray[Any]]], shape: tuple[int, int]) -> Sparse:
    if not parts:
        return empty_matrix(shape)
    rows, columns, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return sp.coo_array((values.astype(np.float32), (rows, columns)), shape=shape).tocsr()


def _taken(log: Interactions, weights: NDArray[np.float32], size: int) -> Sparse:
    learners = int(log.learners.max(initial=-1)) + 1
    return sp.coo_array((weights, (log.learners, log.courses)), shape=(learners, size)).tocsr()


def _inverse(gram: NDArray[Any], ridge: float) -> NDArray[np.float32]:
    """Return the inverse of a Gram matrix with a ridge, which makes it positive definite; the matrix is lost."""
    matrix = np.asarray(gram, np.float32)
    matrix[np.diag_indices_from(matrix)] += ridge
    # Being symmetric it is its own transpose, which LAPACK reads without a copy: it has columns where we have rows.
    factor, failed = lapack.spotrf(matrix.T, lower=1, overwrite_a=1)
    assert failed == 0  # noqa: S101 - a Gram matrix with a ridge has no other factor.
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert failed == 0  # noqa: S101 - as above.
    # LAPACK wrote columns of what is below the diagonal, which are the rows of what is above it.
    return _mirrored(inverse.T)


def _mirrored(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write what is above the diagonal of a square matrix below it too, block by block, and return it."""
    for first in range(0, len(matrix), _BLOCK):
        last = first + _BLOCK
        corner = np.triu(matrix[first:last, first:last])
        matrix[first:last, first:last] = corner + np.triu(corner, 1).T
        matrix[last:, first:last] = matrix[first:last, last:].T
    return matrix


def _most_taken(interactions: Interactions, size: int) -> Integers:
    counts = np.bincount(interactions.courses, minlength=size)
    ordered = np.argsort(-counts, kind="stable")[:LARGEST]
    return np.sort(ordered[counts[ordered] > 0]).astype(np.int64)


def _placed(matrix: Sparse, kept: Integers, size: int) -> Sparse:
    entries = matrix.tocoo()
    return sp.coo_array((entries.data, (kept[entries.row], kept[entries.col])), shape=(size, size)).tocsr()


def _apart(rows: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    """Return the rows with zeros where they stand for themselves."""
    rows[np.arange(len(rows)), first + np.arange(len(rows))] = 0.0
    return rows
