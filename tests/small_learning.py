"""Course 1 of the small catalog with content, somebody who learns it, and somebody who teaches it.

Revision 1 has lessons 1 and 2 with an assessment in one module and lesson 3 in another; revision 2, when it is added,
has lesson 4 besides. Rows of a revision are numbered `10 * revision + n`, and copies share the lineage `n`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest_asyncio
from sqlalchemy import insert, select, text, update

from core.clock import ManualClock
from core.ids import encode_id
from database.session import Database
from database.tables.accounts import Role
from database.tables.assessments import assessments, questions
from database.tables.courses import instructors
from database.tables.events import events
from database.tables.revisions import course_revisions, lessons, modules
from resolvers import enrollments, sessions
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.enrollments import Enroll
from resolvers.sessions import SignUp
from tests.small_accounts import PASSWORD, Contexts

COURSE = 1
COURSE_ID = encode_id("Course", COURSE)
MAX_SCORE = 10.0
CHOICES = [{"id": name, "text": name.upper()} for name in "abcd"]
QUESTIONS: list[dict[str, Any]] = [
    {"kind": "SINGLE_CHOICE", "points": 1.0, "choices": CHOICES, "answer_key": {"choices": ["a"]}},
    {"kind": "MULTIPLE_CHOICE", "points": 3.0, "choices": CHOICES, "answer_key": {"choices": ["a", "b"]}},
    {"kind": "NUMERIC", "points": 2.0, "choices": [], "answer_key": {"number": 0.3, "tolerance": 0.1}},
    {"kind": "SHORT_ANSWER", "points": 4.0, "choices": [], "answer_key": {"texts": ["Force"]}},
]


def lineage(kind: str, number: int) -> UUID:
    """Return the lineage that all copies of a lesson, module, assessment or question share."""
    return UUID(int={"module": 1, "lesson": 2, "assessment": 3, "question": 4}[kind] * 1000 + number)


def lesson_id(number: int, revision: int = 1) -> str:
    """Return the opaque id of a lesson."""
    return encode_id("Lesson", 10 * revision + number)


def assessment_id(revision: int = 1) -> str:
    """Return the opaque id of the assessment."""
    return encode_id("Assessment", 10 * revision + 1)


def question_id(number: int, revision: int = 1) -> str:
    """Return the opaque id of a question."""
    return encode_id("Question", 10 * revision + number)


async def add_revision(
    database: Database,
    number: int,
    *,
    status: str = "PUBLISHED",
    at: datetime,
    assessment: dict[str, Any] | None = None,
    asked: Sequence[dict[str, Any]] = QUESTIONS,
) -> None:
    """Add a revision of course 1; the one that was published before is superseded by a published one."""
    row = {"id": number, "course_id": COURSE, "number": number, "status": status, "title": "Course 01"}
    row |= {"level": "BEGINNER", "language": "en", "topic_ids": [], "skills": [], "prerequisite_ids": []}
    row |= {"created_at": at, "published_at": at if status in {"PUBLISHED", "SUPERSEDED"} else None}
    base = 10 * number
    # (module, position, lesson): the second revision begins its second module with a new lesson.
    places = [(1, 0, 1), (1, 1, 2), (2, 0, 3)] if number == 1 else [(1, 0, 1), (1, 1, 2), (2, 0, 4), (2, 1, 3)]
    async with database.transaction() as connection:
        if status == "PUBLISHED":
            replaced = update(course_revisions).where(
                course_revisions.c.course_id == COURSE, course_revisions.c.status == "PUBLISHED"
            )
            await connection.execute(replaced.values(status="SUPERSEDED"))
        await connection.execute(insert(course_revisions), row)
        await connection.execute(
            insert(modules),
            [
                {
                    "id": base + module,
                    "revision_id": number,
                    "lineage": lineage("module", module),
                    "position": module - 1,
                    "title": f"Module {module}",
                }
                for module in (1, 2)
            ],
        )
        await connection.execute(
            insert(lessons),
            [
                {
                    "id": base + lesson,
                    "revision_id": number,
                    "module_id": base + module,
                    "lineage": lineage("lesson", lesson),
                    "position": position,
                    "kind": "VIDEO",
                    "title": f"Lesson {lesson}",
                    "duration_seconds": 600,
                    "media_url": f"https://media.example/{lesson}",
                }
                for module, position, lesson in places
            ],
        )
        quiz = {"id": base + 1, "revision_id": number, "module_id": base + 1, "lineage": lineage("assessment", 1)}
        quiz |= {"title": "Quiz", "passing_share": 0.6, **(assessment or {})}
        await connection.execute(insert(assessments), quiz)
        await connection.execute(
            insert(questions),
            [
                {
                    "id": base + place,
                    "assessment_id": base + 1,
                    "lineage": lineage("question", place),
                    "position": place - 1,
                    "prompt": f"Question {place}?",
                    "explanation": f"Explanation {place}.",
                    **question,
                }
                for place, question in enumerate(asked, start=1)
            ],
        )


@pytest_asyncio.fixture
async def content(catalog: Database, clock: ManualClock) -> Database:
    """The small catalog, course 1 with its first revision published."""
    await add_revision(catalog, 1, at=clock())
    return catalog


@pytest_asyncio.fixture
async def pupil(content: Database, learner: Context) -> Context:
    """A request of somebody who takes course 1."""
    await enrollments.enroll(learner, Enroll(COURSE_ID))
    return learner


@pytest_asyncio.fixture
async def teacher(catalog: Database, strangers: Contexts) -> Context:
    """A request of an author of course 1."""
    context = strangers()
    await sessions.sign_up(context, SignUp("teacher@example.org", PASSWORD, "Grace"))
    identity = caller(context)
    context.identity = replace(identity, roles=identity.roles | {Role.INSTRUCTOR.value})
    async with catalog.transaction() as connection:
        await connection.execute(
            update(instructors).where(instructors.c.id == 1).values(account_id=identity.account_id)
        )
    return context


async def warm(database: Database) -> None:
    """Open all connections that commands share, so that commands at once truly are, and not one a connection."""
    async with AsyncExitStack() as stack:
        for _ in range(4):
            connection = await stack.enter_async_context(database.transaction())
            await connection.execute(text("SELECT 1"))


def another(strangers: Contexts, context: Context) -> Context:
    """Return another request of the same caller, as a second tab or server has one."""
    made = strangers()
    made.identity = context.identity
    return made


async def told(database: Database, *kinds: str) -> list[dict[str, Any]]:
    """Return the payloads of all events of the kinds, in order."""
    statement = select(events.c.payload).where(events.c.kind.in_(kinds)).order_by(events.c.id)
    async with database.transaction() as connection:
        return list((await connection.execute(statement)).scalars())
