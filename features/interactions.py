"""Who took what: the log that similarities are fitted on, and what is done with sparse matrices over courses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Sparse: TypeAlias = "sp.csr_array[Any]"
Integers: TypeAlias = NDArray[np.int64]

NEIGHBORS = 200
"""Entries that a row of a similarity keeps: those of rarely taken courses, which say the least, are left out."""
ROBOTIC = 250
"""Who takes more courses than this is a robot, which says nothing of courses: not in similarities, nor beyond the first
so many in popularity and among the decisions to learn from. In a real log of 16,839 learners nobody takes over 231."""


@dataclass(frozen=True)
class Interactions:
    """Who took what, ordered by learner, then moment.

    Attributes:
        learners: int64[m], positions of learners.
        courses: int64[m], positions of courses.
        moments: int64[m], microseconds since 1970, UTC.
    """

    learners: Integers
    courses: Integers
    moments: Integers

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.learners)

    def select(self, mask: NDArray[np.bool_]) -> Interactions:
        """Return those that bool[m] keeps, in the same order."""
        return Interactions(self.learners[mask], self.courses[mask], self.moments[mask])


def latest(learners: Integers, count: int) -> NDArray[np.bool_]:
    """Return bool[m]: whether fewer than `count` of the same learner come later."""
    ends = np.searchsorted(learners, learners, side="right")
    kept: NDArray[np.bool_] = ends - np.arange(len(learners)) <= count
    return kept


def empty_matrix(shape: tuple[int, int]) -> Sparse:
    """Return float32 zeros."""
    rows = np.zeros(shape[0] + 1, np.int64)
    return sp.csr_array((np.empty(0, np.float32), np.empty(0, np.int64), rows), shape=shape)


def spread(matrix: Sparse, rows: Integers) -> tuple[NDArray[np.integer], NDArray[np.float32], Integers]:
    """Look up many rows of a matrix at once.

    Args:
        matrix: float32[n, k].
        rows: int64[e], the row that is wanted for each entry.

    Returns:
        For every stored value: its column, the value, and the number of its entry.
    """
    starts = matrix.indptr[rows].astype(np.int64)
    lengths = matrix.indptr[rows + 1] - starts
    entries = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
    places = np.arange(len(entries), dtype=np.int64) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    return matrix.indices[places], matrix.data[places], entries


def strongest(rows: NDArray[np.float32], count: int = NEIGHBORS) -> Sparse:
    """Return float32[d, n] with the `count` largest positive entries of each row."""
    size = rows.shape[1]
    count = min(count, size)
    if count == 0:
        return empty_matrix((len(rows), size))
    parts = []
    for first in range(0, len(rows), 512):
        part = rows[first : first + 512]
        columns = np.sort(np.argpartition(part, size - count, axis=1)[:, size - count :], axis=1)
        values = np.take_along_axis(part, columns, axis=1)
        kept = values > 0
        ends = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        parts.append(sp.csr_array((values[kept], columns[kept], ends), shape=part.shape))
    return sp.vstack(parts, format="csr") if parts else empty_matrix((0, size))


def strongest_of(matrix: Sparse, count: int = NEIGHBORS) -> Sparse:
    """Return a sparse matrix with the `count` largest entries of each row; equal ones by column."""
    lengths = np.diff(matrix.indptr)
    if lengths.max(initial=0) <= count:
        return matrix
    if not matrix.has_sorted_indices:
        matrix = matrix.sorted_indices()
    kept = np.ones(matrix.nnz, np.bool_)
    for row in np.flatnonzero(lengths > count).tolist():
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        least = np.partition(values, len(values) - count)[len(values) - count]
        above = values > least
        # Of those that equal the least that is kept, the first fill what room there is.
        above[np.flatnonzero(values == least)[: count - int(above.sum())]] = True
        kept[matrix.indptr[row] : matrix.indptr[row + 1]] = above
    ends = np.concatenate([[0], np.cumsum(np.minimum(lengths, count))]).astype(matrix.indptr.dtype)
    return sp.csr_array((matrix.data[kept], matrix.indices[kept], ends), shape=matrix.shape)
