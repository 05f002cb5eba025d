"""A small catalog in PostgreSQL, and a request context on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import ManualClock
from database.session import Database
from database.tables.courses import (
    course_instructors,
    course_prerequisites,
    course_skills,
    course_statistics,
    course_topics,
    courses,
    instructors,
)
from database.tables.topics import skills, topics
from resolvers.context import Context

COURSES = 25
UNPUBLISHED = 26
FIRST_NEW = 101


@pytest_asyncio.fixture
async def catalog(database: Database, clock: ManualClock) -> Database:
    """The small catalog."""
    await write_catalog(database, clock())
    return database


async def write_catalog(database: Database, now: datetime) -> None:
    """Write courses 1 to 25, published (course n is taken by n learners, except that 11 to 15 tie), 26 a draft.

    Topics: 1 is the parent of 2 and 3; odd courses are on 2, even ones on 3. Course 1 has 3 instructors.
    """
    common: dict[str, Any] = {"created_at": now, "updated_at": now, "summary": None, "description": None}
    levels = ("BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS")
    rows = [
        {
            **common,
            "id": number,
            "slug": f"course-{number}",
            "title": f"Course {number:02}" if number != 7 else "The art of gardening",
            "level": levels[number % 4],
            "language": "es" if number % 5 == 0 else "en",
            "status": "PUBLISHED" if number <= COURSES else "DRAFT",
            "duration_minutes": number * 10,
            "published_at": now - timedelta(days=number) if number <= COURSES else None,
        }
        for number in range(1, UNPUBLISHED + 1)
    ]
    async with database.transaction() as connection:
        await connection.execute(
            insert(topics),
            [
                {"id": 1, "slug": "science", "name": "Science", "parent_id": None},
                {"id": 2, "slug": "physics", "name": "Physics", "parent_id": 1},
                {"id": 3, "slug": "biology", "name": "Biology", "parent_id": 1},
            ],
        )
        await connection.execute(insert(courses), rows)
        await connection.execute(
            insert(course_statistics),
            [
                {"course_id": number, "enrollment_count": 11 if 11 <= number <= 15 else number}
                for number in range(1, COURSES + 1)
            ],
        )
        await connection.execute(
            insert(course_topics),
            [{"course_id": number, "topic_id": 2 + (number + 1) % 2} for number in range(1, UNPUBLISHED + 1)],
        )
        await connection.execute(insert(skills), [{"id": 1, "name": "Logic"}, {"id": 2, "name": "Writing"}])
        await connection.execute(
            insert(course_skills),
            [{"course_id": 1, "skill_id": 2, "position": 0}, {"course_id": 1, "skill_id": 1, "position": 1}],
        )
        await connection.execute(
            insert(instructors), [{"id": number, "display_name": f"Teacher {number}"} for number in (1, 2, 3)]
        )
        await connection.execute(
            insert(course_instructors),
            [
                {"course_id": 1, "instructor_id": 3, "position": 0},
                {"course_id": 1, "instructor_id": 1, "position": 1},
                {"course_id": 1, "instructor_id": 2, "position": 1},
                {"course_id": 2, "instructor_id": 1, "position": 0},
            ],
        )
        await connection.execute(
            insert(course_prerequisites),
            [{"course_id": 2, "prerequisite_id": 1}, {"course_id": 2, "prerequisite_id": UNPUBLISHED}],
        )
        await number_from(connection, FIRST_NEW, courses, instructors, skills, topics)


async def number_from(connection: AsyncConnection, first: int, *tables: Table) -> None:
    """Let new rows of tables, to which rows with keys were added, be numbered from `first`."""
    for table in tables:
        sequence = func.pg_get_serial_sequence(table.name, "id")
        await connection.execute(select(func.setval(sequence, first, False)))  # noqa: FBT003 - PostgreSQL's argument.


@pytest_asyncio.fixture
async def context(catalog: Database, clock: ManualClock) -> AsyncIterator[Context]:
    """A signed-out request on the small catalog, without the parts that only commands need."""
    async with catalog.reader() as reader:
        services: Any = None
        yield Context(
            reader=reader, database=catalog, clock=clock, identity=None, request_id=UUID(int=1), services=services
        )
