"""Many learners at once: the lists of an email, a push, or somebody else's evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers
from features.pair import pair_features
from training.dataset import PointInTimeFeatures, candidates
from training.history import LearningHistory
from training.release import FittedModel

_BATCH = 256


@dataclass(frozen=True)
class ScoredList:
    """The best courses of one learner.

    Attributes:
        learner: as it was asked for, a position in the history or -1.
        courses: int64[k], ids, best first.
        scores: float64[k], descending.
        strategy: `MODEL`, or `POPULARITY` for a learner of whom nothing is known before the moment.
    """

    learner: int
    courses: Integers
    scores: NDArray[np.float64]
    strategy: str


def score(
    history: LearningHistory,
    features: PointInTimeFeatures,
    model: FittedModel,
    learners: Integers,
    moment: int,
    *,
    count: int,
) -> Iterator[ScoredList]:
    """Yield the list of each learner, in the order that they were asked for.

    Args:
        history: of which only what lies strictly before the moment is read.
        features: stored features as of the moment.
        model: what scores.
        learners: int64[d], positions in the history; -1 for one who is not in it.
        moment: microseconds since 1970.
        count: length of a list.
    """
    popular = history.popularity(np.array([moment]))[0].astype(np.float64)
    for start in range(0, len(learners), _BATCH):
        asked = learners[start : start + _BATCH]
        histories = history.before(np.maximum(asked, 0), np.full(len(asked), moment, np.int64))
        known = (histories.lengths > 0) & (asked >= 0)
        ranked = _ranked(history, features, model, asked[known], histories.now[known], count=count)
        for learner, is_known in zip(asked.tolist(), known.tolist(), strict=True):
            yield next(ranked) if is_known else _popular(history, popular, learner, count)


def _ranked(
    history: LearningHistory,
    features: PointInTimeFeatures,
    model: FittedModel,
    learners: Integers,
    moments: Integers,
    *,
    count: int,
) -> Iterator[ScoredList]:
    if not len(learners):
        return
    histories = history.before(learners, moments)
    relations, rows, columns = candidates(history, histories, model.similarities)
    pair = pair_features(relations, histories, history.traits, rows, columns)
    stored = features.read_learners(history.learner_ids[learners], moments)
    places, spots = np.unique(columns, return_inverse=True)
    courses = features.read_courses(history.traits.course_ids[places], moments[:1].repeat(len(places)))
    vectors = features.layout.assemble(moments[rows], stored[rows], courses[spots], pair)
    predicted = model.booster.inplace_predict(vectors).astype(np.float64)
    order = np.lexsort((columns, -predicted, rows))
    bounds = np.searchsorted(rows, np.arange(len(learners) + 1))
    for place, learner in enumerate(learners.tolist()):
        best = order[bounds[place] : bounds[place + 1]][:count]
        yield ScoredList(learner, history.traits.course_ids[columns[best]], predicted[best], "MODEL")


def _popular(history: LearningHistory, popular: NDArray[np.float64], learner: int, count: int) -> ScoredList:
    best = np.lexsort((np.arange(len(popular)), -popular, ~history.published))[:count]
    best = best[history.published[best]]
    return ScoredList(learner, history.traits.course_ids[best], popular[best], "POPULARITY")
