"""Loops over short arrays: sums of sparse rows, the best of many values, trees; compiled where a compiler was at hand.

NumPy is fast for long arrays. A ranking works on hundreds of short ones, where the calls cost more than the numbers, so
that the same loops exist twice: `features/kernels.c`, which set-up compiles, and NumPy's, which say what they mean and
serve where there is no compiler. Both give the same numbers, bit by bit; `tests/unit/test_features_kernels.py` holds
them to it. What features mean is none of their business.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers, spread
from features.kernel_arrays import INTERFACE, Floats, Groups, Into, Places, Rows, Trees

_DECLARED = """
int64_t revision(void);
int64_t named_columns(const int64_t *, const int32_t *, const int64_t *, int64_t, int64_t, int64_t *, int32_t *);
int grouped_sums(const int64_t *, const int32_t *, const float *, const int64_t *, const double *, const int64_t *,
                 int64_t, const int32_t *, int64_t, float *);
void times_vector(const int64_t *, const int32_t *, const float *, const int64_t *, const float *, int64_t, float *,
                  int64_t);
void rows_times_vector(const int64_t *, const int32_t *, const float *, const int64_t *, int64_t, const int32_t *,
                       const float *, float *);
int64_t best(const float *, const uint8_t *, int64_t, int64_t, int64_t *);
int tree_scores(const int64_t *, const int32_t *, const float *, const uint8_t *, const uint32_t *, const int64_t *,
                const float *, int64_t, const float *, int64_t, int64_t, float, float *);
void knot_places(const float *, const int64_t *, int64_t, int64_t, float, const float *, int64_t, int64_t, int64_t,
                 float *, int64_t);
"""
_LIBRARY = "features._kernels"
_REVISION = 5
"""What `revision` of the library must say: one that was compiled from another source is not called."""
_SAMPLE = 1_000
"""Of how many values a first guess of the best is made."""


class Kernels(Protocol):
    """The loops. Positions of rows and columns must exist; nobody looks again."""

    def named_columns(self, rows: Rows, which: Integers) -> tuple[Integers, Places]:
        """Return int64[t], ascending, the columns that some rows name, and int32[k], their places from 1.

        The place of all other columns is 0.
        """
        ...

    def grouped_sums(self, rows: Rows, which: Integers, groups: Groups, into: Into | None) -> Floats:
        """Return float32[g, width], weighted sums of rows, summed in double precision.

        Args:
            rows: a matrix.
            which: int64[e], rows, group after group.
            groups: weights of the e rows, and where the g groups end.
            into: int32[k], where in the sum each column goes, and the width of a sum; None for columns as they are.
        """
        ...

    def times_vector(self, rows: Rows, columns: Integers, factors: Floats) -> Floats:
        """Return float32[n], the product of a matrix with a vector, summed in single precision by column.

        Args:
            rows: a matrix.
            columns: int64[c], ascending, where the vector is not zero.
            factors: float32[c], what it is there.
        """
        ...

    def rows_times_vector(self, rows: Rows, which: Integers, places: Places, vector: Floats) -> Floats:
        """Return float32[e], products of some rows with a vector, summed in double precision.

        Args:
            rows: a matrix.
            which: int64[e], rows.
            places: int32[k], which value of `vector` is that of each column.
            vector: float32.
        """
        ...

    def best(self, values: Floats, eligible: NDArray[np.bool_], count: int) -> Integers:
        """Return where the largest positive eligible values are, in any order; of equal ones, those that come first.

        Args:
            values: float32[t].
            eligible: bool[t].
            count: how many at most.
        """
        ...


@cache
def kernels() -> Kernels:
    """Return the compiled loops, or NumPy's where they were not compiled."""
    return compiled_kernels() or NumpyKernels()


@cache
def compiled_kernels() -> CompiledKernels | None:
    """Return the compiled loops; None where set-up found no compiler."""
    try:
        found = find_spec(_LIBRARY)
        if found is None or found.origin is None:
            return None
        library = INTERFACE.dlopen(found.origin)
        return CompiledKernels(library) if library.revision() == _REVISION else None
    except (OSError, AttributeError):
        return None


INTERFACE.cdef(_DECLARED)


class CompiledKernels:
    """The loops of `features/kernels.c`; the interpreter's lock is free while they run.

    Args:
        library: as cffi opens it.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._integers, self._floats = INTERFACE.typeof("int64_t[]"), INTERFACE.typeof("float[]")
        self._places, self._bytes = INTERFACE.typeof("int32_t[]"), INTERFACE.typeof("uint8_t[]")

    def named_columns(self, rows: Rows, which: Integers) -> tuple[Integers, Places]:
        """Return as `Kernels` says."""
        near, places = np.empty(rows.width, np.int64), np.empty(rows.width, np.int32)
        starts, indices, _ = rows.pointers
        from_buffer, integers = INTERFACE.from_buffer, self._integers
        found = self._library.named_columns(
            starts,
            indices,
            from_buffer(integers, which),
            len(which),
            rows.width,
            from_buffer(integers, near),
            from_buffer(self._places, places),
        )
        if found < 0:
            raise MemoryError
        return near[:found], places

    def grouped_sums(self, rows: Rows, which: Integers, groups: Groups, into: Into | None) -> Floats:
        """Return as `Kernels` says."""
        places, width = into or (None, rows.width)
        sums = np.empty((groups.count, width), np.float32)
        from_buffer, integers = INTERFACE.from_buffer, self._integers
        failed = self._library.grouped_sums(
            *rows.pointers,
            from_buffer(integers, which),
            *groups.pointers,
            groups.count,
            INTERFACE.NULL if places is None else from_buffer(self._places, places),
            width,
            from_buffer(self._floats, sums),
        )
        if failed:
            raise MemoryError
        return sums

    def times_vector(self, rows: Rows, columns: Integers, factors: Floats) -> Floats:
        """Return as `Kernels` says."""
        product = np.empty(rows.matrix.shape[0], np.float32)
        from_buffer = INTERFACE.from_buffer
        self._library.times_vector(
            *rows.turned.pointers,
            from_buffer(self._integers, columns),
            from_buffer(self._floats, factors),
            len(columns),
            from_buffer(self._floats, product),
            len(product),
        )
        return product

    def rows_times_vector(self, rows: Rows, which: Integers, places: Places, vector: Floats) -> Floats:
        """Return as `Kernels` says."""
        products = np.empty(len(which), np.float32)
        from_buffer = INTERFACE.from_buffer
        self._library.rows_times_vector(
            *rows.pointers,
            from_buffer(self._integers, which),
            len(which),
            from_buffer(self._places, places),
            from_buffer(self._floats, vector),
            from_buffer(self._floats, products),
        )
        return products

    def best(self, values: Floats, eligible: NDArray[np.bool_], count: int) -> Integers:
        """Return as `Kernels` says."""
        count = min(count, len(values))
        found = np.empty(count, np.int64)
        from_buffer = INTERFACE.from_buffer
        length = self._library.best(
            from_buffer(self._floats, values),
            from_buffer(self._bytes, eligible),
            len(values),
            count,
            from_buffer(self._integers, found),
        )
        if length < 0:
            raise MemoryError
        return found[:length]

    def tree_scores(self, trees: Trees, vectors: Floats) -> Floats:
        """Return float32[m], the sums of what trees say of float32[m, k], NaN being missing.

        Vectors that are contiguous by column need no copy.
        """
        columns = np.ascontiguousarray(vectors.T)
        scores = np.empty(len(vectors), np.float32)
        failed = self._library.tree_scores(
            *trees.pointers,
            len(trees.node_ends),
            INTERFACE.from_buffer(self._floats, columns),
            len(vectors),
            len(columns),
            float(trees.base),
            INTERFACE.from_buffer(self._floats, scores),
        )
        if failed:
            raise MemoryError
        return scores

    def knot_places(self, knots: Floats, counts: Integers, reach: float, vectors: Floats, out: Floats) -> None:
        """Write where values lie among the knots of their columns; `features.knots.Knots.place` says how.

        Args:
            knots: float32[k, n], n being a power of two.
            counts: int64[k].
            reach: what the last knot of a column is.
            vectors: float32[m, k], contiguous by row or by column.
            out: float32[m, k or more], contiguous by row.
        """
        by_row = vectors.flags.c_contiguous
        count, width = vectors.shape
        self._library.knot_places(
            INTERFACE.from_buffer(self._floats, knots),
            INTERFACE.from_buffer(self._integers, counts),
            width,
            knots.shape[1],
            reach,
            INTERFACE.from_buffer(self._floats, vectors if by_row else vectors.T),
            count,
            width if by_row else 1,
            1 if by_row else count,
            INTERFACE.from_buffer(self._floats, out),
            out.shape[1],
        )


class NumpyKernels:
    """The loops as NumPy has them."""

    def named_columns(self, rows: Rows, which: Integers) -> tuple[Integers, Places]:
        """Return as `Kernels` says."""
        columns, _, _ = spread(rows.matrix, which)
        named = np.zeros(rows.width, np.bool_)
        named[columns] = True
        near = named.nonzero()[0]
        places = np.zeros(rows.width, np.int32)
        places[near] = np.arange(1, len(near) + 1)
        return near, places

    def grouped_sums(self, rows: Rows, which: Integers, groups: Groups, into: Into | None) -> Floats:
        """Return as `Kernels` says."""
        columns, values, entries = spread(rows.matrix, which)
        places, width = into or (None, rows.width)
        number = np.searchsorted(groups.ends, entries, side="right")
        where = columns if places is None else places[columns]
        sums = np.bincount(number * width + where, values * groups.weights[entries], groups.count * width)
        return sums.astype(np.float32).reshape(groups.count, width)

    def times_vector(self, rows: Rows, columns: Integers, factors: Floats) -> Floats:
        """Return as `Kernels` says."""
        vector = np.zeros(rows.width, np.float32)
        vector[columns] = factors
        product: Floats = rows.matrix @ vector
        return product

    def rows_times_vector(self, rows: Rows, which: Integers, places: Places, vector: Floats) -> Floats:
        """Return as `Kernels` says."""
        columns, values, entries = spread(rows.matrix, which)
        return np.bincount(entries, values * vector[places[columns]], len(which)).astype(np.float32)

    def best(self, values: Floats, eligible: NDArray[np.bool_], count: int) -> Integers:
        """Return as `Kernels` says."""
        if count == 0:
            return np.zeros(0, np.int64)
        least = _least(values, eligible, count) if len(values) > 2 * _SAMPLE else 0.0
        positive: Integers = ((values >= least if least > 0 else values > 0) & eligible).nonzero()[0]
        if len(positive) <= count:
            return positive
        held = values[positive]
        bar = np.sort(held)[-count]
        above = held > bar
        equal = positive[held == bar][: count - int(above.sum())]
        return np.concatenate([positive[above], equal])


def _least(values: Floats, eligible: NDArray[np.bool_], count: int) -> float:
    """Return a value that at least `count` eligible ones reach, by those in every few places; 0 when few are eligible.

    Most values are put aside by one comparison with it.
    """
    step = len(values) // _SAMPLE
    some = values[::step][eligible[::step]]
    if len(some) <= count:
        return 0.0
    some.sort()
    return float(some[-count])
