"""Variety in a list: maximal marginal relevance over topics, the same in serving and in evaluation.

A course is placed by `(1 - weight) * relevance - weight * likeness` (Carbonell and Goldstein, "The Use of MMR",
1998): its likeness is that to the most similar course above it, its relevance follows from its place in the ranking,
because scores of different strategies and models are of different scales.
"""

from __future__ import annotations

from collections.abc import Sequence, Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

REACH = 200
"""Places in which relevance falls from 1 to 0: a course that is about the same as one above it falls behind others
that stand up to `REACH * weight / (1 - weight)` places lower."""
PLACES = 50
"""How many places are chosen; what is left over keeps its order below them."""

Likeness = NDArray[np.float32]


def likeness_of(topics: Sequence[AbstractSet[int]]) -> Likeness:
    """Return float32[n, n], how alike courses are: topics in common over topics of either (Jaccard)."""
    columns = {topic: column for column, topic in enumerate(sorted(frozenset().union(*topics)))}
    members = np.zeros((len(topics), len(columns)), np.float32)
    rows = np.repeat(np.arange(len(topics)), [len(each) for each in topics])
    members[rows, [columns[topic] for each in topics for topic in each]] = 1.0
    return likeness(members)


def likeness(members: NDArray[np.float32]) -> Likeness:
    """Return the same from binary float32[n, t]; a course without topics is like none."""
    common = members @ members.T
    counts = members.sum(axis=1)
    either = counts[:, None] + counts[None, :] - common
    found: Likeness = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    return found


def diverse_places(alike: Likeness, weight: float, count: int = PLACES) -> list[int]:
    """Return the places of a ranking in the order that makes its beginning varied.

    Args:
        alike: float32[n, n], of courses in the order of the ranking, best first.
        weight: from 0, the ranking as it is, to 1, where relevance only decides between equals.
        count: how many are chosen; the others follow in their order.
    """
    size = len(alike)
    if weight <= 0:
        return list(range(size))
    relevance = (1 - weight) * (1 - np.arange(size) / REACH)
    nearest = np.zeros(size)
    waiting = np.ones(size, np.bool_)
    chosen: list[int] = []
    for _ in range(min(count, size)):
        # Of equal ones the first is taken.
        place = int(np.where(waiting, relevance - weight * nearest, -np.inf).argmax())
        chosen.append(place)
        waiting[place] = False
        np.maximum(nearest, alike[place], out=nearest)
    return chosen + np.flatnonzero(waiting).tolist()
