"""A release laid over the courses of this moment, and the ranking of one learner's candidates with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import ReleaseError
from features.histories import CourseTraits, Floats, History, Popularity
from features.interactions import Integers, Sparse, spread
from features.pair import pair_features
from features.relations import Relations, relate
from features.similarity import Similarities, content_vectors, positions_of, title_vectors
from serving.artifact import Release
from serving.breaker import DeclinedError
from serving.candidates import brought, select_candidates
from serving.ensembles import Scorer
from serving.rankings import RankedCourse, Reason
from serving.reasons import Evidence, PopularityBars, popularity_bars, reasons_for

POPULARITY_FEATURE = "course_enrollments_30d"


class CourseMatrix(Protocol):
    """What ranking reads of `serving.course_matrix.CourseMatrix`."""

    @property
    def course_ids(self) -> Integers:
        """int64[n], sorted."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the k features."""
        ...

    @property
    def features(self) -> Floats:
        """float32[n, k]; NaN for missing."""
        ...

    @property
    def features_as_of(self) -> datetime:
        """The moment that the features describe."""
        ...

    @property
    def topics(self) -> Sparse:
        """Binary [n, t]."""
        ...

    @property
    def topic_ids(self) -> Integers:
        """int64[t], what the columns of `topics` mean."""
        ...

    @property
    def skills(self) -> Sparse:
        """Binary [n, s]."""
        ...

    @property
    def titles(self) -> tuple[str, ...]:
        """N titles."""
        ...

    @property
    def level_codes(self) -> Integers:
        """int64[n], a code from 0 for each level."""
        ...

    @property
    def language_codes(self) -> Integers:
        """int64[n], a code from 0 for each language."""
        ...

    @property
    def prerequisites(self) -> Sparse:
        """Binary [n, n], the row builds upon the column."""
        ...

    @property
    def published(self) -> NDArray[np.bool_]:
        """bool[n]."""
        ...


@dataclass(frozen=True)
class RankingModel:
    """A release whose retrievers are in the order of one course matrix.

    Attributes:
        release: the release.
        matrix: the courses' features of this moment.
        similarities: of the retrievers, in the order of the matrix.
        traits: of the courses, in the order of the matrix.
        topic_ids: int64[t], what the columns of the traits' topics mean.
        features: float32[n, k], course features in the order of the release's layout.
        popularity: float32[1, n], enrollments in the last 30 days; what is no number counts as none.
        bars: how many of them make a course popular.
        scorer: the release's ranker.
    """

    release: Release
    matrix: CourseMatrix
    similarities: Similarities
    traits: CourseTraits
    topic_ids: Integers
    features: Floats
    popularity: Floats
    bars: PopularityBars
    scorer: Scorer

    @property
    def version(self) -> str:
        """The version of the release."""
        return self.release.manifest.version

    @cached_property
    def popular(self) -> Popularity:
        """What many take, with what is computed from it once."""
        return Popularity.of(self.popularity[0])


@dataclass(frozen=True)
class Question:
    """What is known of one learner at one moment.

    Attributes:
        now: moment of decision, microseconds since 1970.
        history: ids of the courses that the learner is taking or has completed, newest first.
        moments: int64[h], when each was taken, microseconds since 1970.
        hidden: ids of courses that must not be shown besides the history, such as those that were left.
        learner: stored learner features by name; NaN where nothing is known.
        limit: the longest list that is wanted.
        allowed: ids of the courses that may be shown; None for all.
        goals: ids of the topics that the learner chose at onboarding.
        readable: bool[n] over the courses of the matrix, which may be shown; None for all.
        explained: how many places are given their reasons; None for all.
    """

    now: int
    history: Sequence[int]
    moments: Integers
    hidden: Sequence[int]
    learner: Mapping[str, float]
    limit: int
    allowed: frozenset[int] | None
    goals: Sequence[int]
    readable: NDArray[np.bool_] | None = None
    explained: int | None = None


def align(
    release: Release, matrix: CourseMatrix, parents: Mapping[int, int], beside: RankingModel | None = None
) -> RankingModel:
    """Lay a release over a course matrix.

    Args:
        release: verified.
        matrix: the courses' features of this moment; courses the release has never seen are ranked by what
            they are about and by how popular they are.
        parents: the parent of a topic, by id.
        beside: another release; over the same matrix, what is known of the courses alone is taken over from it.

    Raises:
        ReleaseError: the matrix lacks a feature that the release reads.
    """
    places = {name: position for position, name in enumerate(matrix.names)}
    missing = [name for name in release.layout.course if name not in places]
    if missing:
        raise ReleaseError(
            f"Release {release.manifest.version} reads course features that are not served: {', '.join(missing)}."
        )
    features = np.ascontiguousarray(matrix.features[:, [places[name] for name in release.layout.course]])
    if beside is not None and beside.matrix is matrix:
        similarities = release.similarities.over(release.course_ids, beside.traits)
        scorer = Scorer(release.ensemble)
        return replace(beside, release=release, similarities=similarities, features=features, scorer=scorer)
    topics, topic_ids = with_parents(matrix.topics, matrix.topic_ids, parents)
    if POPULARITY_FEATURE in places:
        popularity = Popularity.of(matrix.features[:, places[POPULARITY_FEATURE]]).counts
    else:
        popularity = np.zeros(len(matrix.course_ids), np.float32)
    traits = CourseTraits(
        course_ids=matrix.course_ids,
        topics=topics,
        content=content_vectors([topics, matrix.skills]),
        titles=title_vectors(matrix.titles),
        levels=matrix.level_codes,
        languages=matrix.language_codes,
    )
    return RankingModel(
        release=release,
        matrix=matrix,
        similarities=release.similarities.over(release.course_ids, traits),
        traits=traits,
        topic_ids=topic_ids,
        features=features,
        popularity=popularity[None, :],
        bars=popularity_bars(popularity, topics),
        scorer=Scorer(release.ensemble),
    )


def with_parents(topics: Sparse, topic_ids: Integers, parents: Mapping[int, int]) -> tuple[Sparse, Integers]:
    """Return memberships of courses in their topics and the parents of these, and the ids of the columns."""
    everything = np.unique(np.concatenate([topic_ids, np.array(list(parents.values()), np.int64)]))
    columns = {int(topic): position for position, topic in enumerate(everything)}
    rows, places = topics.nonzero()
    own = [columns[int(topic_ids[place])] for place in places]
    above = [columns.get(parents.get(int(topic_ids[place]), -1), -1) for place in places]
    entries = np.array([*own, *above], np.int64)
    courses = np.concatenate([rows, rows]).astype(np.int64)
    kept = entries >= 0
    matrix = type(topics)(
        (np.ones(int(kept.sum()), np.float32), (courses[kept], entries[kept])),
        shape=(topics.shape[0], len(everything)),
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix, everything


def rank(model: RankingModel, question: Question) -> tuple[RankedCourse, ...]:
    """Return the learner's courses, best first: the candidates as the model ranks them, then all other courses.

    Candidates whose prerequisites the learner has not taken come after all other candidates, in the order of
    their scores. The courses that are no candidates follow by recent popularity. The limit only cuts the list,
    so that its pages fit together.

    Raises:
        DeclinedError: no course of the history is known, so there is nothing to rank by.
        ReleaseError: a learner feature that the release reads is not served.
    """
    history, eligible = _known(model, question)
    relations = _relations(model, history)
    columns = select_candidates(relations, eligible)
    predicted = _predicted(model, question, history, relations, columns)
    later = _unprepared(model.matrix.prerequisites, columns, history.courses)
    order = np.lexsort((columns, -predicted, later))
    places, values = columns[order], predicted[order].astype(np.float64)
    if len(places) < question.limit:
        others, lower = _others(model.popular, eligible, columns, predicted)
        places, values = np.concatenate([places, others]), np.concatenate([values, lower])
    places, values = places[: question.limit], values[: question.limit]
    reasons = reasons_for(_evidence(model, question, history), places[: question.explained])
    reasons += [()] * (len(places) - len(reasons))
    ids = model.traits.course_ids[places].tolist()
    return tuple(map(RankedCourse._make, zip(ids, values.tolist(), reasons, strict=True)))


def _relations(model: RankingModel, history: History) -> Relations:
    return relate(history, model.similarities, model.traits, model.popular)


def _predicted(
    model: RankingModel, question: Question, history: History, relations: Relations, columns: Integers
) -> Floats:
    """Return float32[m], what the ranker says of courses."""
    return model.scorer.scores(_vectors(model, question, history, relations, columns))


def _vectors(
    model: RankingModel, question: Question, history: History, relations: Relations, columns: Integers
) -> Floats:
    return model.release.layout.assemble(
        np.array([history.now]),
        _learner_row(model.release, question.learner),
        model.features[columns],
        pair_features(relations, history, model.traits, columns),
    )


def explain(model: RankingModel, question: Question, course_ids: Sequence[int]) -> list[tuple[Reason, ...]]:
    """Return the reasons of courses that were ranked for a learner; none for a course without features.

    Raises:
        DeclinedError: no course of the history is known.
    """
    history = _history(model, question)
    places, found = positions_of(np.array(course_ids, np.int64), model.traits.course_ids)
    reasons = iter(reasons_for(_evidence(model, question, history), places[found]))
    return [next(reasons) if there else () for there in found.tolist()]


def vectors(model: RankingModel, question: Question, course_ids: Sequence[int]) -> list[list[float]]:
    """Return the vectors that the model ranks courses of its matrix by, in the order of the layout's names.

    Raises:
        DeclinedError: no course of the history is known.
        ReleaseError: a learner feature that the release reads is not served.
    """
    history = _history(model, question)
    places, _ = positions_of(np.array(course_ids, np.int64), model.traits.course_ids)
    found: list[list[float]] = _vectors(model, question, history, _relations(model, history), places).tolist()
    return found


def retrieved_by(model: RankingModel, question: Question, course_id: int) -> tuple[str, ...]:
    """Return which retrievers bring a course as a candidate; none for a course that only follows by popularity.

    Raises:
        DeclinedError: no course of the history is known.
    """
    history, eligible = _known(model, question)
    (place,), (found,) = positions_of(np.array([course_id]), model.traits.course_ids)
    return tuple(
        name for name, positions in brought(_relations(model, history), eligible) if found and place in positions
    )


def _others(
    popularity: Popularity, eligible: NDArray[np.bool_], columns: Integers, predicted: Floats
) -> tuple[Integers, NDArray[np.float64]]:
    """Return positions of the eligible courses that are no candidates, most popular first, and their scores.

    Args:
        popularity: of the n courses.
        eligible: bool[n].
        columns: int64[m], positions of the candidates.
        predicted: float32[m], their scores; those of the others are below all of them.
    """
    rest = eligible.copy()
    rest[columns] = False
    # Positions are in the order of the ids, which break ties.
    others = popularity.order[rest[popularity.order]]
    lowest = float(predicted.min()) if len(predicted) else 0.0
    return others, lowest - 1.0 / (1.0 + popularity.counts[others].astype(np.float64))


def _history(model: RankingModel, question: Question) -> History:
    """Return the history over the matrix's courses.

    Raises:
        DeclinedError: none of it is known.
    """
    positions, known = positions_of(np.array(question.history, np.int64), model.traits.course_ids)
    if not known.any():
        raise DeclinedError("No course of the learner's history has features yet.")
    # A moment that is not before the decision, as of a clock that runs ahead, counts as just before.
    return History(positions[known], np.minimum(question.moments[known], question.now - 1), question.now)


def _known(model: RankingModel, question: Question) -> tuple[History, NDArray[np.bool_]]:
    """Return the history over the matrix's courses, and bool[n] that may be shown."""
    ids = model.traits.course_ids
    history = _history(model, question)
    published, readable = model.matrix.published, question.readable
    eligible = published.copy() if readable is None else published & readable
    eligible[history.courses] = False
    hidden, found = positions_of(np.array(question.hidden, np.int64), ids)
    eligible[hidden[found]] = False
    if question.allowed is not None:
        allowed, found = positions_of(np.fromiter(question.allowed, np.int64, len(question.allowed)), ids)
        admitted = np.zeros(len(ids), np.bool_)
        admitted[allowed[found]] = True
        eligible &= admitted
    return history, eligible


def _learner_row(release: Release, learner: Mapping[str, float]) -> NDArray[np.float64]:
    missing = [name for name in release.layout.learner if name not in learner]
    if missing:
        raise ReleaseError(
            f"Release {release.manifest.version} reads learner features that are not served: {', '.join(missing)}."
        )
    return np.array([[learner[name] for name in release.layout.learner]], np.float64)


def _unprepared(prerequisites: Sparse, columns: Integers, courses: Integers) -> NDArray[np.bool_]:
    """Return bool[m], whether a course builds upon one that was not taken."""
    if prerequisites.nnz == 0:
        return np.zeros(len(columns), np.bool_)
    taken = np.zeros(prerequisites.shape[1], np.bool_)
    taken[courses] = True
    needed, _, entries = spread(prerequisites, columns)
    return np.bincount(entries, ~taken[needed], len(columns)) > 0


def _evidence(model: RankingModel, question: Question, history: History) -> Evidence:
    return Evidence(
        history=history,
        similarities=model.similarities,
        traits=model.traits,
        topic_ids=model.topic_ids,
        popularity=model.popularity[0],
        bars=model.bars,
        goals=frozenset(question.goals),
    )


def as_microseconds(moments: Sequence[datetime]) -> Integers:
    """Return int64 microseconds since 1970 of aware moments."""
    return np.array([round(moment.timestamp() * 1_000_000) for moment in moments], np.int64)
