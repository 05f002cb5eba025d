"""Which courses are worth ranking: the best of several retrievers, the same in training and serving."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers
from features.pair import Floats, Relations

QUOTAS: Mapping[str, int] = MappingProxyType(
    {
        "item_item": 60,
        "companions": 60,
        "nearby": 40,
        "transitions": 60,
        "linear": 100,
        "sequential": 100,
        "latent": 40,
        "content": 40,
        "titles": 20,
        "topic_popularity": 60,
        "popularity": 60,
    }
)
"""How many courses each retriever brings at most."""


def retriever_scores(relations: Relations) -> dict[str, Floats]:
    """Return float32[d, n] by retriever."""
    return {
        **relations.sums,
        "content": relations.content,
        "titles": relations.titles,
        "topic_popularity": relations.topics * np.log1p(relations.popularity),
        "popularity": relations.popularity,
    }


def select_candidates(scores: Mapping[str, Floats], eligible: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return rows and columns (int64[m] each, ordered by row) of the union of what the retrievers bring.

    How many they bring is constant: a ranking whose candidates depended on the page would repeat and lose courses.

    Args:
        scores: float32[d, n] by retriever; nothing with a score of zero is brought, except by popularity,
            which fills the list where nothing else is known.
        eligible: bool[d, n], courses that may be shown.
    """
    chosen = np.zeros(eligible.shape, np.bool_)
    for name, values in scores.items():
        _choose(chosen, values, eligible, QUOTAS[name], positive=name != "popularity")
    rows, columns = np.nonzero(chosen)
    return rows.astype(np.int64), columns.astype(np.int64)


def _choose(
    chosen: NDArray[np.bool_], values: Floats, eligible: NDArray[np.bool_], count: int, *, positive: bool
) -> None:
    """Mark the `count` eligible courses with the highest values."""
    size = values.shape[1]
    count = min(count, size)
    if count == 0:
        return
    if positive:
        # Most similarities are zero: one decision is answered from the few that are not.
        considered = np.flatnonzero(((values > 0) & eligible).any(axis=0))
        if len(considered) <= count:
            chosen[:, considered] |= (values[:, considered] > 0) & eligible[:, considered]
            return
    masked = np.where(eligible, values, -np.inf)
    best = np.argpartition(-masked, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(masked, best, axis=1)
    kept = found > 0 if positive else np.isfinite(found)
    rows = np.repeat(np.arange(len(values)), count).reshape(best.shape)
    chosen[rows[kept], best[kept]] = True
