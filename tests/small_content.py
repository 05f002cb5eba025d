"""Content on the small catalog: course 1 with a published revision and a draft, and who learns and teaches it.

The published revision 1 has a module of three lessons, one of each kind, and a module of one lesson with an
assessment of four questions, one of each kind. The draft, revision 2, has the first module with one more lesson.
Rows of a revision are numbered `10 * revision + n`; the copies of a row share their lineage.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from database.session import Database
from database.tables.accounts import Role, accounts
from database.tables.assessments import assessments, questions
from database.tables.courses import instructors
from database.tables.enrollments import enrollments
from database.tables.revisions import course_revisions, lessons, modules
from tests.small_catalog import FIRST_NEW, number_from

COURSE = 1
CHOICES = [{"id": name, "text": f"Choice {name.upper()}"} for name in "abc"]
KINDS = ("VIDEO", "ARTICLE", "EXERCISE", "VIDEO")
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"kind": "SINGLE_CHOICE", "points": 1.0, "choices": CHOICES, "answer_key": {"choices": ["a"]}},
    {"kind": "MULTIPLE_CHOICE", "points": 2.0, "choices": CHOICES, "answer_key": {"choices": ["a", "b"]}},
    {"kind": "NUMERIC", "points": 2.0, "choices": [], "answer_key": {"number": 9.81, "tolerance": 0.01}},
    {"kind": "SHORT_ANSWER", "points": 3.0, "choices": [], "answer_key": {"texts": ["gravity"]}},
)


def lineage(kind: int, number: int) -> UUID:
    """Return what the copies of a module (1), lesson (2), assessment (3) or question (4) share."""
    return UUID(int=kind * 1000 + number)


async def write_content(database: Database, now: datetime) -> None:
    """Write both revisions of course 1."""
    common: dict[str, Any] = {
        "level": "BEGINNER",
        "language": "en",
        "topic_ids": [2, 1],
        "skills": ["Logic"],
        "prerequisite_ids": [],
    }
    common |= {"course_id": COURSE, "created_at": now}
    async with database.transaction() as connection:
        await connection.execute(
            insert(course_revisions),
            [
                {**common, "id": 1, "number": 1, "status": "PUBLISHED", "title": "Course 01", "published_at": now},
                {
                    **common,
                    "id": 2,
                    "number": 2,
                    "status": "DRAFT",
                    "title": "Course 01, renewed",
                    "published_at": None,
                },
            ],
        )
        places = [(1, 1), (1, 2), (2, 1)]
        await connection.execute(insert(modules), [_module(revision, number) for revision, number in places])
        listed = [(1, number) for number in range(1, 5)] + [(2, number) for number in (1, 2, 3, 5)]
        await connection.execute(insert(lessons), [_lesson(revision, number) for revision, number in listed])
        quiz = {"id": 11, "revision_id": 1, "module_id": 12, "lineage": lineage(3, 1), "title": "Quiz"}
        await connection.execute(
            insert(assessments), {**quiz, "passing_share": 0.5, "time_limit_seconds": 600, "attempt_limit": 3}
        )
        await connection.execute(
            insert(questions),
            [
                {
                    "id": 11 + place,
                    "assessment_id": 11,
                    "lineage": lineage(4, place + 1),
                    "position": place,
                    "prompt": f"Question {place + 1}?",
                    "explanation": f"Because of {place + 1}.",
                    **question,
                }
                for place, question in enumerate(QUESTIONS)
            ],
        )
        await number_from(connection, FIRST_NEW, course_revisions, modules, lessons, assessments, questions)


async def take(database: Database, learner_id: int, now: datetime, *, revision_id: int | None = 1) -> int:
    """Enroll a learner in course 1 and return the enrollment's id."""
    row = {"learner_id": learner_id, "course_id": COURSE, "status": "ACTIVE", "enrolled_at": now}
    async with database.transaction() as connection:
        statement = insert(enrollments).values(**row, revision_id=revision_id).returning(enrollments.c.id)
        key: int = (await connection.execute(statement)).scalar_one()
    return key


async def teach(database: Database, account_id: int, *, instructor_id: int = 1, role: Role = Role.INSTRUCTOR) -> None:
    """Make an account the author that an instructor is; 1 teaches courses 1 and 2."""
    async with database.transaction() as connection:
        await connection.execute(
            update(accounts).where(accounts.c.id == account_id).values(roles=[Role.LEARNER.value, role.value])
        )
        await connection.execute(
            update(instructors).where(instructors.c.id == instructor_id).values(account_id=account_id)
        )


def _module(revision: int, number: int) -> dict[str, Any]:
    return {
        "id": 10 * revision + number,
        "revision_id": revision,
        "lineage": lineage(1, number),
        "position": number - 1,
        "title": f"Module {number}",
    }


def _lesson(revision: int, number: int) -> dict[str, Any]:
    kind = KINDS[(number - 1) % 4]
    second = number == 4
    return {
        "id": 10 * revision + number,
        "revision_id": revision,
        "module_id": 10 * revision + (2 if second else 1),
        "lineage": lineage(2, number),
        "position": 0 if second else min(number, 4) - 1,
        "kind": kind,
        "title": f"Lesson {number}",
        "duration_seconds": 60 * number,
        "media_url": f"https://media.example/{number}.mp4" if kind == "VIDEO" else None,
        "body": f"Text of lesson {number}",
    }
