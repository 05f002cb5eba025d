"""Numbers as their places among the quantiles of their columns, which neither scale nor outliers move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.interactions import Integers
from features.kernel_arrays import Floats
from features.kernels import compiled_kernels

MOST = 64
"""Knots of a column at most; a power of two, so that a place is found in as many steps for every value."""
REACH = 1.7
"""What the last knot of a column is read as; with it, what is spread evenly has about the variance 1."""


@dataclass(frozen=True, eq=False)
class Knots:
    """Ascending values that the columns of a vector are read by.

    Attributes:
        values: float32[k, MOST], those of each column; infinite after the last.
        counts: int64[k], how many each column has, at least one.
    """

    values: Floats
    counts: Integers

    def __post_init__(self) -> None:
        """Look whether they are what compiled loops may be given.

        Raises:
            ValueError: they are not.
        """
        if self.values.dtype != np.float32 or self.values.shape != (len(self.counts), MOST):
            raise ValueError(f"Knots are {self.values.dtype}{self.values.shape} and have {len(self.counts)} lengths.")
        if self.counts.dtype != np.int64 or ((self.counts < 1) | (self.counts > MOST)).any():
            raise ValueError("A column has fewer than one knot, or more than there can be.")

    @property
    def width(self) -> int:
        """Number of columns, k."""
        return len(self.counts)

    def place(self, vectors: Floats, out: Floats) -> None:
        """Write places to the first k columns of float32[m, k or more].

        The first knot is at -REACH, the last one at REACH, the others lie between them at even distances, and values
        lie between knots as their numbers do. A value outside is as the knot at that end, and what is missing, or of a
        column of one knot, is at 0.

        Args:
            vectors: float32[m, k]; NaN for what is missing.
            out: where to, contiguous by row.
        """
        if not (vectors.flags.c_contiguous or vectors.flags.f_contiguous):
            vectors = np.ascontiguousarray(vectors)
        compiled = compiled_kernels()
        if compiled is not None:
            compiled.knot_places(self.values, self.counts, REACH, vectors, out)
            return
        for column, (knots, count) in enumerate(zip(self.values, self.counts.tolist(), strict=True)):
            out[:, column] = _placed(vectors[:, column], knots[:count])


def _placed(values: Floats, knots: Floats) -> Floats:
    """Return float32[m], in the same steps as the compiled loop."""
    last = len(knots) - 1
    if last == 0:
        return np.zeros(len(values), np.float32)
    here = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, last - 1)
    # What is missing or infinite, and knots that lie closer than any number divides by, are told by the limits below.
    with np.errstate(invalid="ignore", over="ignore"):
        part = (values - knots[here]) / (knots[here + 1] - knots[here])
    places = here.astype(np.float32) + np.clip(part, np.float32(0), np.float32(1))
    placed: Floats = places * (np.float32(2) * np.float32(REACH) / np.float32(last)) - np.float32(REACH)
    placed[np.isnan(values)] = 0
    return placed
