"""Statements that turn copied enrollments into new and unchanged ones; see `database.queries.imports`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.imports import execute

_ENROLLMENTS = """
CREATE TEMPORARY TABLE import_enrollments (
    line bigint NOT NULL, learner_id text NOT NULL, course_id text NOT NULL, enrolled_at timestamptz NOT NULL
) ON COMMIT DROP
"""

ENROLLMENT_COLUMNS = ("line", "learner_id", "course_id", "enrolled_at")

# Duplicates: the first line of a file wins.
_REJECT_ENROLLMENTS = (
    """
    WITH gone AS (
        DELETE FROM import_enrollments s
        WHERE NOT EXISTS (SELECT FROM courses c WHERE c.source = :source AND c.source_id = s.course_id)
        RETURNING line, course_id
    )
    INSERT INTO import_problems
    SELECT line, 'course_id', 'rejected', 'unknown_course',
        format('the catalog has no course %s of the source %s', course_id, CAST(:source AS text))
    FROM gone
    """,
    """
    WITH gone AS (
        DELETE FROM import_enrollments s USING (
            SELECT line, min(line) OVER (PARTITION BY learner_id, course_id) AS first FROM import_enrollments
        ) d WHERE s.line = d.line AND d.line > d.first RETURNING s.line, d.first
    )
    INSERT INTO import_problems
    SELECT line, NULL, 'rejected', 'duplicate_enrollment',
        format('the learner takes the same course already on line %s', first)
    FROM gone
    """,
)
_ADD_LEARNERS = """
INSERT INTO learners (source, source_id, created_at)
SELECT :source, learner_id, :now FROM import_enrollments GROUP BY learner_id ORDER BY min(line)
ON CONFLICT (source, source_id) DO NOTHING
"""
_PLAN_ENROLLMENTS = """
CREATE TEMPORARY TABLE import_plan ON COMMIT DROP AS
SELECT s.line, l.id AS learner_id, c.id AS course_id, s.enrolled_at, e.enrolled_at AS stored_at
FROM import_enrollments s
JOIN courses c ON c.source = :source AND c.source_id = s.course_id
JOIN learners l ON l.source = :source AND l.source_id = s.learner_id
LEFT JOIN enrollments e ON e.learner_id = l.id AND e.course_id = c.id
"""
_WARN_OF_ENROLLMENTS = """
INSERT INTO import_problems
SELECT line, 'enrolled_at', 'warning', 'other_moment', 'the enrollment is stored with another moment, which stays'
FROM import_plan WHERE stored_at <> enrolled_at
"""
_APPLY_ENROLLMENTS = (
    "DELETE FROM import_plan WHERE stored_at IS NOT NULL",
    """
    INSERT INTO enrollments (learner_id, course_id, status, enrolled_at)
    SELECT learner_id, course_id, 'ACTIVE', enrolled_at FROM import_plan ORDER BY enrolled_at, line
    """,
    """
    INSERT INTO events (kind, learner_id, course_id, occurred_at, recorded_at)
    SELECT 'enrolled', learner_id, course_id, enrolled_at, :now FROM import_plan ORDER BY enrolled_at, line
    """,
    """
    INSERT INTO course_statistics (course_id, enrollment_count)
    SELECT course_id, count(*) FROM import_plan GROUP BY course_id ORDER BY course_id
    ON CONFLICT (course_id) DO UPDATE
    SET enrollment_count = course_statistics.enrollment_count + excluded.enrollment_count
    """,
    # Nobody takes a course before it is published: the first enrollment corrects a later date.
    """
    UPDATE courses c SET published_at = f.first, version = c.version + 1, updated_at = :now
    FROM (SELECT course_id, min(enrolled_at) AS first FROM import_plan GROUP BY course_id) f
    WHERE c.id = f.course_id AND c.published_at > f.first
    """,
)


_LEARNERS = "SELECT DISTINCT learner_id FROM import_enrollments"
# The report names lines only: which learner it is must not be told of somebody who is forgotten.
_REJECT_ERASED = """
WITH gone AS (
    DELETE FROM import_enrollments WHERE learner_id = ANY(:learner_ids) RETURNING line
)
INSERT INTO import_problems
SELECT line, 'learner_id', 'rejected', 'erased_learner', 'the learner had their data erased here and is left out'
FROM gone
"""


class EnrollmentCounts(NamedTuple):
    """What happened to the enrollments of a file."""

    new: int
    unchanged: int
    learners: int


async def prepare_enrollments(connection: AsyncConnection) -> None:
    """Make the temporary table that `copy` fills with enrollments."""
    await connection.execute(text(_ENROLLMENTS))


async def leave_out_erased(connection: AsyncConnection, is_erased: Callable[[str], bool]) -> None:
    """Reject the copied enrollments of learners who were erased; `is_erased` is told the source's id of each."""
    # Not streamed: the table is dropped in the end, which the driver's cursor on it would forbid.
    listed = (await connection.execute(text(_LEARNERS))).scalars()
    erased = [source_id for source_id in listed if is_erased(source_id)]
    if erased:
        rejecting = text(_REJECT_ERASED).bindparams(bindparam("learner_ids", erased, ARRAY(Text)))
        await connection.execute(rejecting)


async def apply_enrollments(connection: AsyncConnection, source: str, now: datetime) -> EnrollmentCounts:
    """Turn the copied enrollments into new and unchanged ones, with an event for each new one."""
    await connection.execute(text("ANALYZE import_enrollments"))
    learners = await execute(connection, (*_REJECT_ENROLLMENTS, _ADD_LEARNERS), source=source, now=now)
    statements = (_PLAN_ENROLLMENTS, "ANALYZE import_plan", _WARN_OF_ENROLLMENTS)
    await execute(connection, statements, source=source, now=now)
    new, unchanged = (
        await connection.execute(
            text("SELECT count(*) FILTER (WHERE stored_at IS NULL), count(stored_at) FROM import_plan")
        )
    ).one()
    if new:
        await execute(connection, _APPLY_ENROLLMENTS, source=source, now=now)
    await connection.execute(text("DROP TABLE import_enrollments, import_plan"))
    return EnrollmentCounts(new, unchanged, learners)
