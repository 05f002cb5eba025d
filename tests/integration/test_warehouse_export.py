"""The export against a real PostgreSQL: exactly once, in spite of slow transactions, crashes and rivals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, text, update
from typing_extensions import override

from core.clock import ManualClock
from core.errors import InputError, UnavailableError
from database.session import Database
from database.tables.courses import courses as course_table
from database.tables.events import events as event_table
from database.tables.learners import learners
from database.tables.platform import platform
from database.tables.preferences import learning_preference_topics, learning_preferences
from tests.event_logs import START, Event, random_courses, random_events
from tests.platforms import write_courses, write_events
from warehouse import export as exporting
from warehouse.export import export
from warehouse.lake import Lake, analytics
from warehouse.manifest import Manifest


def exported(lake: Lake) -> list[dict[str, Any]]:
    """Return the lake's events by id."""
    with analytics() as connection:
        return list(connection.to_pyarrow(lake.events(connection).order_by("event_id")).to_pylist())


def written(lake: Lake) -> dict[str, int]:
    """Return the lake's files with the moments of their last change."""
    return {str(path): path.stat().st_mtime_ns for path in lake.path.rglob("*") if path.is_file()}


def enrolled(count: int, at: datetime = START) -> list[Event]:
    """Return enrollments a day apart."""
    return [Event(number, "enrolled", 7, number, at + timedelta(days=number)) for number in range(1, count + 1)]


async def test_events_reach_the_lake_as_they_are(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """An event keeps its columns, moments to the microsecond, in the folder of the UTC day it happened on."""
    at = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    row = {
        "kind": "enrolled",
        "learner_id": 7,
        "course_id": None,
        "occurred_at": at.astimezone(),
        "recorded_at": START,
        "recommendation_id": UUID(int=5),
        "payload": {"goals": ["CURIOSITY"]},
    }
    async with database.transaction() as connection:
        await connection.execute(insert(event_table), row)
    lake = Lake(tmp_path / "lake")
    report = await export(database, lake, clock)
    assert (1, 1, 0, True) == (report.events, report.total, report.waiting, report.changed)
    (found,) = exported(lake)
    assert {
        "event_id": 1,
        "kind": "enrolled",
        "learner_id": 7,
        "course_id": None,
        "occurred_at": at,
        "recorded_at": START,
        "recommendation_id": str(UUID(int=5)),
        "payload": '{"goals": ["CURIOSITY"]}',
    } == found
    assert ["date=2026-02-28"] == [folder.name for folder in (lake.path / "events").iterdir()]


async def test_a_second_export_changes_nothing(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Without anything new, no file is touched and the fingerprint stays."""
    await write_courses(database, random_courses(5, seed=1))
    await write_events(database, enrolled(5))
    lake = Lake(tmp_path)
    first = await export(database, lake, clock)
    before = written(lake)
    second = await export(database, lake, clock)
    assert (0, 5, False, first.fingerprint) == (second.events, second.total, second.changed, second.fingerprint)
    assert before == written(lake)


async def test_a_slow_transaction_is_waited_for(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Events committed after a still open transaction began wait for it, and none is ever skipped or repeated."""
    lake = Lake(tmp_path)
    await write_events(database, enrolled(1))
    async with database.transaction() as slow:
        await slow.execute(
            insert(event_table),
            {"kind": "enrolled", "learner_id": 1, "occurred_at": START, "recorded_at": START},
        )
        await write_events(database, enrolled(2))
        during = await export(database, lake, clock)
        assert ([1], 2) == ([row["event_id"] for row in exported(lake)], during.waiting)
    after = await export(database, lake, clock)
    assert (3, 0) == (after.events, after.waiting)
    assert [1, 2, 3, 4] == [row["event_id"] for row in exported(lake)]


async def test_a_crash_before_the_manifest_loses_and_repeats_nothing(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """Files that no manifest lists do not count, and the next export replaces them."""

    class Crashing(Lake):
        @override
        def commit(self, manifest: Manifest) -> None:
            raise RuntimeError("The power is gone.")

    await write_events(database, enrolled(3))
    with pytest.raises(RuntimeError, match="power"):
        await export(database, Crashing(tmp_path), clock)
    lake = Lake(tmp_path)
    orphans = written(lake)
    assert 5 == len(orphans)
    assert lake.manifest() is None
    await write_events(database, enrolled(1, at=START + timedelta(days=50)))
    assert 4 == (await export(database, lake, clock)).events
    assert [1, 2, 3, 4] == [row["event_id"] for row in exported(lake)]
    assert set(orphans) < set(written(lake))


async def test_rival_exports_take_turns(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Two exports at once export each event once."""
    await write_events(database, enrolled(20))
    reports = await asyncio.gather(*(export(database, Lake(tmp_path), clock) for _ in range(3)))
    assert [0, 0, 20] == sorted(report.events for report in reports)
    assert list(range(1, 21)) == [row["event_id"] for row in exported(Lake(tmp_path))]


async def test_large_exports_come_in_batches(
    database: Database, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches bound memory: each writes its own files, and together they hold every event once."""
    await write_events(database, random_events(learners=20, courses=5, seed=1))
    monkeypatch.setattr(exporting, "_FETCH", 7)
    monkeypatch.setattr(exporting, "_BATCH", 20)
    report = await export(database, Lake(tmp_path), clock)
    rows = exported(Lake(tmp_path))
    assert list(range(1, report.events + 1)) == [row["event_id"] for row in rows]
    assert 3 < len({path.name for path in (tmp_path / "events").rglob("*.parquet")})


async def test_the_fingerprint_tells_content_and_not_the_number_of_exports(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """The same events give the same fingerprint in one export or in two; one more gives another."""
    await write_events(database, enrolled(2))
    pieces, whole = Lake(tmp_path / "pieces"), Lake(tmp_path / "whole")
    await export(database, pieces, clock)
    await write_events(database, enrolled(2, at=START + timedelta(days=9)))
    fingerprint = (await export(database, pieces, clock)).fingerprint
    assert fingerprint == (await export(database, whole, clock)).fingerprint
    await write_events(database, enrolled(1))
    assert fingerprint != (await export(database, whole, clock)).fingerprint


async def test_dimensions_are_those_of_the_last_export(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Courses and preferences are replaced whole when they change, and only the last two versions are kept."""
    await write_courses(database, random_courses(4, seed=1))
    async with database.transaction() as connection:
        await connection.execute(insert(learners), {"id": 7, "created_at": START})
        await connection.execute(
            insert(learning_preferences),
            {"learner_id": 7, "goals": ["CURIOSITY"], "level": "BEGINNER", "languages": ["en"], "saved_at": START},
        )
        await connection.execute(
            insert(learning_preference_topics),
            [{"learner_id": 7, "topic_id": 3, "position": 1}, {"learner_id": 7, "topic_id": 5, "position": 0}],
        )
    lake = Lake(tmp_path)
    await export(database, lake, clock)
    for title in ("Second", "Third", "Fourth"):
        async with database.transaction() as connection:
            await connection.execute(update(course_table).where(course_table.c.id == 1).values(title=title))
        assert (await export(database, lake, clock)).changed
    with analytics() as connection:
        courses = connection.to_pyarrow(lake.courses(connection).order_by("course_id")).to_pylist()
        (preferences,) = connection.to_pyarrow(lake.preferences(connection)).to_pylist()
    assert ["Fourth", "Course 2", "Course 3", "Course 4"] == [course["title"] for course in courses]
    assert [[], [1], [], []] == [course["prerequisite_ids"] for course in courses]
    assert ([5, 3], ["CURIOSITY"], START) == (
        preferences["topic_ids"],
        preferences["goals"],
        preferences["saved_at"],
    )
    assert 2 == len(list((tmp_path / "courses").iterdir()))


async def test_a_lake_of_another_database_is_refused(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """A folder is never mixed with another database, nor with an older state of its own."""
    await write_events(database, enrolled(1))
    lake = Lake(tmp_path)
    await export(database, lake, clock)
    async with database.transaction() as connection:
        await connection.execute(update(platform).values(id=uuid4()))
    with pytest.raises(InputError, match="another database"):
        await export(database, lake, clock)


async def test_a_lake_that_is_ahead_of_its_database_is_refused(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """A database restored from a backup gives ids again: the lake says so, and takes in nothing."""
    await write_events(database, enrolled(1))
    lake = Lake(tmp_path)
    await export(database, lake, clock)
    manifest = lake.contents()
    ahead = manifest.watermark.model_copy(update={"transaction_id": 2**40})
    lake.commit(manifest.model_copy(update={"watermark": ahead}))
    with pytest.raises(InputError, match="restored"):
        await export(database, lake, clock)


async def test_an_empty_platform_has_an_empty_lake(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    """Without courses and events the tables are there and empty."""
    lake = Lake(tmp_path)
    report = await export(database, lake, clock)
    assert (0, 0, 0) == (report.events, report.total, report.courses)
    with analytics() as connection:
        tables = (lake.events(connection), lake.courses(connection), lake.preferences(connection))
        assert [0, 0, 0] == [connection.execute(table.count()) for table in tables]


async def test_events_that_were_deleted_stay_in_the_lake(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """The outbox may be trimmed: what was exported does not depend on it."""
    await write_events(database, enrolled(3))
    await export(database, Lake(tmp_path), clock)
    async with database.transaction() as connection:
        await connection.execute(delete(event_table))
        await connection.execute(text("SELECT pg_current_xact_id()"))
    assert 3 == (await export(database, Lake(tmp_path), clock)).total


async def test_a_lake_that_cannot_be_written_is_one_clear_error(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """A file where the folder should be is told in one line."""
    await write_events(database, enrolled(1))
    (tmp_path / "lake").write_text("in the way", encoding="utf-8")
    with pytest.raises((InputError, UnavailableError), match="lake"):
        await export(database, Lake(tmp_path / "lake"), clock)
