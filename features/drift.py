"""How far values have moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 10
_LEAST = 1e-4
"""Share that an empty bin counts as, so that its logarithm is finite."""


def population_stability(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the population stability index: the symmetric Kullback-Leibler divergence over deciles, in nats.

    Missing values are a bin of their own. See Siddiqi, Credit Risk Scorecards, 2006, chapter 9.

    Args:
        before: float64[n], n > 0, whose deciles are the bins; NaN, and what is infinite, for missing.
        now: float64[m], m > 0.
    """
    before, now = (np.where(np.isfinite(values), values, np.nan) for values in (before, now))
    edges = _edges(before[~np.isnan(before)])
    shares = [np.maximum(_counts(values, edges) / len(values), _LEAST) for values in (before, now)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _edges(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper ends of all bins but the last: deciles, and a bin of its own for a value that fills several."""
    if not len(known):
        return np.empty(0)
    deciles, times = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]), return_counts=True)
    return np.unique(np.concatenate([deciles, np.nextafter(deciles[times > 1], -np.inf)]))


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    known = values[~np.isnan(values)]
    # An edge belongs to the bin below it, so that a value that many share does not spill into the next.
    bins = np.searchsorted(edges, known, side="left")
    return np.append(np.bincount(bins, minlength=len(edges) + 1), len(values) - len(known)).astype(np.int64)
