"""A view that is only declared in feature_repo is materialized, trained on, served, and missed without harm."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import mmh3
import numpy as np
import pandas as pd
import pytest
import pytest_asyncio
import redis

from app.feature_pipeline import FeaturePlaces, Materialization, materialize, quiet
from app.model_training import TrainingData, topic_parents, train_model
from app.releases import promote
from core.clock import ManualClock
from core.settings import RankingSettings
from database.queries.history import HISTORY
from database.queries.materializations import announce
from database.session import Database
from feature_repo.services import RANKING
from features.columns import FeatureKind
from serving.course_matrix import CourseMatrixHolder
from serving.engine import RankingEngine
from serving.learner_features import LearnerFeatures
from serving.recommender import RecommendationRequest, Recommender, Strategy
from serving.releases import ReleaseHolder
from serving.served import ServedFeatures
from tests.added_features import LEARNER_VIEW, SERVICE, VIEW, days_before, declared, pupils, rewrite, signals
from tests.integration.test_app_model_commands import EVENTS, LEARNERS, fill
from training.history import load_history
from training.pointintime import FeastFeatures
from training.release import TrainingOptions

COURSES = [(number + 1) * 10 for number in range(60)]
COLUMNS = ["course_embedding_0", "course_embedding_1", "course_embedding_2", "course_format", "course_rating"]


@dataclass
class Added:
    """The simulated platform with signals of its courses, materialized at the end of its log."""

    database: Database
    places: FeaturePlaces
    clock: ManualClock
    releases: ReleaseHolder
    file: Path
    table: Path

    async def materialize(self) -> Materialization:
        """Materialize as of now."""
        return await materialize(self.database, self.places, self.clock)

    async def train(self, service: str) -> str:
        """Train a release that reads a service, and make it live."""
        history = load_history(self.places.lake, await topic_parents(self.database))
        features = FeastFeatures(self.places.store(), service)
        data = TrainingData(history, features, service, "f1", features.stored)
        options = TrainingOptions(threads=1, rounds=20)
        folder = self.places.data_dir / "models"
        outcome = await train_model(self.database, folder, data, clock=self.clock, options=options, report=quiet)
        if not outcome.live:
            await promote(self.database, folder, outcome.version, force=True, reason="A test.", now=self.clock())
        return outcome.version

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[RankingEngine, ServedFeatures]]:
        """Open an engine as the server does."""
        store = self.places.store()
        served = ServedFeatures(
            store,
            RANKING,
            lambda: (self.releases.current.manifest,) if self.releases.current else (),
            self.clock,
        )
        learners = LearnerFeatures(store, RANKING, served)
        matrices = CourseMatrixHolder(self.database, store, RANKING, served)
        engine = RankingEngine(self.database, self.releases, matrices, learners, RankingSettings(stale_after=1e9))
        await engine.refresh()
        try:
            yield engine, served
        finally:
            engine.close()
            learners.close()

    async def vectors(self, engine: RankingEngine) -> pd.DataFrame:
        """Return what learner 7's courses are ranked by, a row a course; a list is answered by the model too."""
        request = RecommendationRequest(learner_id=7, now=self.clock(), limit=5)
        async with self.database.reader() as reader:
            ranked = await Recommender(engine, 10.0).recommend(reader, request)
            assert (Strategy.MODEL, engine.version) == (ranked.strategy, ranked.model_version)
            history = await reader.fetch(HISTORY, learner_id=7)
        found = await engine.vectors(request, history, None, COURSES)
        rows = np.array(list(found.rows.values()), np.float32)
        return pd.DataFrame(rows, index=list(found.rows), columns=list(found.names))


@pytest_asyncio.fixture
async def added(database: Database, tmp_path: Path, valkey_url: str, clock: ManualClock) -> AsyncIterator[Added]:
    """Signals of every course of the simulated platform, from before its first event to a day before now."""
    await fill(database)
    clock.now = EVENTS["occurred_at"].max().to_pydatetime() + timedelta(days=1)
    table = tmp_path / "signals.parquet"
    frame = signals(COURSES, days_before(clock(), 1, 60, 120, 700))
    frame.loc[[1, 2], "course_rating"] = [np.inf, -np.inf]
    frame.to_parquet(table, index=False)
    pupils(list(range(1, LEARNERS + 1)), clock() - timedelta(days=700)).to_parquet(tmp_path / "pupils.parquet")
    places = FeaturePlaces(tmp_path, f"redis://{urlsplit(valkey_url).netloc}/12", project=f"test_{tmp_path.name}")
    with declared(tmp_path / "declared") as file:
        yield Added(database, places, clock, ReleaseHolder(database, tmp_path / "models"), file, table)


async def test_numbers_categories_and_embeddings_are_trained_on_served_alike_and_missed_without_harm(
    added: Added, caplog: pytest.LogCaptureFixture
) -> None:
    """Online is what the point-in-time join finds; a view that is changed, emptied, stale or gone becomes defaults."""
    done = await added.materialize()
    assert {} == done.failures
    assert len(COURSES) == done.row_counts[VIEW]
    version = await added.train(SERVICE)
    async with added.serving() as (engine, served):
        assert version == engine.version
        await equal_ways(added, engine)
        assert {} == served.lost == engine.degraded
        await a_renamed_column(added, engine, served, caplog)
        await a_dropped_table(added, engine)
        await a_stale_view(added, engine, served)
        await a_view_that_is_gone(added, engine, served)


async def equal_ways(added: Added, engine: RankingEngine) -> None:
    """Every feature of the service is served as training asks for it, and the vector holds it."""
    features = FeastFeatures(added.places.store(), SERVICE)
    moment = np.array([int(added.clock().timestamp() * 1e6)])
    # Values of courses last changed at a midnight, so that the day's beginning and now are the same.
    offline = features.read_courses(np.array(COURSES), np.repeat(moment, len(COURSES)))
    matrix = engine._matrices.current
    assert matrix is not None
    assert set(COLUMNS) <= set(features.layout.course)
    online = matrix.features[:, [matrix.names.index(name) for name in features.layout.course]]
    np.testing.assert_array_equal(offline, online)
    learner = await engine._learner_features.read(7)
    (expected,) = features.read_learners(np.array([7]), moment)
    assert {"learner_device", "learner_joined_at"} <= set(features.layout.learner)
    assert "learner_joined_days_ago" in features.layout.names
    np.testing.assert_allclose(expected, [learner[name] for name in features.layout.learner])
    manifest = engine._releases.current.manifest  # type: ignore[union-attr]  # It is live.
    vectors = await added.vectors(engine)
    newest = pd.read_parquet(added.table).query("event_timestamp == event_timestamp.max()").set_index("course_id")
    codes = newest["course_format"].map({"VIDEO": 0.0, "TEXT": 1.0}).loc[vectors.index]
    assert 2 < int(codes.isna().sum()) < len(codes)
    assert "course_format" not in manifest.defaults
    np.testing.assert_array_equal(codes, vectors["course_format"])
    # Training saw a rating of every course, so that one without is read as the median; infinite is without.
    known = newest["course_rating"].replace([np.inf, -np.inf], np.nan)
    ratings = known.fillna(manifest.defaults["course_rating"]).loc[vectors.index]
    assert (1, 3) == (int(newest["course_rating"].isna().sum()), int(known.isna().sum()))
    np.testing.assert_array_equal(ratings.astype(np.float32), vectors["course_rating"])
    stored = {each.name: each for each in manifest.stored_features}
    assert (FeatureKind.EMBEDDING, 3) == (stored["course_embedding"].kind, stored["course_embedding"].width)
    assert ("VIDEO", "TEXT") == stored["course_format"].categories


def are_defaults(added: Added, vectors: pd.DataFrame, columns: list[str]) -> bool:
    """Say whether columns hold what the release recorded, or nothing where training saw gaps."""
    defaults = added.releases.current.manifest.defaults  # type: ignore[union-attr]  # It is live.
    expected = np.array([defaults.get(name, np.nan) for name in columns], np.float32)
    return bool(
        np.array_equal(np.tile(expected, (len(vectors), 1)), vectors[columns].to_numpy(np.float32), equal_nan=True)
    )


async def a_renamed_column(
    added: Added, engine: RankingEngine, served: ServedFeatures, caplog: pytest.LogCaptureFixture
) -> None:
    """A table whose column was renamed is not materialized; declared by its new name, the old one is a default."""
    good = pd.read_parquet(added.table)
    good.rename(columns={"course_rating": "course_stars"}).to_parquet(added.table, index=False)
    broken = await added.materialize()
    assert [VIEW] == list(broken.failures)
    assert "course_rating" in broken.failures[VIEW]
    await engine.refresh()
    assert not are_defaults(added, await added.vectors(engine), ["course_rating"])
    text = added.file.read_text(encoding="utf-8")
    rewrite(added.file, text.replace('"course_rating"', '"course_stars"'))
    assert {} == (await added.materialize()).failures
    with caplog.at_level(logging.WARNING):
        await engine.refresh()
    assert "course_signals does not declare course_rating any more" in caplog.text
    assert [VIEW] == list(engine.degraded)
    vectors = await added.vectors(engine)
    assert are_defaults(added, vectors, ["course_rating"])
    assert not are_defaults(added, vectors, COLUMNS[:3])
    rewrite(added.file, text)
    good.to_parquet(added.table, index=False)
    assert {} == (await added.materialize()).failures
    await engine.refresh()
    assert {} == served.lost


async def a_dropped_table(added: Added, engine: RankingEngine) -> None:
    """Values that vanished from the online store are defaults, of this view and no other."""
    with redis.Redis.from_url(added.places.redis_url) as client:
        for key in client.scan_iter(match=f"*{added.places.project}"):
            fields = [each for each in client.hkeys(key) if each == f"_ts:{VIEW}".encode()]
            hashed = [_field_key(name) for name in ("course_rating", "course_format", "course_embedding")]
            client.hdel(key, *fields, *hashed)
    # Another materialization is announced, as by a run of another machine.
    async with added.database.transaction() as connection:
        await announce(connection, features_as_of=added.clock(), finished_at=added.clock(), row_counts={})
    await engine.refresh()
    vectors = await added.vectors(engine)
    assert are_defaults(added, vectors, COLUMNS)
    assert not vectors["course_level_code"].isna().any()
    await added.materialize()
    await engine.refresh()
    assert not are_defaults(added, await added.vectors(engine), ["course_rating"])


async def a_stale_view(added: Added, engine: RankingEngine, served: ServedFeatures) -> None:
    """A view that is older than it declares is not served and not written, and everything else is."""
    added.clock.now += timedelta(days=3)
    await engine.refresh()
    assert "older than it declares" in served.lost[VIEW]
    assert are_defaults(added, await added.vectors(engine), COLUMNS)
    stale = await added.materialize()
    assert "declares to be 2 days" in stale.failures[VIEW]
    assert len(COURSES) == stale.row_counts["course_profile"]
    frame = pd.read_parquet(added.table)
    frame["event_timestamp"] += timedelta(days=3)
    frame.to_parquet(added.table, index=False)
    await added.materialize()
    await engine.refresh()
    assert {} == served.lost


async def a_view_that_is_gone(added: Added, engine: RankingEngine, served: ServedFeatures) -> None:
    """A view that is not declared any more leaves registry and store, and its release goes on with defaults."""
    rewrite(added.file, "")
    await added.materialize()
    await engine.refresh()
    assert dict.fromkeys((LEARNER_VIEW, VIEW), "is not declared") == served.lost
    assert are_defaults(added, await added.vectors(engine), COLUMNS)


def _field_key(name: str) -> bytes:
    return mmh3.hash(f"{VIEW}:{name}".encode(), signed=False).to_bytes(4, "little")
