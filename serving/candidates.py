"""Which courses are worth ranking: the best of several retrievers, the same in training and serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from features.histories import Popularity
from features.interactions import Integers
from features.kernels import kernels
from features.relations import WEIGHING, Relations

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


def select_candidates(relations: Relations, eligible: NDArray[np.bool_]) -> Integers:
    """Return int64[m], ascending, the positions of the union of what the retrievers bring.

    How many they bring is constant: a ranking whose candidates depended on the page would repeat and lose courses.

    Args:
        relations: of one history with n courses.
        eligible: bool[n], courses that may be shown.
    """
    chosen = np.zeros(len(eligible), np.bool_)
    chosen[np.concatenate([positions for _, positions in brought(relations, eligible)])] = True
    return chosen.nonzero()[0]


def brought(relations: Relations, eligible: NDArray[np.bool_]) -> Iterator[tuple[str, Integers]]:
    """Yield the name of each retriever and int64[], the positions of what it brings.

    Nothing with a score of zero is brought, except by popularity, which fills the list where nothing else is known.
    Of equal scores those of the first positions are taken.
    """
    near, popularity, best = relations.near, relations.popularity, kernels().best
    admitted = eligible[near]
    for name, values in zip(WEIGHING, relations.sums, strict=True):
        yield name, near[best(values, admitted, QUOTAS[name])]
    content, titles, topics = relations.described
    yield "content", best(content, eligible, QUOTAS["content"])
    yield "titles", best(titles, eligible, QUOTAS["titles"])
    taken = popularity.taken
    wanted = topics[taken] * popularity.weights
    yield "topic_popularity", taken[best(wanted, eligible[taken], QUOTAS["topic_popularity"])]
    yield "popularity", most_popular(popularity, eligible, QUOTAS["popularity"])


def most_popular(popularity: Popularity, eligible: NDArray[np.bool_], count: int) -> Integers:
    """Return the positions of the first `count` eligible courses, most popular first."""
    order, looked = popularity.order, 2 * count
    while True:
        found = order[:looked]
        found = found[eligible[found]]
        if len(found) >= count or looked >= len(order):
            return found[:count]
        looked *= 4
