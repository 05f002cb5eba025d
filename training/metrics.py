"""Figures of a ranking: full ranking over every course that was not taken before, ties counted against us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers
from serving.exploration import PLACES

CUTOFF = 10
NOT_RANKED = np.iinfo(np.int64).max
RESAMPLES = 1_000
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Metrics:
    """Figures of one ranker.

    Attributes:
        hit_rate: share of learners whose course is among the first ten (HR@10).
        ndcg: mean of 1 / log2(1 + rank) where the rank is at most ten, else 0 (NDCG@10).
        low: lower end of the 95% bootstrap interval of `ndcg`.
        high: its upper end.
    """

    hit_rate: float
    ndcg: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """NDCG@10 of one ranker over that of another, on the same learners.

    Attributes:
        ranker: whose.
        baseline: over whose.
        ratio: of the means; infinite where the baseline has none.
        low: lower end of the 95% interval, by paired bootstrap over learners.
        high: its upper end.
    """

    ranker: str
    baseline: str
    ratio: float
    low: float
    high: float


def gains(ranks: Integers) -> NDArray[np.float64]:
    """Return float64[d], 1 / log2(1 + rank) of ranks that count from 1, 0 beyond the cutoff."""
    return np.where(ranks <= CUTOFF, 1 / np.log2(np.minimum(ranks, CUTOFF) + 1.0), 0.0)


def exploration_cost(ranks: Integers) -> float:
    """Return the share of NDCG@10 that is lost when every list gives a place to a course that nobody took.

    Args:
        ranks: int64[d], without exploration. The place is any of `serving.exploration.PLACES`, equally often.
    """
    before = gains(ranks)
    moved = (np.where(ranks >= place, np.minimum(ranks, CUTOFF) + 1, ranks) for place in PLACES)
    lost = [float((before - gains(each)).sum()) for each in moved]
    whole = float(before.sum())
    return sum(lost) / len(lost) / whole if whole else 0.0


def measured(ranks: dict[str, Integers], rng: np.random.Generator) -> tuple[dict[str, Metrics], NDArray[np.float64]]:
    """Return the figures of rankers, and float64[resamples, rankers] of NDCG@10 of the same resampled learners.

    Args:
        ranks: int64[d] by ranker, of the same decisions.
        rng: draws the learners.
    """
    values = np.stack([gains(each) for each in ranks.values()], axis=1)
    count = len(values)
    resampled = np.zeros((RESAMPLES, len(ranks)))
    for place in range(RESAMPLES if count else 0):
        drawn = np.bincount(rng.integers(0, count, count), minlength=count)
        resampled[place] = drawn @ values / count
    bounds = np.percentile(resampled, _INTERVAL, axis=0)
    figures = {
        name: Metrics(
            hit_rate=float((each <= CUTOFF).mean()) if count else 0.0,
            ndcg=float(values[:, place].mean()) if count else 0.0,
            low=float(bounds[0, place]),
            high=float(bounds[1, place]),
        )
        for place, (name, each) in enumerate(ranks.items())
    }
    return figures, resampled


def compared(figures: dict[str, Metrics], resampled: NDArray[np.float64], ranker: str, baseline: str) -> Comparison:
    """Return how many times the baseline a ranker is."""
    names = list(figures)
    ours, theirs = resampled[:, names.index(ranker)], resampled[:, names.index(baseline)]
    ratios = np.divide(ours, theirs, out=np.full(len(ours), np.inf), where=theirs > 0)
    low, high = np.percentile(ratios, _INTERVAL, method="nearest")
    base = figures[baseline].ndcg
    return Comparison(ranker, baseline, figures[ranker].ndcg / base if base else np.inf, float(low), float(high))


def ranks_among(scores: NDArray[Any], targets: Integers, eligible: NDArray[np.bool_]) -> Integers:
    """Return int64[d], the target's rank among the eligible courses; those that tie with it stand before it.

    Args:
        scores: numbers [d, n].
        targets: int64[d].
        eligible: bool[d, n].
    """
    reached = scores >= np.take_along_axis(scores, targets[:, None], axis=1)
    counted: Integers = (reached & eligible).sum(axis=1)
    return np.where(eligible[np.arange(len(targets)), targets], counted, NOT_RANKED)
