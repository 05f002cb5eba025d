"""How far values have moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 10
_LEAST = 1e-4
"""Share that an empty bin counts as, so that its logarithm is finite."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a population, to compare a later one with.

    Attributes:
        edges: upper ends of all bins but the last, ascending: its deciles, and a bin of its own for a value that fills
            several.
        counts: how many values are in each bin, and last how many are missing.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Sketch:
        """Return the sketch of float64[n]; NaN, and what is infinite, for missing."""
        edges = _edges(values[np.isfinite(values)])
        return cls(tuple(edges.tolist()), tuple(_counts(values, edges).tolist()))

    @property
    def size(self) -> int:
        """How many values there are, the missing ones included."""
        return sum(self.counts)

    @property
    def missing(self) -> float:
        """Share of the values that are missing."""
        return self.counts[-1] / max(1, self.size)

    def stability(self, now: NDArray[np.float64]) -> float:
        """Return the population stability index of float64[m], m > 0, against these, as `population_stability` does."""
        counts = (np.array(self.counts), _counts(now, np.array(self.edges)))
        before, after = (np.maximum(each / each.sum(), _LEAST) for each in counts)
        return float(((after - before) * np.log(after / before)).sum())


def population_stability(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the population stability index: the symmetric Kullback-Leibler divergence over deciles, in nats.

    Missing values are a bin of their own. See Siddiqi, Credit Risk Scorecards, 2006, chapter 9.

    Args:
        before: float64[n], n > 0, whose deciles are the bins; NaN, and what is infinite, for missing.
        now: float64[m], m > 0.
    """
    return Sketch.of(before).stability(now)


def _edges(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper ends of all bins but the last: deciles, and a bin of its own for a value that fills several."""
    if not len(known):
        return np.empty(0)
    deciles, times = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]), return_counts=True)
    return np.unique(np.concatenate([deciles, np.nextafter(deciles[times > 1], -np.inf)]))


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    known = values[np.isfinite(values)]
    # An edge belongs to the bin below it, so that a value that many share does not spill into the next.
    bins = np.searchsorted(edges, known, side="left")
    return np.append(np.bincount(bins, minlength=len(edges) + 1), len(values) - len(known)).astype(np.int64)
