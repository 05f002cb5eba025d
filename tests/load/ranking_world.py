"""What rankings are measured on: a simulated catalog of any size, or a data folder with a live release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import xgboost

from app.feature_pipeline import FeaturePlaces
from app.model_training import topic_parents
from app.wiring import platform
from core.errors import InputError
from core.settings import Settings
from database.migrate import refuse_pending
from feature_repo.services import RANKING, definitions
from feature_repo.sources import COURSE_POPULARITY, COURSE_PROFILE, LEARNER_ACTIVITY, TIMESTAMP
from feature_repo.store import open_store
from features import course, learner
from features.histories import DAY, Floats
from features.interactions import NEIGHBORS, Integers, Sparse
from features.similarity import MATRICES, Similarities, membership
from features.towers import Towers
from features.towers_fitting import FACTORS
from features.vector import VectorLayout
from serving.artifact import Release, ReleaseManifest
from serving.course_matrix import CourseMatrix, CourseMatrixHolder
from serving.ensembles import Ensemble
from serving.online import OnlineReader
from serving.ranker import Question, RankingModel, align
from serving.releases import ReleaseHolder
from serving.served import ServedFeatures
from training.dataset import Dataset
from training.fit import ROUNDS
from training.history import LearningHistory, load_history
from training.network_fitting import FEWEST_DECISIONS, fit_network

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LENGTH, SHOWN = 20, 20
TOPICS, PARENTS, SKILLS = 143, 12, 3_000
SERVICE_LAYOUT = VectorLayout.of(
    list(learner.LEARNER_FEATURES), [*course.POPULARITY_FEATURES, *course.PROFILE_FEATURES]
)


@dataclass(frozen=True)
class RankingWorld:
    """What is measured.

    Attributes:
        title: what tables call it.
        model: a release over a catalog.
        questions: of learners with 20 courses each, for 20 courses.
        store: the feature store that holds the courses' features; None where none does.
        history: the log that all learners are scored from; None where there is none.
        learners: ids that the store has features of.
    """

    title: str
    model: RankingModel
    questions: list[Question]
    store: Any = None
    history: LearningHistory | None = None
    learners: Sequence[int] = range(1, 201)


def simulated(courses: int, *, learners: int = 200, rounds: int = ROUNDS, seed: int = 7) -> RankingWorld:
    """Return a catalog as dense as the real one: 200 neighbors a row in every similarity, titles of six words."""
    rng = np.random.default_rng(seed)
    matrix = _matrix(courses, rng)
    release = Release(
        manifest=_manifest(),
        layout=SERVICE_LAYOUT,
        ensemble=_ensemble(rounds, rng),
        course_ids=matrix.course_ids,
        similarities=Similarities(
            **dict(zip(MATRICES, _neighbors(courses, rng), strict=True)), towers=_towers(courses, rng)
        ),
    )
    parents = {topic: TOPICS + topic % PARENTS for topic in range(TOPICS)}
    model = align(release, matrix, parents)
    now = int(NOW.timestamp() * 1e6)
    # Learners take neighbors of each other's courses, as they do.
    taken = [
        np.unique((rng.integers(courses) + (rng.random(40) ** 4 * courses / 8).astype(np.int64)) % courses)[:LENGTH]
        for _ in range(learners)
    ]
    ages = np.arange(1, LENGTH + 1) * DAY
    questions = [question(model, rng.permutation(each), now - ages[: len(each)], now) for each in taken]
    return RankingWorld(f"{courses:,} simulated courses", model, questions)


@asynccontextmanager
async def real(data_dir: Path) -> AsyncIterator[RankingWorld]:
    """Open a data folder that has features and a live release.

    Raises:
        InputError: it has none, or no learner has twenty courses.
    """
    async with platform(Settings(data_dir=data_dir)) as parts:
        await refuse_pending(parts.database)
        if parts.redis_url is None:
            raise InputError("Recommendations are off.")
        places = FeaturePlaces(parts.data_dir, parts.redis_url)
        store = places.store()
        releases = ReleaseHolder(parts.database, parts.models_dir)
        matrices = CourseMatrixHolder(parts.database, store, RANKING)
        await releases.refresh_if_newer()
        await matrices.refresh_if_newer()
        if releases.current is None or matrices.current is None:
            raise InputError(f"{data_dir} has no live release: train one with `waymark model train`.")
        parents = await topic_parents(parts.database)
        model = align(releases.current, matrices.current, parents)
        history = await asyncio.to_thread(load_history, places.lake, parents)
        title = f"{len(matrices.current):,} courses of {data_dir.name}"
        learners = history.learner_ids[np.diff(history.learner_offsets) >= LENGTH].tolist()
        yield RankingWorld(title, model, _questions(model, history), store, history, learners)


def question(model: RankingModel, courses: Integers, moments: Integers, now: int) -> Question:
    """Return what a learner asks who took the courses at these positions, newest first."""
    return Question(
        now=now,
        history=model.traits.course_ids[courses].tolist(),
        moments=moments,
        hidden=(),
        learner=dict.fromkeys(model.release.layout.learner, 1.0),
        limit=SHOWN,
        allowed=None,
        goals=(),
        readable=np.ones(len(model.traits), np.bool_),
        explained=0,
    )


def filled_store(folder: Path, redis_url: str, model: RankingModel) -> Any:
    """Return a feature store that holds the features of a simulated catalog's courses online, and of learners."""
    store = open_store(folder, redis_url, "bench")
    store.apply(definitions(folder))
    frame = pd.DataFrame(model.features, columns=list(model.release.layout.course))
    frame[course.ENTITY], frame[TIMESTAMP] = model.traits.course_ids, pd.Timestamp(NOW)
    for view, features in ((COURSE_POPULARITY, course.POPULARITY_FEATURES), (COURSE_PROFILE, course.PROFILE_FEATURES)):
        kinds = {name: kind for name, (kind, _) in features.items()}
        store.write_to_online_store(view, frame[[course.ENTITY, TIMESTAMP, *features]].astype(kinds))
    learners = pd.DataFrame({learner.ENTITY: RankingWorld.learners, TIMESTAMP: pd.Timestamp(NOW)})
    kinds = {name: kind for name, (kind, _) in learner.LEARNER_FEATURES.items()}
    store.write_to_online_store(LEARNER_ACTIVITY, learners.assign(**dict.fromkeys(kinds, 1)).astype(kinds))
    return store


def _questions(model: RankingModel, history: LearningHistory) -> list[Question]:
    now = int(history.interactions.moments.max()) + 1
    # The courses of the log are those of the catalog.
    if history.traits.course_ids.tolist() != model.traits.course_ids.tolist():
        raise InputError("The lake and the course matrix hold different courses: `waymark features materialize`.")
    many = np.flatnonzero(np.diff(history.learner_offsets) >= LENGTH)
    histories = history.before(many, np.full(len(many), now))
    found = [
        question(model, each.courses[:LENGTH], each.moments[:LENGTH], now)
        for each in histories
        if len(each.courses) >= LENGTH
    ]
    if not found:
        raise InputError(f"No learner has {LENGTH} courses.")
    return found


def _manifest() -> ReleaseManifest:
    layout = SERVICE_LAYOUT
    return ReleaseManifest(
        version="simulated",
        created_at=NOW,
        feature_service=RANKING,
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


def _ensemble(rounds: int, rng: np.random.Generator) -> Ensemble:
    """Return a ranker of the size that releases have: how long it takes does not depend on what it says."""
    names = list(SERVICE_LAYOUT.names)
    values = rng.random((20 * FEWEST_DECISIONS, len(names)), np.float32)
    said = values[:, 0] + values[:, 30] * values[:, 40] + rng.random(len(values))
    taken = said == np.repeat(said.reshape(-1, 20).max(axis=1), 20)
    data = xgboost.DMatrix(values, taken.astype(np.float32), feature_names=names, nthread=1)
    fitted = xgboost.train({"max_depth": 4, "eta": 0.1, "nthread": 1, "verbosity": 0}, data, rounds)
    booster = xgboost.Booster({"nthread": 1}, model_file=fitted.save_raw("ubj"))
    # A third of the columns have gaps in the real log.
    values[::50, ::3] = np.nan
    dataset = Dataset(values, taken, np.arange(len(values)) // 20, FEWEST_DECISIONS, 1.0)
    return Ensemble(booster, fit_network(dataset, said.astype(np.float32), seed=1))


def _matrix(courses: int, rng: np.random.Generator) -> CourseMatrix:
    popularity = np.floor(200 / (1 + rng.permutation(courses)) ** 0.6 + rng.random(courses) * 1.5 - 0.8)
    features = rng.integers(0, 50, (courses, len(SERVICE_LAYOUT.course))).astype(np.float32)
    features[:, SERVICE_LAYOUT.course.index("course_enrollments_30d")] = np.maximum(popularity, 0)
    features[:, SERVICE_LAYOUT.course.index("course_first_enrolled_at")] = NOW.timestamp() - 86_400 * 300
    # Words as frequent as in real titles: the most frequent one is in a tenth of them.
    likely = 1.0 / (np.arange(courses) + 9)
    words = rng.choice(courses, (courses, 6), p=likely / likely.sum())
    topics = np.arange(courses) * TOPICS // courses
    return CourseMatrix(
        course_ids=np.arange(1, courses + 1, dtype=np.int64),
        names=SERVICE_LAYOUT.course,
        features=features,
        features_as_of=NOW,
        topics=membership([[int(topic)] for topic in topics], np.arange(TOPICS)),
        topic_ids=np.arange(TOPICS),
        skills=membership(rng.integers(0, SKILLS, (courses, 2)).tolist(), np.arange(SKILLS)),
        skill_ids=np.arange(SKILLS),
        titles=tuple(" ".join(map(str, each)) for each in words.tolist()),
        prerequisites=membership([[]] * courses, np.arange(courses)),
        level_codes=rng.integers(1, 5, courses),
        language_codes=rng.integers(0, 4, courses),
        languages=("de", "en", "es", "pt"),
        published=np.ones(courses, np.bool_),
    )


def _neighbors(courses: int, rng: np.random.Generator) -> Iterator[Sparse]:
    """Yield seven float32[n, n] with 200 entries in each row; those near the diagonal are strong in all of them."""
    count, patterns = min(NEIGHBORS, courses - 1), 64
    rows, ends = np.arange(courses), np.arange(courses + 1, dtype=np.int32) * count
    for _ in range(7):
        steps = np.stack([_distinct(courses, count, rng) for _ in range(patterns)])[rows % patterns]
        columns = ((rows[:, None] + steps) % courses).astype(np.int32)
        values = (rng.random(steps.shape, np.float32) + 0.5) / (1 + steps.astype(np.float32)) ** 0.5
        yield sp.csr_array((values.ravel(), columns.ravel(), ends), shape=(courses, courses))


def _towers(courses: int, rng: np.random.Generator) -> Towers:
    read, offered = rng.normal(0, 0.3, (2, courses, FACTORS)).astype(np.float32)
    return Towers(read, offered, np.zeros(courses, np.float32))


def _distinct(courses: int, count: int, rng: np.random.Generator) -> Integers:
    """Return different steps below the number of courses, mostly short ones."""
    likely = 1.0 / np.arange(1, courses)
    return rng.choice(np.arange(1, courses), count, replace=False, p=likely / likely.sum())


def features_of(world: RankingWorld, positions: Integers) -> Iterator[Floats]:
    """Yield what the online store has of courses, and what the model has, in the order of the layout."""
    names, ids = world.model.release.layout.course, world.model.traits.course_ids[positions]
    answer = read_courses(world.store, ids.tolist())
    yield np.array([answer[name] for name in names], np.float32).T
    yield world.model.features[positions]


def read_courses(store: Any, ids: list[int]) -> dict[str, list[Any]]:
    """Read courses as Feast's manual shows it, with references that were looked up before."""
    views = ((COURSE_POPULARITY, course.POPULARITY_FEATURES), (COURSE_PROFILE, course.PROFILE_FEATURES))
    references = [f"{view}:{name}" for view, features in views for name in features]
    found: dict[str, list[Any]] = store.get_online_features(
        features=references, entity_rows=[{course.ENTITY: each} for each in ids]
    ).to_dict()
    return found


def learner_reader(store: Any) -> OnlineReader:
    """Return what reads learners, as each request does."""
    reader = OnlineReader(ServedFeatures(store, RANKING), "learner")
    reader.refresh()
    return reader
