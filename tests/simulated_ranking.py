"""A release and a course matrix of the simulated platform, for tests of serving."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

import numpy as np

from features.interactions import Integers, Sparse
from features.pair import DAY, Floats
from features.similarity import membership
from serving.artifact import Release, ReleaseManifest
from serving.ranker import RankingModel, align
from tests.simulated_history import PARENTS, CountedFeatures, simulated_courses, simulated_history
from training.release import TrainedModel, TrainingOptions, train

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HISTORY = simulated_history()
COURSES = len(HISTORY.traits)
IDS = HISTORY.traits.course_ids


@dataclass(frozen=True)
class Matrix:
    """A course matrix of the simulated platform."""

    course_ids: Integers
    names: tuple[str, ...]
    features: Floats
    topics: Sparse
    topic_ids: Integers
    skills: Sparse
    titles: tuple[str, ...]
    level_codes: Integers
    language_codes: Integers
    prerequisites: Sparse
    published: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    features_as_of: datetime = field(default=NOW)


def empty(width: int) -> Sparse:
    """Return a matrix of nothing for every course."""
    return membership([[]] * COURSES, np.arange(width))


def matrix(**changes: object) -> Matrix:
    """Return the matrix, with its columns in another order than the release's."""
    courses = simulated_courses()
    names = ("course_first_enrolled_at", "course_enrollments_total", "course_enrollments_30d")
    counted = CountedFeatures(HISTORY)
    # At the end of the log, so that some courses were popular lately.
    stored = counted.read_courses(IDS, np.full(COURSES, HISTORY.interactions.moments.max() - 150 * DAY))
    plain = Matrix(
        course_ids=IDS,
        names=names,
        features=stored[:, [counted.layout.course.index(name) for name in names]],
        topics=membership(courses["topic_ids"].tolist(), np.arange(1, 7)),
        topic_ids=np.arange(1, 7),
        skills=membership(courses["skill_ids"].tolist(), np.arange(30)),
        titles=tuple(courses["title"]),
        level_codes=HISTORY.traits.levels,
        language_codes=HISTORY.traits.languages,
        prerequisites=empty(COURSES),
        published=np.ones(COURSES, np.bool_),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # Each test changes fields by name.


@cache
def trained() -> TrainedModel:
    """Return a model of the simulated platform."""
    return train(HISTORY, CountedFeatures(HISTORY), TrainingOptions(threads=1, rounds=30), lambda *_: None)


@cache
def release() -> Release:
    """Return a release of it, as it would be after loading."""
    layout = CountedFeatures.layout
    manifest = ReleaseManifest(
        version="v1",
        created_at=NOW,
        feature_service="ranking_v1",
        learner_features=layout.learner,
        course_features=layout.course,
        vector_names=layout.names,
        vector_digest=layout.digest,
        data_fingerprint="",
        trained_from=NOW,
        trained_until=NOW,
        training_decisions=1,
        seed=1,
        metrics={},
        code_version="",
    )
    return Release(manifest, layout, trained().ensemble, IDS, trained().similarities)


@cache
def model() -> RankingModel:
    """Return the release over the matrix."""
    return align(release(), matrix(), PARENTS)
