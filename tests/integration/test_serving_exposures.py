"""What was shown is logged with what it was ranked by: once, for a share of the lists, and nobody waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import delete, select

from core.clock import ManualClock
from core.errors import UnavailableError
from core.ids import time_ordered_uuid
from database.queries.events import NewEvent, insert_many
from database.session import Database
from database.tables.enrollments import enrollments
from database.tables.events import EventKind, events
from database.tables.learners import learners
from database.tables.recommendations import RecommendationSurface
from serving.exposures import Exposures
from serving.rankings import ListPage, RankedCourse, RecommendationRequest, Strategy
from serving.recommender import Recommender
from tests.ruled_platform import ShuffledModel, write_platform
from training.exposures import load_exposures
from warehouse.export import export
from warehouse.lake import Lake

_HISTORY: Any = [None]


@pytest_asyncio.fixture
async def platform(database: Database) -> Database:
    """The platform with sequences."""
    await write_platform(database)
    return database


async def logged(database: Database) -> list[Any]:
    """Return the events of what was shown, in the order of the places."""
    async with database.transaction() as connection:
        rows = await connection.execute(select(events).where(events.c.kind == "recommendation_ranked"))
        return sorted(rows.all(), key=lambda row: row.payload["rank"])


def shown(list_id: UUID, version: str = "v1") -> ListPage:
    """Return a page of two places."""
    return ListPage(
        list_id=list_id,
        kept=True,
        start=0,
        courses=((1, RankedCourse(9, 2.0, ())), (2, RankedCourse(13, 1.0, ()))),
        end=2,
        more=False,
        strategy=Strategy.MODEL,
        model_version=version,
    )


async def test_page_of_the_model_is_logged_with_its_features(platform: Database, clock: ManualClock) -> None:
    """Place, score, surface, release and features, under the id of the list; what is not known is null."""
    exposures = Exposures(platform, 1.0)
    recommender = Recommender(ShuffledModel(), 10.0, exposures=exposures)
    request = RecommendationRequest(1, clock(), 3, surface=RecommendationSurface.HOME)
    async with platform.reader() as reader:
        page = await recommender.page(reader, request, 0)
    await exposures.settled()
    rows = await logged(platform)
    assert [course.course_id for _, course in page.courses] == [row.course_id for row in rows]
    assert [1, 2, 3] == [row.payload["rank"] for row in rows]
    assert {(page.list_id, 1, clock())} == {(row.recommendation_id, row.learner_id, row.occurred_at) for row in rows}
    assert {"course": float(rows[0].course_id), "unknown": None} == rows[0].payload["features"]
    assert ("v1", "HOME", False) == tuple(rows[0].payload[name] for name in ("model", "surface", "explored"))
    assert 3 == exposures.logged


async def test_training_reads_what_was_logged_and_what_came_of_it(
    platform: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """From a page and an enrollment that names it, through the lake, to a place with its vector and its outcome."""
    exposures = Exposures(platform, 1.0)
    request = RecommendationRequest(1, clock(), 3)
    async with platform.reader() as reader:
        page = await Recommender(ShuffledModel(), 10.0, exposures=exposures).page(reader, request, 0)
    await exposures.settled()
    _, second = page.courses[1]
    enrolled = NewEvent(EventKind.ENROLLED, 1, second.course_id, clock(), {}, page.list_id)
    async with platform.transaction() as connection:
        await insert_many(connection, [enrolled], clock())
    lake = Lake(tmp_path / "lake")
    await export(platform, lake, clock)
    found = load_exposures(lake, ("course", "unknown"), frozenset({"v1"}))
    assert [1, 2, 3] == found.places.tolist()
    assert [False, True, False] == found.chosen.tolist()
    courses = [course.course_id for _, course in page.courses]
    assert courses == found.course_ids.tolist() == found.vectors[found.rows, 0].tolist()
    assert np.isnan(found.vectors[:, 1]).all()


async def test_what_popularity_shows_is_not_logged(platform: Database, clock: ManualClock) -> None:
    """There are no features that it was ranked by."""
    exposures = Exposures(platform, 1.0)
    async with platform.reader() as reader:
        await Recommender(None, 10.0, exposures=exposures).page(reader, RecommendationRequest(1, clock(), 3), 0)
        await Recommender(ShuffledModel(), 10.0, exposures=exposures).page(
            reader, RecommendationRequest(None, clock(), 3), 0
        )
    await exposures.settled()
    assert [] == await logged(platform)


async def test_place_of_a_list_is_logged_once(platform: Database, clock: ManualClock) -> None:
    """Asked for again, and by two servers at once."""
    request, model = RecommendationRequest(1, clock(), 2), ShuffledModel()
    list_id = time_ordered_uuid(clock())
    servers = [Exposures(platform, 1.0) for _ in range(3)]

    for server in servers:
        for _ in range(2):
            server.note(request, shown(list_id), lambda: model.vectors(request, _HISTORY, None, [9, 13]))
    await asyncio.gather(*(server.settled() for server in servers))
    assert [9, 13] == [row.course_id for row in await logged(platform)]
    assert 2 == sum(server.logged for server in servers)
    assert [0, 0, 0] == [server.dropped for server in servers]


@pytest.mark.parametrize("cause", ["another release", "outage", "bug", "erased"])
async def test_what_cannot_be_logged_is_dropped(platform: Database, clock: ManualClock, cause: str) -> None:
    """And fails nobody; of somebody who was erased meanwhile nothing is written."""
    request, model = RecommendationRequest(1, clock(), 2), ShuffledModel()
    failures = {"outage": UnavailableError("gone"), "bug": ZeroDivisionError()}

    async def vectors() -> Any:
        if cause in failures:
            raise failures[cause]
        return await model.vectors(request, _HISTORY, None, [9, 13])

    if cause == "erased":
        async with platform.transaction() as connection:
            await connection.execute(delete(enrollments).where(enrollments.c.learner_id == 1))
            await connection.execute(delete(learners).where(learners.c.id == 1))
    exposures = Exposures(platform, 1.0)
    version = "v9" if cause == "another release" else "v1"
    exposures.note(request, shown(time_ordered_uuid(clock()), version=version), vectors)
    await exposures.settled()
    assert [] == await logged(platform)
    assert (0, int(cause != "erased")) == (exposures.logged, exposures.dropped)


async def test_only_a_few_are_under_way_at_once(platform: Database, clock: ManualClock) -> None:
    """What comes while they wait is counted as dropped."""
    request, model = RecommendationRequest(1, clock(), 2), ShuffledModel()
    exposures = Exposures(platform, 1.0)
    go = asyncio.Event()

    async def vectors() -> Any:
        await go.wait()
        return await model.vectors(request, _HISTORY, None, [9, 13])

    for number in range(6):
        exposures.note(request, shown(UUID(int=number)), vectors)
    assert 2 == exposures.dropped
    go.set()
    await exposures.settled()
    assert 8 == exposures.logged


def test_share_of_the_lists_is_sampled() -> None:
    """About as many as the setting says, and the same ones each time."""
    unused: Any = None
    ids = [UUID(int=number) for number in range(10_000)]
    for share in (0.0, 0.1, 1.0):
        sampled = [Exposures(unused, share).is_sampled(one) for one in ids]
        assert share == pytest.approx(sum(sampled) / len(ids), abs=0.02)
