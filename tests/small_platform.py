"""Rows for tests of recommendations: a few courses on topics, learners, enrollments, preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from database.session import Database
from database.tables.courses import course_statistics, course_topics, courses
from database.tables.enrollments import enrollments
from database.tables.learners import learners
from database.tables.preferences import learning_preference_topics, learning_preferences
from database.tables.topics import topics

MADE = datetime(2025, 1, 1, tzinfo=UTC)


async def add_topics(database: Database, parents: Mapping[int, int | None]) -> None:
    """Add topics, parents first, by id."""
    async with database.transaction() as connection:
        for topic, parent in parents.items():
            await connection.execute(
                insert(topics).values(id=topic, slug=f"topic-{topic}", name=f"Topic {topic}", parent_id=parent)
            )


async def add_course(
    database: Database,
    course_id: int,
    *,
    enrollment_count: int = 0,
    on: Sequence[int] = (),
    level: str = "BEGINNER",
    language: str = "en",
    status: str = "PUBLISHED",
) -> None:
    """Add a course with its counter and topics."""
    async with database.transaction() as connection:
        await connection.execute(
            insert(courses).values(
                id=course_id,
                slug=f"course-{course_id}",
                title=f"Course {course_id}",
                level=level,
                language=language,
                status=status,
                published_at=MADE,
                created_at=MADE,
                updated_at=MADE,
            )
        )
        await connection.execute(
            insert(course_statistics).values(course_id=course_id, enrollment_count=enrollment_count)
        )
        for topic in on:
            await connection.execute(insert(course_topics).values(course_id=course_id, topic_id=topic))


async def add_learner(
    database: Database,
    learner_id: int,
    *,
    taken: Sequence[int] = (),
    status: str = "ACTIVE",
    source_id: str | None = None,
    until: datetime = MADE,
) -> None:
    """Add a learner who took courses, one a day, the last one at `until`."""
    async with database.transaction() as connection:
        await connection.execute(
            insert(learners).values(
                id=learner_id, source="test" if source_id else None, source_id=source_id, created_at=MADE
            )
        )
        for age, course_id in enumerate(reversed(taken)):
            await connection.execute(
                insert(enrollments).values(
                    learner_id=learner_id, course_id=course_id, status=status, enrolled_at=until - timedelta(days=age)
                )
            )


async def add_preferences(
    database: Database,
    learner_id: int,
    *,
    on: Sequence[int] = (),
    level: str = "BEGINNER",
    languages: Sequence[str] = ("en",),
) -> None:
    """Save what a learner chose at onboarding."""
    async with database.transaction() as connection:
        await connection.execute(
            insert(learning_preferences).values(
                learner_id=learner_id, goals=[], level=level, languages=list(languages), saved_at=MADE
            )
        )
        for topic in on:
            await connection.execute(insert(learning_preference_topics).values(learner_id=learner_id, topic_id=topic))
