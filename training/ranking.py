"""Held-out decisions, ranked by a model: where the courses that were taken stand, and what the lists begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.histories import Floats
from features.interactions import Integers
from features.similarity import Similarities
from serving.ensembles import Ensemble, Scorer
from training.dataset import Examples, PointInTimeFeatures, examples, with_features
from training.history import LearningHistory
from training.lists import first_ten
from training.metrics import CUTOFF, NOT_RANKED, gains
from training.parallel import in_order
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
    ensemble: Ensemble,
    features: PointInTimeFeatures,
    *,
    advance: Advance,
    steps: Sequence[int] = (),
    varied: VariedLists | None = None,
    threads: int = 1,
) -> Ranked:
    """Rank decisions.

    Args:
        history: the log.
        test: the decisions.
        similarities: fitted on what was known, in the order of the history's courses.
        ensemble: the ranker.
        features: stored features as of each decision, with the defaults of the ranker; read by this thread alone.
        advance: told of progress.
        steps: numbers of trees that the curve is wanted of.
        varied: is given the lists too.
        threads: how many look for candidates, and how many score.
    """
    whole = ensemble.booster.num_boosted_rounds()
    scorer, early = Scorer(ensemble), _early(ensemble, steps)
    ranks, lists = [np.empty(0, np.int64)], [np.empty((0, CUTOFF), np.int64)]
    curve = dict.fromkeys(steps, 0.0)

    def scored(asked: tuple[Examples, Floats]) -> _Scored:
        part, vectors = asked
        starts = np.flatnonzero(np.diff(part.rows, prepend=-1)).tolist()
        scores = scorer.scores(vectors, starts)
        found = {trees: one.scores(vectors, starts) for trees, one in early.items()} | {whole: scores}
        return _Scored(
            part,
            scores,
            ranks=_candidate_ranks(part, scores),
            lists=first_ten(part.rows, part.columns, scores, len(part.decisions)),
            gained={trees: float(gains(_candidate_ranks(part, found[trees])).sum()) for trees in steps},
        )

    with closing(examples(history, test, similarities, threads=threads)) as parts:
        described = ((part, with_features(history, part, features)) for part in parts)
        for each in in_order(scored, described, threads):
            ranks.append(each.ranks)
            lists.append(each.lists)
            for trees, gained in each.gained.items():
                curve[trees] += gained / max(1, len(test.decisions))
            if varied is not None:
                varied.add(each.part, each.scores)
            advance(len(each.part.decisions))
    return Ranked(np.concatenate(ranks), np.concatenate(lists), list(curve.items()))


class _Scored(NamedTuple):
    """What is found out of some decisions at once."""

    part: Examples
    scores: Floats
    ranks: Integers
    lists: Integers
    gained: dict[int, float]


def _early(ensemble: Ensemble, steps: Sequence[int]) -> dict[int, Scorer]:
    """Return what scores with the first so many trees, by their number; the whole is not among them."""
    booster, network = ensemble.booster, ensemble.network
    return {
        count: Scorer(Ensemble(booster[:count], network)) for count in steps if count < booster.num_boosted_rounds()
    }


def _candidate_ranks(part: Examples, scores: NDArray[Any]) -> Integers:
    count = len(part.decisions)
    targets = np.full(count, np.inf)
    targets[part.rows[part.taken]] = scores[part.taken]
    reached = np.bincount(part.rows, weights=scores >= targets[part.rows], minlength=count).astype(np.int64)
    return np.where(np.isfinite(targets), reached, NOT_RANKED)
