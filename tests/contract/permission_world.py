"""A platform with somebody of every role, and an object of every type that the permission matrix must reach.

Who adds a type to the contract seeds one of it here, and names it in `identities`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import insert, select, update

from app.asgi import build_app
from app.server import services
from app.wiring import Platform
from core.ids import encode_id
from database.session import Database
from database.tables.accounts import accounts
from database.tables.assessments import assessments
from database.tables.attempts import attempt_answers, attempts
from database.tables.courses import course_instructors, course_statistics, instructors
from database.tables.enrollments import enrollments
from database.tables.events import events
from database.tables.preferences import learning_preferences
from database.tables.progress import lesson_progress
from database.tables.recommendations import recommendation_rules
from database.tables.reviews import reviews
from serving.recommender import Recommender
from tests.contract.permission_matrix import Send
from tests.small_catalog import FIRST_NEW, number_from
from tests.small_content import lineage, write_content
from warehouse.export import export
from warehouse.lake import Lake

PASSWORD = "correct horse battery"
# The course of the matrix is published and was written by the author; the other instructor has a course of their own.
COURSE, OTHER_COURSE, HIDDEN_COURSE = 1, 3, 26
GRANTED = {
    "learner": ["LEARNER"],
    "author": ["LEARNER", "INSTRUCTOR"],
    "instructor": ["LEARNER", "INSTRUCTOR"],
    "moderator": ["LEARNER", "MODERATOR"],
    "administrator": ["LEARNER", "ADMINISTRATOR"],
    # To whom administrators do what they may.
    "bystander": ["LEARNER"],
}


@dataclass(frozen=True, slots=True)
class World:
    """What was seeded.

    Attributes:
        tokens: access token of each role.
        ids: opaque id of an object of each type.
    """

    tokens: Mapping[str, str]
    ids: Mapping[str, str]


async def seed(parts: Platform) -> World:
    """Seed a platform that has the small catalog."""
    async with client(parts) as http:
        for role in GRANTED:
            await _post(http, _SIGN_UP, {"email": f"{role}@example.com"})
        keys = await _grant(parts.database)
        await _seed_rows(parts.database, keys, parts.clock())
        await _fill_lake(parts)
        tokens = {role: await _post(http, _SIGN_IN, {"email": f"{role}@example.com"}) for role in GRANTED}
    return World(tokens, identities(keys))


def identities(keys: Mapping[str, int]) -> dict[str, str]:
    """Return the opaque id of an object of each type that has one."""
    return {
        "Course": encode_id("Course", COURSE),
        "CourseRevision": encode_id("CourseRevision", 1),
        "Assessment": encode_id("Assessment", 11),
        "Module": encode_id("Module", 11),
        **dict.fromkeys(("Lesson", "VideoLesson"), encode_id("Lesson", 11)),
        "ArticleLesson": encode_id("Lesson", 12),
        "ExerciseLesson": encode_id("Lesson", 13),
        **dict.fromkeys(("Question", "SingleChoiceQuestion"), encode_id("Question", 11)),
        "MultipleChoiceQuestion": encode_id("Question", 12),
        "NumericQuestion": encode_id("Question", 13),
        "ShortAnswerQuestion": encode_id("Question", 14),
        "Attempt": encode_id("Attempt", 1),
        "Enrollment": encode_id("Enrollment", 1),
        "RecommendationRule": encode_id("RecommendationRule", 1),
        "Review": encode_id("Review", 1),
        "Instructor": encode_id("Instructor", 1),
        "Topic": encode_id("Topic", 1),
        "User": encode_id("User", keys["bystander"]),
    }


async def _seed_rows(database: Database, keys: Mapping[str, int], now: datetime) -> None:
    await write_content(database, now)
    async with database.transaction() as connection:
        # An assessment that can be edited: the published one has no copy in the draft.
        quiz = {"id": 21, "revision_id": 2, "module_id": 21, "lineage": lineage(3, 2), "title": "Quiz"}
        await connection.execute(insert(assessments), {**quiz, "passing_share": 0.5})
        await connection.execute(update(instructors).where(instructors.c.id == 1).values(account_id=keys["author"]))
        await connection.execute(
            insert(instructors), {"id": 4, "display_name": "Teacher 4", "account_id": keys["instructor"]}
        )
        await connection.execute(
            insert(course_instructors), {"course_id": OTHER_COURSE, "instructor_id": 4, "position": 0}
        )
        learner_id = (
            await connection.execute(select(accounts.c.learner_id).where(accounts.c.id == keys["learner"]))
        ).scalar_one()
        await connection.execute(
            insert(enrollments),
            {
                "id": 1,
                "learner_id": learner_id,
                "course_id": COURSE,
                "revision_id": 1,
                "status": "ACTIVE",
                "enrolled_at": now,
            },
        )
        await connection.execute(
            insert(learning_preferences),
            {"learner_id": learner_id, "goals": [], "level": "BEGINNER", "languages": ["en"], "saved_at": now},
        )
        # One attempt is graded, and one waits for an instructor.
        attempt = {"enrollment_id": 1, "assessment_id": 11, "assessment_lineage": lineage(3, 1), "max_score": 8.0}
        attempt |= {"started_at": now, "submitted_at": now}
        graded = {"id": 1, "number": 1, "status": "GRADED", "graded_at": now, "score": 1.0, "passed": False}
        await connection.execute(insert(attempts), {**attempt, **graded})
        await connection.execute(insert(attempts), {**attempt, "id": 2, "number": 2, "status": "SUBMITTED"})
        answer = {"question_id": 11, "response": {"choices": ["a"]}, "saved_at": now}
        await connection.execute(insert(attempt_answers), {**answer, "attempt_id": 1, "points": 1.0})
        await connection.execute(insert(attempt_answers), {**answer, "attempt_id": 2})
        begun = {"enrollment_id": 1, "lesson_lineage": lineage(2, 1), "position_at": now}
        await connection.execute(insert(lesson_progress), begun)
        review = {"id": 1, "course_id": COURSE, "learner_id": learner_id, "rating": 4, "created_at": now}
        await connection.execute(insert(reviews), {**review, "updated_at": now})
        # What the bystander is not shown, and why.
        rule = {"id": 1, "kind": "EXCLUSION", "course_id": COURSE, "starts_at": now, "created_at": now}
        await connection.execute(insert(recommendation_rules), {**rule, "updated_at": now})
        rated = update(course_statistics).where(course_statistics.c.course_id == COURSE)
        await connection.execute(rated.values(rating_count=1, rating_sum=4))
        await number_from(connection, FIRST_NEW, attempts, enrollments, instructors, recommendation_rules, reviews)


async def _fill_lake(parts: Platform) -> None:
    """Export events that every kind of statistics has something of."""
    kinds: dict[str, dict[str, Any]] = {
        "enrolled": {},
        "lesson_started": {"lesson": str(lineage(2, 1))},
        "attempt_graded": {"attempt_id": 1, "number": 1, "questions": {str(lineage(4, 1)): 0.5}},
    }
    now = parts.clock()
    async with parts.database.transaction() as connection:
        for kind, payload in kinds.items():
            row = {"kind": kind, "learner_id": 1, "course_id": COURSE, "occurred_at": now, "recorded_at": now}
            await connection.execute(insert(events), {**row, "payload": payload})
    await export(parts.database, Lake(parts.lake_dir), parts.clock)


async def _grant(database: Database) -> dict[str, int]:
    keys = {}
    async with database.transaction() as connection:
        listed = (await connection.execute(select(accounts.c.id).order_by(accounts.c.id))).scalars()
        for role, account_id in zip(GRANTED, listed, strict=True):
            keys[role] = account_id
            await connection.execute(update(accounts).where(accounts.c.id == account_id).values(roles=GRANTED[role]))
    return keys


@asynccontextmanager
async def client(parts: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """Open an application on a platform."""
    recommender = Recommender(None, parts.settings.ranking.deadline)
    app = build_app(parts, await services(parts, recommender), lambda: {"status": "off"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://waymark.test") as http:
        yield http


@asynccontextmanager
async def sender(parts: Platform, world: World) -> AsyncIterator[Send]:
    """Open what sends documents as one role or another."""
    async with client(parts) as http:

        async def send(document: str, role: str) -> Any:
            token = world.tokens.get(role)
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            return (await http.post("/graphql", json={"query": document}, headers=headers)).json()

        yield send


_FIELDS = "{ session { accessToken } userErrors { code } }"
_CREDENTIALS = f'email: $email, password: "{PASSWORD}"'
_SIGN_UP = (
    f'mutation ($email: String!) {{ answer: signUp(input: {{{_CREDENTIALS}, displayName: "Somebody"}}) {_FIELDS} }}'
)
_SIGN_IN = f"mutation ($email: String!) {{ answer: signIn(input: {{{_CREDENTIALS}}}) {_FIELDS} }}"


async def _post(http: httpx.AsyncClient, document: str, variables: dict[str, str]) -> str:
    response = (await http.post("/graphql", json={"query": document, "variables": variables})).json()
    token: str = response["data"]["answer"]["session"]["accessToken"]
    return token
