"""Small platforms in PostgreSQL for tests of the lake and of features."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from database.session import Database
from database.tables.courses import course_prerequisites, course_skills, course_topics, courses as course_table
from database.tables.events import events as event_table
from database.tables.topics import skills, topics
from tests.event_logs import START, Course, Event


async def write_courses(database: Database, courses: Iterable[Course], **common: Any) -> None:
    """Write published courses with their topics 0 to 5 (ids 1 to 6), one skill, and 2 building upon 1."""
    listed = list(courses)
    rows = [
        {
            "id": course.id,
            "slug": f"course-{course.id}",
            "title": f"Course {course.id}",
            "level": course.level,
            "language": "es" if course.id % 3 == 0 else "en",
            "status": "PUBLISHED",
            "duration_minutes": course.minutes,
            "published_at": START,
            "created_at": START,
            "updated_at": START,
            **common,
        }
        for course in listed
    ]
    async with database.transaction() as connection:
        await connection.execute(
            insert(topics),
            [{"id": topic + 1, "slug": f"topic-{topic}", "name": f"Topic {topic}"} for topic in range(6)],
        )
        await connection.execute(insert(skills), [{"id": 1, "name": "Logic"}])
        await connection.execute(insert(course_table), rows)
        listings = [
            {"course_id": course.id, "topic_id": topic + 1, "position": position}
            for course in listed
            for position, topic in enumerate(course.topics)
        ]
        await connection.execute(insert(course_topics), listings)
        await connection.execute(
            insert(course_skills), [{"course_id": course.id, "skill_id": 1} for course in listed if course.id % 3]
        )
        await connection.execute(insert(course_prerequisites), [{"course_id": 2, "prerequisite_id": 1}])


async def write_events(database: Database, events: Iterable[Event], recorded_at: datetime = START) -> None:
    """Write events to the outbox in one transaction, numbered by PostgreSQL in the order given."""
    rows = [
        {
            "kind": event.kind,
            "learner_id": event.learner,
            "course_id": event.course,
            "occurred_at": event.at,
            "recorded_at": recorded_at,
            "payload": {},
        }
        for event in events
    ]
    async with database.transaction() as connection:
        await connection.execute(insert(event_table), rows)
