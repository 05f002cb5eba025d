"""What variety in lists costs and brings: the same lists, arranged as serving does at several weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers, Sparse
from serving.arrangement import WINDOW
from serving.diversity import diverse_places, likeness
from training.dataset import Examples
from training.history import LearningHistory
from training.lists import NO_COURSE, ListQuality, list_quality
from training.metrics import CUTOFF, NOT_RANKED, measured
from training.split import Stage, decided

WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Where most changes: from a half on, hardly anything is left of the ranking."""


MOST = 5_000
"""Decisions whose lists are arranged at all weights; where there are more, so many are drawn."""


@dataclass(frozen=True)
class Tradeoff:
    """Lists at one weight of diversity.

    Attributes:
        weight: what `WAYMARK_RANKING__DIVERSITY` would be.
        decisions: how many lists were arranged, all or `MOST` of them, the same at each weight.
        ndcg: NDCG@10 of those.
        low: lower end of its 95% bootstrap interval.
        high: its upper end.
        lists: what their first ten courses are like.
    """

    weight: float
    decisions: int
    ndcg: float
    low: float
    high: float
    lists: ListQuality


class VariedLists:
    """Collects the first ten courses of lists at several weights, part by part.

    Args:
        topics: binary float32[n, t], of all courses.
        weights: from 0 to 1; none for nothing to collect.
        count: how many decisions there will be.
        seed: of the sample, and of resampling.
    """

    def __init__(self, topics: Sparse, weights: Sequence[float], count: int, seed: int) -> None:
        self._topics = topics
        self._weights = tuple(weights)
        self._seed = seed
        self._chosen = np.arange(count)
        if count > MOST:
            self._chosen = np.sort(np.random.default_rng(seed).choice(count, MOST, replace=False))
        self._lists = [[np.empty((0, CUTOFF), np.int64)] for _ in self._weights]
        self._ranks: list[list[int]] = [[] for _ in self._weights]
        self._seen = 0

    def add(self, part: Examples, scores: NDArray[np.floating]) -> None:
        """Arrange the lists of the next decisions; of equal scores the course that was taken stands last.

        Args:
            part: candidates of the decisions.
            scores: float[m], of the candidates.
        """
        count = len(part.decisions)
        chosen = self._chosen[(self._chosen >= self._seen) & (self._chosen < self._seen + count)] - self._seen
        self._seen += count
        if not self._weights or not len(chosen):
            return
        order = np.lexsort((part.columns, part.taken, -scores, part.rows))
        starts, ends = (np.searchsorted(part.rows[order], edge).tolist() for edge in (chosen, chosen + 1))
        lists = np.full((len(self._weights), len(chosen), CUTOFF), NO_COURSE, np.int64)
        for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
            best = order[start : min(end, start + WINDOW)]
            columns, hits = part.columns[best], part.taken[best]
            alike = likeness(self._members(columns))
            for number, weight in enumerate(self._weights):
                first = diverse_places(alike, weight, CUTOFF)[:CUTOFF]
                lists[number, row, : len(first)] = columns[first]
                self._ranks[number].append(next(iter((np.flatnonzero(hits[first]) + 1).tolist()), NOT_RANKED))
        for collected, found in zip(self._lists, lists, strict=True):
            collected.append(found)

    def _members(self, columns: Integers) -> NDArray[np.float32]:
        """Return binary float32[k, t] over the topics that occur."""
        members = self._topics[columns]
        found: NDArray[np.float32] = members[:, np.unique(members.indices)].toarray()
        return found

    def judged(self, history: LearningHistory, stage: Stage, counts: Integers) -> tuple[Tradeoff, ...]:
        """Return the figures at each weight.

        Args:
            history: the log.
            stage: the decisions.
            counts: int64[n], known enrollments of each course.
        """
        if not self._weights:
            return ()
        histories = decided(history, stage, stage.decisions[self._chosen])
        ranks = {
            f"{weight:g}": np.array(found, np.int64) for weight, found in zip(self._weights, self._ranks, strict=True)
        }
        figures, _ = measured(ranks, np.random.default_rng(self._seed))
        return tuple(
            Tradeoff(
                weight=weight,
                decisions=len(self._chosen),
                ndcg=found.ndcg,
                low=found.low,
                high=found.high,
                lists=list_quality(history, histories, np.concatenate(lists), counts),
            )
            for weight, found, lists in zip(self._weights, figures.values(), self._lists, strict=True)
        )
