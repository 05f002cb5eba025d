"""What serving reads of the online store: one learner, and the matrix of all courses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
import redis
from sqlalchemy import update

from app.embedded import embedded_valkey
from app.feature_pipeline import FeaturePlaces, materialize
from core.clock import ManualClock
from core.errors import UnavailableError
from database.session import Database
from database.tables.courses import courses as course_table
from feature_repo.services import RANKING
from feature_repo.store import open_store
from features.columns import Owner
from features.course import POPULARITY_FEATURES, PROFILE_FEATURES
from features.learner import LEARNER_FEATURES
from serving.course_matrix import CourseMatrixHolder
from serving.learner_features import TIMEOUT, LearnerFeatures
from serving.online import OnlineReader
from serving.served import ServedFeatures
from tests.event_logs import Course, Event, random_courses, random_events
from tests.platforms import write_courses, write_events

COURSES = [
    Course(1, (0, 1), "BEGINNER", 60),
    Course(2, (1,), "INTERMEDIATE", 0),
    Course(3, (), "ADVANCED", 90),
    Course(30, (5,), "ALL_LEVELS", 10),
]


@pytest.fixture
def places(tmp_path: Path, valkey_url: str) -> FeaturePlaces:
    """A data folder and a corner of Valkey of this test's own."""
    return FeaturePlaces(tmp_path, valkey_url, project=f"test_{uuid4().hex}")


@pytest_asyncio.fixture
async def materialized(database: Database, clock: ManualClock, places: FeaturePlaces) -> AsyncIterator[FeaturePlaces]:
    """Four courses; learner 7 took 1 and then 2 in the last ten days."""
    await write_courses(database, COURSES)
    await write_events(
        database,
        [
            Event(1, "enrolled", 7, 1, clock() - timedelta(days=10)),
            Event(2, "enrolled", 7, 2, clock() - timedelta(days=5)),
        ],
    )
    await materialize(database, places, clock)
    yield places


def learner_features(places: FeaturePlaces, timeout: float = TIMEOUT) -> LearnerFeatures:
    """Return a reader with the timeout of serving."""
    return LearnerFeatures(open_store(places.data_dir, places.redis_url, places.project, timeout=timeout), RANKING)


def holder(database: Database, places: FeaturePlaces) -> CourseMatrixHolder:
    """Return a holder of the places' course matrix."""
    return CourseMatrixHolder(database, open_store(places.data_dir, places.redis_url, places.project), RANKING)


async def test_a_learner_is_read_by_name(clock: ManualClock, materialized: FeaturePlaces) -> None:
    """All learner features of the service are there, with the moment of the learner's last event."""
    reader = learner_features(materialized)
    vector = await reader.read(7)
    reader.close()
    assert sorted(LEARNER_FEATURES) == sorted(vector)
    assert (2, 2, 5.0, 0.5, 60.0) == (
        vector["learner_enrollment_count"],
        vector["learner_topic_count"],
        vector["learner_mean_gap_days"],
        vector["learner_beginner_share"],
        vector["learner_mean_duration"],
    )
    assert clock() - timedelta(days=5) == vector.updated_at
    assert len(LEARNER_FEATURES) == len(vector)


@pytest.mark.parametrize("owner", ["learner", "course"])
async def test_what_is_read_is_what_feast_answers(materialized: FeaturePlaces, owner: Owner) -> None:
    """Values and moments are those of `get_online_features`, of who is not known too."""
    store, ids = open_store(materialized.data_dir, materialized.redis_url, materialized.project), [7, 1, 2, 3, 30, 8]
    served = ServedFeatures(store, RANKING)
    names, features, *_ = served.reading.of(owner)
    response = store.get_online_features(
        features=[each.reference for each in features], entity_rows={f"{owner}_id": ids}
    ).to_dict(include_event_timestamps=True)
    found = OnlineReader(served, owner).read(ids)
    assert sorted(each.name for each in features) == list(names) == list(found.names)
    np.testing.assert_array_equal(np.array([response[name] for name in names], np.float64).T, found.values)
    assert np.isfinite(found.values).any()
    moments = np.array([response[f"{name}__ts"] for name in names])
    np.testing.assert_array_equal(moments.max(axis=0), found.moments)
    assert found.moments.min() == 0 < found.moments.max()


async def test_a_learner_without_features_is_all_missing(materialized: FeaturePlaces) -> None:
    """A learner that the store has never seen has NaN everywhere, not zeros and not 1970."""
    vector = await learner_features(materialized).read(8)
    assert vector.updated_at is None
    assert all(np.isnan(value) for value in vector.values())
    assert sorted(LEARNER_FEATURES) == sorted(vector)


async def test_features_that_are_not_declared_are_unavailable(places: FeaturePlaces) -> None:
    """Before the first `apply` a read is an outage of features, which serving falls back from."""
    reader = learner_features(places)
    with pytest.raises(UnavailableError, match=RANKING):
        await reader.read(7)
    with pytest.raises(UnavailableError, match=RANKING):
        await reader.refresh()


async def test_a_reader_that_was_early_works_once_features_are_declared(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """A server that started before the first materialization needs no restart."""
    reader = learner_features(places)
    with pytest.raises(UnavailableError):
        await reader.read(7)
    await write_courses(database, random_courses(5, seed=1))
    await write_events(database, random_events(8, 5, seed=1))
    await materialize(database, places, clock)
    assert 1 <= (await reader.read(7))["learner_active_days"]


async def test_a_stopped_store_is_unavailable(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """When Valkey stops, a read fails as unavailable."""
    with embedded_valkey(tmp_path / "valkey") as url:
        places = FeaturePlaces(tmp_path / "data", url)
        await write_courses(database, COURSES)
        await materialize(database, places, clock)
        reader, matrices = learner_features(places), holder(database, places)
        assert (await reader.read(7)).updated_at is None
    with pytest.raises(UnavailableError, match="online store"):
        await reader.read(7)
    with pytest.raises(UnavailableError, match="online store"):
        await matrices.refresh_if_newer()
    assert matrices.current is None


async def test_a_store_that_never_answers_is_unavailable(materialized: FeaturePlaces) -> None:
    """A server that accepts and stays silent costs the timeout, not a retry after a retry."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        reader = learner_features(FeaturePlaces(materialized.data_dir, url, materialized.project), timeout=0.01)
        with pytest.raises(UnavailableError, match="online store"):
            await reader.read(7)


async def test_a_closed_connection_costs_nobody_their_features(materialized: FeaturePlaces) -> None:
    """A connection that the server has closed meanwhile is opened again by the next read, which does not fail."""
    reader = learner_features(materialized)
    before = await reader.read(7)
    with redis.Redis.from_url(materialized.redis_url) as client:
        for each in client.client_list():
            if each["id"] != str(client.client_id()):
                client.client_kill_filter(_id=each["id"])
    assert before == await reader.read(7)
    reader.close()


@asynccontextmanager
async def relayed(url: str, gate: asyncio.Event) -> AsyncIterator[str]:
    """Yield the URL of a relay to Valkey that holds answers back while the gate is closed."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, passes: asyncio.Event | None) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if passes is not None:
                    await passes.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    async def connected(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        answers, asked = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(pump(source, asked, None), pump(answers, sink, gate))

    parts = urlsplit(url)
    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield url.replace(f":{parts.port}", f":{server.sockets[0].getsockname()[1]}")


async def test_a_late_answer_is_nobody_elses(materialized: FeaturePlaces) -> None:
    """After reads that ran out of time, or were given up, the next learner is not given what was asked for before."""
    gate = asyncio.Event()
    gate.set()
    async with relayed(materialized.redis_url, gate) as url:
        reader = learner_features(FeaturePlaces(materialized.data_dir, url, materialized.project), timeout=1.0)
        known = await reader.read(7)
        gate.clear()
        given_up = asyncio.create_task(reader.read(7))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(UnavailableError, match="online store"):
            await reader.read(7)
        gate.set()
        found = [(await reader.read(each)).updated_at for each in (8, 7)]
        reader.close()
    assert [None, known.updated_at] == found
    assert known.updated_at is not None


async def test_a_store_that_leaves_out_entities_is_unavailable(materialized: FeaturePlaces) -> None:
    """Without an online store Feast answers with nothing at all, which is an outage and no learner without features."""
    store = open_store(materialized.data_dir, materialized.redis_url, materialized.project)
    store.config.online_config = store.config._online_store = None
    reader = LearnerFeatures(store, RANKING)
    with pytest.raises(UnavailableError, match="0 of 1 entities"):
        await reader.read(7)
    reader.close()


async def test_the_matrix_describes_every_course(
    database: Database, clock: ManualClock, materialized: FeaturePlaces
) -> None:
    """Features by name, memberships, codes and prerequisites are in the order of the sorted course ids."""
    async with database.transaction() as connection:
        await connection.execute(update(course_table).where(course_table.c.id == 3).values(status="ARCHIVED"))
    matrices = holder(database, materialized)
    before = matrices.current
    assert await matrices.refresh_if_newer()
    matrix = matrices.current
    assert before is None
    assert matrix is not None
    assert [1, 2, 3, 30] == matrix.course_ids.tolist()
    assert sorted([*POPULARITY_FEATURES, *PROFILE_FEATURES]) == list(matrix.names)
    assert np.float32 == matrix.features.dtype
    columns = {name: matrix.features[:, place] for place, name in enumerate(matrix.names)}
    np.testing.assert_array_equal([0, 1, np.nan, np.nan], columns["course_enrollments_7d"])
    np.testing.assert_array_equal([1, 1, np.nan, np.nan], columns["course_enrollments_30d"])
    np.testing.assert_array_equal([60, np.nan, 90, 10], columns["course_duration_minutes"])
    assert clock() == matrix.features_as_of
    assert [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]] == matrix.topics.toarray().tolist()
    assert [1, 2, 6] == matrix.topic_ids.tolist()
    assert [[1], [1], [0], [0]] == matrix.skills.toarray().tolist()
    assert [[0, 0, 0, 0], [1, 0, 0, 0], [0] * 4, [0] * 4] == matrix.prerequisites.toarray().tolist()
    assert [1, 2, 3, 4] == matrix.level_codes.tolist()
    assert ["en", "en", "es", "es"] == [matrix.languages[code] for code in matrix.language_codes]
    assert [True, True, False, True] == matrix.published.tolist()
    assert [3, -1, 0, -1] == matrix.positions([30, 31, 1, 0]).tolist()


async def test_a_store_that_lost_its_features_is_unavailable(database: Database, materialized: FeaturePlaces) -> None:
    """An online store that was emptied is told from one whose courses have no features yet; the old matrix stays."""
    with redis.Redis.from_url(materialized.redis_url) as client:
        keys = list(client.scan_iter(match=f"*{materialized.project}"))
        client.delete(*keys)
    matrices = holder(database, materialized)
    with pytest.raises(UnavailableError, match="waymark features materialize"):
        await matrices.refresh_if_newer()
    assert matrices.current is None
    assert 5 == len(keys)


async def test_the_matrix_is_swapped_after_a_materialization_only(
    database: Database, clock: ManualClock, materialized: FeaturePlaces
) -> None:
    """Looking again costs one statement; a new materialization brings a new matrix, and the old one stays whole."""
    matrices = holder(database, materialized)
    await matrices.refresh_if_newer()
    before = matrices.current
    assert not await matrices.refresh_if_newer()
    assert before is matrices.current
    await write_events(database, [Event(3, "enrolled", 8, 30, clock())])
    clock.now += timedelta(days=1)
    await materialize(database, materialized, clock)
    assert await matrices.refresh_if_newer()
    after = matrices.current
    assert before is not None
    assert after is not None
    place = after.names.index("course_enrollments_total")
    assert (True, 1.0) == (bool(np.isnan(before.features[3, place])), float(after.features[3, place]))


async def test_a_platform_without_courses_has_an_empty_matrix(
    database: Database, clock: ManualClock, places: FeaturePlaces
) -> None:
    """Zero rows, and all names."""
    matrices = holder(database, places)
    assert not await matrices.refresh_if_newer()
    await materialize(database, places, clock)
    assert await matrices.refresh_if_newer()
    matrix = matrices.current
    assert matrix is not None
    assert (0, 11) == matrix.features.shape
    assert 0 == len(matrix)
    assert [-1] == matrix.positions([1]).tolist()
