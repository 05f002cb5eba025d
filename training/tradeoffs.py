"""What variety in lists costs and brings: the same lists, arranged as serving does at several weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from features.pair import Histories
from serving.arrangement import WINDOW
from serving.diversity import diverse_places, likeness
from training.dataset import Examples
from training.history import LearningHistory
from training.lists import NO_COURSE, ListQuality, list_quality
from training.metrics import CUTOFF, gains

WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Where most changes: from a half on, hardly anything is left of the ranking."""


@dataclass(frozen=True)
class Tradeoff:
    """Lists at one weight of diversity.

    Attributes:
        weight: what `WAYMARK_RANKING__DIVERSITY` would be.
        ndcg: NDCG@10.
        lists: what the first ten courses are like.
    """

    weight: float
    ndcg: float
    lists: ListQuality


class VariedLists:
    """Collects the first ten courses of lists at several weights, part by part.

    Args:
        topics: binary float32[n, t], of all courses.
        weights: from 0 to 1; none for nothing to collect.
    """

    def __init__(self, topics: Sparse, weights: Sequence[float]) -> None:
        self._topics = topics
        self._weights = tuple(weights)
        self._lists = [[np.empty((0, CUTOFF), np.int64)] for _ in self._weights]
        self._gains = [0.0 for _ in self._weights]
        self._count = 0

    def add(self, part: Examples, scores: NDArray[np.floating]) -> None:
        """Arrange the lists of some decisions; of equal scores the course that was taken stands last.

        Args:
            part: candidates of the decisions.
            scores: float[m], of the candidates.
        """
        if not self._weights:
            return
        count = len(part.decisions)
        order = np.lexsort((part.columns, part.taken, -scores, part.rows))
        bounds = np.searchsorted(part.rows[order], np.arange(count + 1)).tolist()
        lists = np.full((len(self._weights), count, CUTOFF), NO_COURSE, np.int64)
        for row in range(count):
            best = order[bounds[row] : min(bounds[row + 1], bounds[row] + WINDOW)]
            columns, hits = part.columns[best], part.taken[best]
            alike = likeness(self._members(columns))
            for number, weight in enumerate(self._weights):
                first = diverse_places(alike, weight, CUTOFF)[:CUTOFF]
                lists[number, row, : len(first)] = columns[first]
                self._gains[number] += float(gains(np.flatnonzero(hits[first]) + 1).sum())
        self._count += count
        for collected, found in zip(self._lists, lists, strict=True):
            collected.append(found)

    def _members(self, columns: Integers) -> NDArray[np.float32]:
        """Return binary float32[k, t] over the topics that occur."""
        members = self._topics[columns]
        found: NDArray[np.float32] = members[:, np.unique(members.indices)].toarray()
        return found

    def judged(self, history: LearningHistory, histories: Histories, counts: Integers) -> tuple[Tradeoff, ...]:
        """Return the figures at each weight; arguments are those of `list_quality`."""
        return tuple(
            Tradeoff(
                weight, gained / max(1, self._count), list_quality(history, histories, np.concatenate(lists), counts)
            )
            for weight, gained, lists in zip(self._weights, self._gains, self._lists, strict=True)
        )
