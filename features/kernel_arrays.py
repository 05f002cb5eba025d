"""Arrays as compiled loops read them: sparse rows, groups of them, and trees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from cffi import FFI
from numpy.typing import NDArray

from features.interactions import Integers, Sparse

Floats = NDArray[np.float32]
Places = NDArray[np.int32]
Into = tuple[Places, int]

INTERFACE = FFI()
"""What passes arrays to C; pointers of another one would be of other types."""


@dataclass(frozen=True)
class Rows:
    """A sparse matrix in the types that the loops read.

    Attributes:
        matrix: float32[n, k], by rows.
    """

    matrix: Sparse

    @property
    def width(self) -> int:
        """Number of columns, k."""
        return int(self.matrix.shape[1])

    @cached_property
    def starts(self) -> Integers:
        """int64[n + 1], where each row starts and the last one ends."""
        return np.ascontiguousarray(self.matrix.indptr, np.int64)

    @cached_property
    def indices(self) -> NDArray[np.int32]:
        """int32[number of values], the column of each."""
        return np.ascontiguousarray(self.matrix.indices, np.int32)

    @cached_property
    def data(self) -> Floats:
        """float32[number of values]."""
        return np.ascontiguousarray(self.matrix.data, np.float32)

    @cached_property
    def pointers(self) -> tuple[Any, Any, Any]:
        """The three as C reads them; they live as long as this."""
        return _pointer("int64_t[]", self.starts), _pointer("int32_t[]", self.indices), _pointer("float[]", self.data)

    @cached_property
    def turned(self) -> Rows:
        """The same by columns."""
        return Rows(self.matrix.T.tocsr())


@dataclass(frozen=True)
class Groups:
    """How rows are summed.

    Attributes:
        weights: float64[e], of the rows, group after group.
        ends: int64[g], where each group ends.
    """

    weights: NDArray[np.float64]
    ends: Integers

    @classmethod
    def one(cls, weights: NDArray[np.float64]) -> Groups:
        """Return the only group of rows with these weights."""
        return cls(weights, np.array([len(weights)], np.int64))

    @classmethod
    @cache
    def each(cls, count: int) -> Groups:
        """Return so many groups of one row each, as it is."""
        return cls(np.ones(count), np.arange(1, count + 1, dtype=np.int64))

    @property
    def count(self) -> int:
        """How many groups there are."""
        return len(self.ends)

    @cached_property
    def pointers(self) -> tuple[Any, Any]:
        """Both as C reads them; they live as long as this."""
        return _pointer("double[]", self.weights), _pointer("int64_t[]", self.ends)


@dataclass(frozen=True)
class Trees:
    """Regression trees of at most 32 leaves each, as lists of their conditions.

    A row goes to the left at a condition when its value is below the threshold, or missing where that is said; each
    node that sends it to the right takes the leaves on its left away, and it ends in the first that stays.

    Attributes:
        node_ends: int64[t], where each tree's conditions end.
        features: int32[c], the column that a condition looks at.
        thresholds: float32[c].
        missing_left: bool[c], whether what is missing goes to the left.
        masks: uint32[c], a bit for each leaf that stays when a row goes to the right.
        leaf_starts: int64[t], where each tree's leaves start.
        leaves: float32[number of leaves], their values.
        base: float32, what every row begins with.
    """

    node_ends: Integers
    features: NDArray[np.int32]
    thresholds: Floats
    missing_left: NDArray[np.bool_]
    masks: NDArray[np.uint32]
    leaf_starts: Integers
    leaves: Floats
    base: np.float32

    @cached_property
    def pointers(self) -> tuple[Any, ...]:
        """The arrays as C reads them; they live as long as this."""
        return (
            _pointer("int64_t[]", self.node_ends),
            _pointer("int32_t[]", self.features),
            _pointer("float[]", self.thresholds),
            _pointer("uint8_t[]", self.missing_left),
            _pointer("uint32_t[]", self.masks),
            _pointer("int64_t[]", self.leaf_starts),
            _pointer("float[]", self.leaves),
        )


def _pointer(kind: str, values: NDArray[Any]) -> Any:
    return INTERFACE.from_buffer(kind, values)
