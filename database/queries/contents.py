"""Statements that write the content of many courses at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.assessments import assessments, questions
from database.tables.revisions import lessons, modules

# A first revision says what the course itself says.
_REVISIONS = text("""
    INSERT INTO course_revisions (
        course_id, number, status, title, summary, description, level, language, duration_minutes,
        topic_ids, skills, prerequisite_ids, created_at, submitted_at, published_at
    )
    SELECT c.id, 1, 'PUBLISHED', c.title, c.summary, c.description, c.level, c.language, c.duration_minutes,
        array(SELECT topic_id FROM course_topics WHERE course_id = c.id ORDER BY position, topic_id),
        array(SELECT s.name FROM course_skills k JOIN skills s ON s.id = k.skill_id
              WHERE k.course_id = c.id ORDER BY k.position, s.id),
        array(SELECT prerequisite_id FROM course_prerequisites WHERE course_id = c.id ORDER BY prerequisite_id),
        :now, c.published_at, c.published_at
    FROM courses c
    WHERE c.source = :source AND c.status = 'PUBLISHED'
      AND NOT EXISTS (SELECT FROM course_revisions r WHERE r.course_id = c.id)
    ORDER BY c.id
    RETURNING id, (SELECT source_id FROM courses WHERE courses.id = course_id)
""")
_MOVE_ENROLLMENTS = text("""
    UPDATE enrollments e SET revision_id = r.id FROM course_revisions r
    WHERE r.course_id = e.course_id AND r.status = 'PUBLISHED' AND e.revision_id IS NULL
""")


async def write_first_revisions(connection: AsyncConnection, source: str, now: datetime) -> dict[str, int]:
    """Give each published course of a source that has none a published revision; return them by the source's ids."""
    rows = await connection.execute(_REVISIONS, {"source": source, "now": now})
    return {source_id: key for key, source_id in rows}


async def insert_modules(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert modules and return their keys, in order."""
    return await _insert(connection, modules, rows)


async def insert_lessons(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert lessons."""
    await connection.execute(insert(lessons), list(rows))


async def insert_assessments(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert assessments and return their keys, in order."""
    return await _insert(connection, assessments, rows)


async def insert_questions(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert questions."""
    await connection.execute(insert(questions), list(rows))


async def learn_published_revisions(connection: AsyncConnection) -> None:
    """Let everybody who learns with no revision yet learn with the published one of their course."""
    await connection.execute(_MOVE_ENROLLMENTS)


async def _insert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> list[int]:
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list((await connection.execute(statement, list(rows))).scalars())
