"""Decisions of the past with the courses that could have been shown, and how each looked at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.interactions import Integers
from features.pair import PAIR_FEATURES, Floats, Histories, Relations, pair_features, relate
from features.similarity import Similarities, fit_similarities
from features.vector import VectorLayout
from serving.candidates import retriever_scores, select_candidates
from training.history import LearningHistory
from training.split import Stage, decided

SAMPLED = 30
"""Candidates a training decision keeps besides the course that was taken, drawn uniformly: only hard ones mislead."""
_CELLS = 2_000_000
"""Decisions times courses that are held as dense arrays at once."""
_FRAME = 2048
"""Decisions whose candidates are joined with features at once."""


class PointInTimeFeatures(Protocol):
    """Stored features as they were at a moment; `training.pointintime` asks Feast for them."""

    @property
    def layout(self) -> VectorLayout:
        """Names of the learner and course features that are read."""
        ...

    def read_learners(self, learner_ids: Integers, moments: Integers) -> NDArray[Any]:
        """Return float64[d, k]: what was known strictly before the moments (microseconds), NaN where nothing was."""
        ...

    def read_courses(self, course_ids: Integers, moments: Integers) -> Floats:
        """Return float32[m, k]: what was known strictly before the moments (microseconds), NaN where nothing was."""
        ...


@dataclass(frozen=True)
class Defaulted:
    """Stored features for a ranker that was fitted: what is missing is read as serving reads it.

    Attributes:
        features: stored features as of any moment.
        defaults: `ReleaseManifest.defaults`.
    """

    features: PointInTimeFeatures
    defaults: Mapping[str, float]

    @cached_property
    def layout(self) -> VectorLayout:
        """Names of the columns, with the defaults."""
        return replace(self.features.layout, defaults=self.defaults)

    def read_learners(self, learner_ids: Integers, moments: Integers) -> NDArray[Any]:
        """Return what the features do."""
        return self.features.read_learners(learner_ids, moments)

    def read_courses(self, course_ids: Integers, moments: Integers) -> Floats:
        """Return what the features do."""
        return self.features.read_courses(course_ids, moments)


@dataclass(frozen=True)
class Examples:
    """Candidates of decisions.

    Attributes:
        decisions: int64[d], positions of the enrollments that were decided on.
        moments: int64[d], what everything is as of, microseconds since 1970.
        rows: int64[m], the decision (0 to d - 1) of each candidate, ascending.
        columns: int64[m], position of the candidate course.
        taken: bool[m], whether it is the course that was taken.
        pair: float32[m, len(PAIR_FEATURES)].
    """

    decisions: Integers
    moments: Integers
    rows: Integers
    columns: Integers
    taken: NDArray[np.bool_]
    pair: Floats


@dataclass(frozen=True)
class Dataset:
    """What a ranker is fitted on.

    Attributes:
        vectors: float32[m, number of features].
        taken: bool[m], one in each group.
        groups: int64[m], ascending: candidates of one decision share a number.
        decisions: how many decisions there are.
        retrieved: share of the decisions whose course was among the candidates; the others teach nothing.
    """

    vectors: Floats
    taken: NDArray[np.bool_]
    groups: Integers
    decisions: int
    retrieved: float


def examples(
    history: LearningHistory, stage: Stage, similarities: Similarities, rng: np.random.Generator | None = None
) -> Iterator[Examples]:
    """Yield the candidates of a stage's decisions, chunk by chunk.

    Args:
        history: the log; of each decision only what lies strictly before it is read.
        stage: the decisions.
        similarities: fitted on what the stage knows.
        rng: samples candidates for training; None keeps all of them.
    """
    for decisions in _chunks(stage.decisions, max(1, _CELLS // max(1, len(history.traits)))):
        yield _examples(history, replace(stage, decisions=decisions), similarities, rng)


def training_set(
    history: LearningHistory,
    stages: tuple[Stage, ...],
    features: PointInTimeFeatures,
    rng: np.random.Generator,
    advance: Callable[[int], None] = lambda _: None,
) -> Dataset:
    """Return the training examples of all stages, each with statistics fitted on what lay before it.

    Args:
        history: the log.
        stages: the decisions, in stages.
        features: stored features as of each decision.
        rng: samples candidates.
        advance: told how many decisions were done.
    """
    vectors, taken, groups = [np.empty((0, len(features.layout.names)), np.float32)], [np.empty(0, np.bool_)], []
    total = retrieved = 0
    known, similarities = None, None
    for stage in stages:
        if similarities is None or known is not stage.known:
            known = stage.known
            similarities = fit_similarities(history.interactions.select(known), len(history.traits))
        for part in merged(examples(history, stage, similarities, rng)):
            found = np.zeros(len(part.decisions), np.bool_)
            found[part.rows[part.taken]] = True
            vectors.append(with_features(history, part, features))
            taken.append(part.taken)
            groups.append(part.rows + total)
            total += len(part.decisions)
            advance(len(part.decisions))
            retrieved += int(found.sum())
    return Dataset(
        vectors=np.concatenate(vectors),
        taken=np.concatenate(taken),
        groups=np.concatenate([np.empty(0, np.int64), *groups]),
        decisions=total,
        retrieved=retrieved / max(1, total),
    )


def with_features(history: LearningHistory, part: Examples, features: PointInTimeFeatures) -> Floats:
    """Return float32[m, number of features]: the candidates' vectors, with features as of the moments."""
    log = history.interactions
    learners = features.read_learners(history.learner_ids[log.learners[part.decisions]], part.moments)
    courses = features.read_courses(history.traits.course_ids[part.columns], part.moments[part.rows])
    return features.layout.assemble(part.moments[part.rows], learners[part.rows], courses, part.pair)


def merged(parts: Iterator[Examples]) -> Iterator[Examples]:
    """Yield larger chunks, so that each is one question to the feature store."""
    held: list[Examples] = []
    for part in parts:
        held.append(part)
        if sum(len(each.decisions) for each in held) >= _FRAME:
            yield _join(held)
            held = []
    if held:
        yield _join(held)


def _examples(
    history: LearningHistory, stage: Stage, similarities: Similarities, rng: np.random.Generator | None
) -> Examples:
    log, size, decisions = history.interactions, len(history.traits), stage.decisions
    targets = log.courses[decisions]
    histories = decided(history, stage, decisions)
    relations, rows, columns = candidates(history, histories, similarities)
    taken = columns == targets[rows]
    if rng is not None:
        # What was taken at the very same instant, or between the moment and the decision, is no negative either.
        also = history.before(log.learners[decisions], log.moments[decisions] + 1).taken(size)[rows, columns] & ~taken
        kept = _sampled(rows, taken, also, len(decisions), rng)
        rows, columns, taken = rows[kept], columns[kept], taken[kept]
    pair = pair_features(relations, histories, history.traits, rows, columns)
    return Examples(decisions, histories.now, rows, columns, taken, pair)


def candidates(
    history: LearningHistory, histories: Histories, similarities: Similarities
) -> tuple[Relations, Integers, Integers]:
    """Return how histories relate to all courses, and the candidates: rows and columns, int64[m] each."""
    relations = relate(histories, similarities, history.traits, history.popularity(histories.now))
    eligible = ~histories.taken(len(history.traits)) & history.published
    rows, columns = select_candidates(retriever_scores(relations), eligible)
    return relations, rows, columns


def _sampled(
    rows: Integers, taken: NDArray[np.bool_], also: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> Integers:
    """Return the positions of the taken ones and of `SAMPLED` others, of decisions whose course was retrieved."""
    retrieved = np.bincount(rows[taken], minlength=count) > 0
    order = np.lexsort((rng.random(len(rows)), ~taken, also, rows))
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = order[(places <= SAMPLED)]
    kept = kept[retrieved[rows[kept]] & ~also[kept]]
    return np.sort(kept)


def _chunks(decisions: Integers, length: int) -> Iterator[Integers]:
    for start in range(0, len(decisions), length):
        yield decisions[start : start + length]


def _join(parts: list[Examples]) -> Examples:
    starts = np.cumsum([0, *(len(part.decisions) for part in parts)])
    return Examples(
        decisions=np.concatenate([part.decisions for part in parts]),
        moments=np.concatenate([part.moments for part in parts]),
        rows=np.concatenate([part.rows + start for part, start in zip(parts, starts, strict=False)]),
        columns=np.concatenate([part.columns for part in parts]),
        taken=np.concatenate([part.taken for part in parts]),
        pair=np.concatenate([part.pair for part in parts]).reshape(-1, len(PAIR_FEATURES)),
    )
