"""Two towers: a vector for a history and one for a course, whose product tells how likely the course is taken next.

A history is the weighted sum of vectors of its courses, and a course has two vectors, one to be read by and one to be
offered by. `features.towers_fitting` fits them; this is what training and serving ask of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers, Sparse, strongest_of

Floats = NDArray[np.float32]

TOLD = 3
"""What is told of a course: how well it suits the history, that and how likely it is taken by anybody, and how well it
suits the newest course alone."""
REACH = 20
"""How many of the latest courses of a history are read."""
RECENCY = 0.85
"""Weight of a course in a history, to the power of how many were taken since."""
ALIKE = 20
"""A course that was not there in fitting is read as the mean of so many that are about the same."""
_LEAST = np.float32(1e-8)
_PART = 512

TABLES = ("read", "offered", "biases")
"""Names of the attributes of `Towers`."""
WEIGHTS: Final[Floats] = np.power(np.float32(RECENCY), np.arange(REACH, dtype=np.float32))


@dataclass(frozen=True)
class Towers:
    """Vectors of n courses.

    Attributes:
        read: float32[n, d], of a course in a history.
        offered: float32[n, d], of a course that may be next.
        biases: float32[n], how likely a course is taken whatever the history.
    """

    read: Floats
    offered: Floats
    biases: Floats

    def said(self, courses: Integers, columns: Integers, out: Floats) -> None:
        """Tell of courses how well they suit a history.

        Args:
            courses: int64[h], positions of the courses of the history, newest first.
            columns: int64[m], positions of courses.
            out: float32[TOLD, m], filled.
        """
        # The whole history, and its newest course alone; zeros of an empty one.
        asked = np.zeros((2, self.read.shape[1]), np.float32)
        if len(courses):
            vectors = self.read[courses[:REACH]]
            np.matmul(_SHARES[len(vectors)], vectors, out=asked[0])
            asked[1] = vectors[0]
        # Not by BLAS, which adds in another order where there are more courses: a course is told the same in any list.
        np.einsum("md,qd->qm", self.offered.take(columns, axis=0), asked, out=out[::2])
        np.add(out[0], self.biases[columns], out=out[1])

    def reordered(self, positions: Integers, size: int) -> Towers:
        """Return the same over another array of courses; as of `Similarities.reordered`.

        Courses that are new there have vectors of zeros and the smallest bias, at most 0.
        """
        kept = positions >= 0
        width = self.read.shape[1]
        found = Towers(
            np.zeros((size, width), np.float32),
            np.zeros((size, width), np.float32),
            np.full(size, self.biases.min(initial=0.0), np.float32),
        )
        for name, table in found.tables.items():
            table[positions[kept]] = getattr(self, name)[kept]
        return found

    @property
    def tables(self) -> dict[str, Floats]:
        """All by name, in the order of `TABLES`."""
        return {name: getattr(self, name) for name in TABLES}

    def check(self, size: int) -> None:
        """Compare shapes and types with those of so many courses.

        Raises:
            ValueError: they are others.
        """
        shapes = {"read": (size, self.read.shape[-1]), "offered": self.read.shape, "biases": (size,)}
        for name, table in self.tables.items():
            if table.dtype != np.float32 or table.shape != shapes[name]:
                raise ValueError(name)

    def completed(self, known: NDArray[np.bool_], about: Sparse) -> Towers:
        """Return the same, where courses that were not there in fitting have vectors by what they are about.

        Args:
            known: bool[n], which courses were there.
            about: float32[n, k], as of `features.towers_fitting.fit_towers`.
        """
        new = np.flatnonzero(~known)
        if not len(new) or not known.any():
            return self
        read, offered, others = self.read.copy(), self.offered.copy(), about[known].T.tocsr()
        # In parts, as there may be many new courses, and each may have something in common with all that were there.
        for start in range(0, len(new), _PART):
            part = new[start : start + _PART]
            alike = strongest_of(about[part] @ others, ALIKE)
            totals = np.maximum(np.asarray(alike.sum(axis=1)), _LEAST)[:, None]
            read[part] = (alike @ self.read[known]) / totals
            offered[part] = (alike @ self.offered[known]) / totals
        return Towers(read, offered, self.biases)


def _shares(count: int) -> Floats:
    weights = WEIGHTS[:count]
    shares: Floats = weights / np.sqrt(weights.sum())
    return shares


# By the length of the history, from 1.
_SHARES = (WEIGHTS[:0], *map(_shares, range(1, REACH + 1)))
