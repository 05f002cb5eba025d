"""The demonstration on real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from catalog.simulation.demonstration import fill_demonstration
from core.clock import ManualClock
from core.errors import InputError
from database.session import Database


async def test_empty_platform_is_filled_and_labelled(database: Database, clock: ManualClock) -> None:
    """Everything is there, says that it is simulated, and nothing of it lies in the future or had to be corrected."""
    filled = await fill_demonstration(database, clock, learners=60)
    assert (399, 60) == (filled.courses, filled.learners)
    assert datetime(2026, 3, 1, tzinfo=UTC) == filled.until
    async with database.transaction() as connection:
        assert [(True, "Waymark demonstration (simulated)")] == [
            tuple(row) for row in await connection.execute(text("SELECT simulated, name FROM platform"))
        ]
        counted = await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM enrollments), (SELECT count(*) FROM events), "
                "(SELECT sum(enrollment_count) FROM course_statistics), (SELECT count(*) FROM topics), "
                "(SELECT count(*) FROM course_prerequisites), (SELECT max(version) FROM courses)"
            )
        )
        assert (filled.enrollments,) * 3 + (72, 240, 1) == tuple(counted.one())
        contents = await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM course_revisions WHERE status = 'PUBLISHED'), "
                "(SELECT count(*) FROM modules), "
                "(SELECT count(*) FROM lessons), (SELECT count(*) FROM assessments), (SELECT count(*) FROM questions), "
                "(SELECT count(*) FROM enrollments WHERE revision_id IS NULL)"
            )
        )
        revisions, modules, lessons, assessments, questions, unrevised = contents.one()
        assert (399, 3 * modules, modules, 4 * modules, 0) == (revisions, lessons, assessments, questions, unrevised)
        assert modules >= 2 * revisions
        unlabelled = text(
            "SELECT count(*) FROM courses WHERE source <> 'simulated' OR summary NOT LIKE '%simulated%' "
            "OR published_at > :now"
        )
        assert 0 == (await connection.execute(unlabelled, {"now": clock.now})).scalar_one()
        audited = await connection.execute(text("SELECT action, subject_id, details->>'courses' FROM audit_log"))
        assert ("demo", "simulated", "399") == tuple(audited.one())


async def test_platform_with_courses_is_left_alone(database: Database, clock: ManualClock) -> None:
    """The demonstration never joins other courses, its own included."""
    await fill_demonstration(database, clock, learners=5)
    with pytest.raises(InputError, match="has courses already"):
        await fill_demonstration(database, clock, learners=5)
