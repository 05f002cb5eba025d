"""Many learners at once: the lists of an email, a push, or somebody else's evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.histories import Floats
from features.interactions import Integers
from features.pair import PAIR_FEATURES, pair_features
from serving.ensembles import Scorer
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


@dataclass(frozen=True)
class _Scoring:
    """What all learners are scored from.

    Attributes:
        history: the log.
        features: of which the layout is read.
        model: what scores.
        scorer: its ranker.
        moment: microseconds since 1970.
        learners: float64[k, f], stored features of the learners who are asked for and have a history.
        courses: float32[n, g], stored features of all courses.
    """

    history: LearningHistory
    features: PointInTimeFeatures
    model: FittedModel
    scorer: Scorer
    moment: int
    learners: NDArray[np.float64]
    courses: Floats


@dataclass(frozen=True)
class _Batch:
    """Candidates of some learners.

    Attributes:
        asked: int64[d], the learners.
        known: bool[d], whether they have a history.
        offsets: int64[k + 1], where the candidates of each of the k known ones start and end.
        columns: int64[m], positions of the candidates.
        predicted: float64[m], their scores, once they are done.
    """

    asked: Integers
    known: NDArray[np.bool_]
    offsets: Integers
    columns: Integers
    predicted: Future[NDArray[np.float64]]


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

    The ranker predicts in a thread of its own while the candidates of the next learners are looked for.

    Args:
        history: of which only what lies strictly before the moment is read.
        features: stored features as of the moment.
        model: what scores.
        learners: int64[d], positions in the history; -1 for one who is not in it.
        moment: microseconds since 1970.
        count: length of a list.
    """
    popular = _popular(history, moment, count)
    lengths = history.before(np.maximum(learners, 0), np.full(len(learners), moment, np.int64)).lengths
    known = (lengths > 0) & (learners >= 0)
    scoring = _scoring(history, features, model, learners[known], moment)
    places = np.concatenate([[0], np.cumsum(known)])
    waiting: _Batch | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="scoring") as pool:
        for start in range(0, len(learners), _BATCH):
            part = slice(start, start + _BATCH)
            rows = slice(places[start], places[min(start + _BATCH, len(learners))])
            batch = _prepared(scoring, learners[part], known[part], rows, pool)
            if waiting is not None:
                yield from _lists(history, waiting, popular, count)
            waiting = batch
        if waiting is not None:
            yield from _lists(history, waiting, popular, count)


def _scoring(
    history: LearningHistory, features: PointInTimeFeatures, model: FittedModel, known: Integers, moment: int
) -> _Scoring:
    layout, ids, courses = features.layout, history.learner_ids[known], history.traits.course_ids
    own, stored = np.empty((0, len(layout.learner))), np.empty((0, len(layout.course)), np.float32)
    if len(known):
        own = np.asarray(features.read_learners(ids, np.full(len(ids), moment, np.int64)), np.float64)
        stored = features.read_courses(courses, np.full(len(courses), moment, np.int64))
    return _Scoring(history, features, model, Scorer(model.ensemble), moment, own, stored)


def _prepared(
    scoring: _Scoring, asked: Integers, known: NDArray[np.bool_], rows: slice, pool: ThreadPoolExecutor
) -> _Batch:
    """Return the candidates of some learners, which the ranker has begun to score.

    Args:
        scoring: what from.
        asked: int64[d], the learners.
        known: bool[d], whether they have a history.
        rows: where those with a history stand in the stored features.
        pool: the ranker's thread.
    """
    history = scoring.history
    histories = history.before(asked[known], np.full(int(known.sum()), scoring.moment, np.int64))
    pairs, columns = [np.empty((0, len(PAIR_FEATURES)), np.float32)], [np.empty(0, np.int64)]
    for one, relations, found in candidates(history, histories, scoring.model.similarities):
        pairs.append(pair_features(relations, one, history.traits, found))
        columns.append(found)
    lengths = [len(each) for each in columns[1:]]
    every, offsets = np.concatenate(columns), np.cumsum([0, *lengths])

    def predict() -> NDArray[np.float64]:
        if not len(every):
            return np.empty(0)
        own = np.repeat(scoring.learners[rows], lengths, axis=0)
        now, pair = np.array([scoring.moment]), np.concatenate(pairs)
        vectors = scoring.features.layout.assemble(now, own, scoring.courses[every], pair)
        return scoring.scorer.scores(vectors, offsets[:-1].tolist()).astype(np.float64)

    return _Batch(asked, known, offsets, every, pool.submit(predict))


def _lists(history: LearningHistory, batch: _Batch, popular: ScoredList, count: int) -> Iterator[ScoredList]:
    predicted, ids = batch.predicted.result(), history.traits.course_ids
    bounds = iter(zip(batch.offsets[:-1].tolist(), batch.offsets[1:].tolist(), strict=True))
    for learner, is_known in zip(batch.asked.tolist(), batch.known.tolist(), strict=True):
        if is_known:
            start, end = next(bounds)
            # Candidates are in the order of their positions, which break ties.
            best = start + np.argsort(-predicted[start:end], kind="stable")[:count]
            yield ScoredList(learner, ids[batch.columns[best]], predicted[best], "MODEL")
        else:
            yield ScoredList(learner, popular.courses, popular.scores, popular.strategy)


def _popular(history: LearningHistory, moment: int, count: int) -> ScoredList:
    taken = history.popularity(np.array([moment]))[0].astype(np.float64)
    best = np.lexsort((np.arange(len(taken)), -taken, ~history.published))[:count]
    best = best[history.published[best]]
    return ScoredList(-1, history.traits.course_ids[best], taken[best], "POPULARITY")
