"""Held-out decisions, ranked by a model: where the courses that were taken stand, and what the lists begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray

from features.interactions import Integers
from features.similarity import Similarities
from serving.trees import Scorer
from training.dataset import Examples, PointInTimeFeatures, examples, with_features
from training.history import LearningHistory
from training.lists import first_ten
from training.metrics import CUTOFF, NOT_RANKED, gains
from training.split import Stage
from training.tradeoffs import VariedLists

Advance = Callable[[int], None]
"""Told how many decisions were done."""


class Ranked(NamedTuple):
    """Decisions as a model ranks them.

    Attributes:
        ranks: int64[d], ranks of the courses that were taken among the candidates, which are what serving ranks.
        lists: int64[d, 10], the first ten of each list.
        curve: NDCG@10 of the first so many trees of the ranker.
    """

    ranks: Integers
    lists: Integers
    curve: list[tuple[int, float]]


def model_ranks(
    history: LearningHistory,
    test: Stage,
    similarities: Similarities,
    booster: xgboost.Booster,
    features: PointInTimeFeatures,
    *,
    advance: Advance,
    steps: Sequence[int] = (),
    varied: VariedLists | None = None,
) -> Ranked:
    """Rank decisions.

    Args:
        history: the log.
        test: the decisions.
        similarities: fitted on what was known, in the order of the history's courses.
        booster: the ranker.
        features: stored features as of each decision, with the defaults of the ranker.
        advance: told of progress.
        steps: numbers of trees that the curve is wanted of.
        varied: is given the lists too.
    """
    scorer = Scorer(booster)
    ranks, lists = [np.empty(0, np.int64)], [np.empty((0, CUTOFF), np.int64)]
    curve = dict.fromkeys(steps, 0.0)
    for part in examples(history, test, similarities):
        vectors = with_features(history, part, features)
        scores = scorer.scores(vectors)
        for trees in steps:
            early = booster.inplace_predict(vectors, iteration_range=(0, trees))
            curve[trees] += gains(_candidate_ranks(part, early)).sum() / max(1, len(test.decisions))
        ranks.append(_candidate_ranks(part, scores))
        lists.append(first_ten(part.rows, part.columns, scores, len(part.decisions)))
        if varied is not None:
            varied.add(part, scores)
        advance(len(part.decisions))
    return Ranked(np.concatenate(ranks), np.concatenate(lists), list(curve.items()))


def _candidate_ranks(part: Examples, scores: NDArray[Any]) -> Integers:
    count = len(part.decisions)
    targets = np.full(count, np.inf)
    targets[part.rows[part.taken]] = scores[part.taken]
    reached = np.bincount(part.rows, weights=scores >= targets[part.rows], minlength=count).astype(np.int64)
    return np.where(np.isfinite(targets), reached, NOT_RANKED)
