"""A platform with sequences of courses in three languages, and a model without a mind, for tests of rules."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from database.queries.history import HistoryRow, PreferencesRow
from database.session import Database
from database.tables.courses import course_prerequisites, course_statistics, course_topics, courses
from database.tables.enrollments import enrollments
from database.tables.learners import learners
from database.tables.preferences import learning_preference_topics, learning_preferences
from database.tables.recommendations import recommendation_dismissals, recommendation_rules
from serving.breaker import Patience
from serving.rankings import RankedCourse, RecommendationRequest
from tests.small_platform import MADE, add_topics
from tests.telling_models import TellingModel

COURSES = 60
LANGUAGES = ("en", "pt-br", "es")
DRAFT, ARCHIVED = 60, 59
TOPICS = (2, 3, 4)
COMPLETED = {learner: 8 * learner + 7 for learner in range(1, 7)}
"""The course that each learner has completed."""


def prerequisites() -> list[tuple[int, int]]:
    """Return pairs of a course and what it builds upon: sequences of four, such as 8 upon 7 upon 6 upon 5."""
    chains = [(number, number - 1) for number in range(2, COURSES - 3) if (number - 1) % 4]
    # One that builds upon two sequences, one upon a draft, and one upon an archived course.
    return [*chains, (57, 4), (57, 8), (58, DRAFT), (58, ARCHIVED)]


async def write_platform(database: Database) -> None:
    """Write courses 1 to 60, on topics 2 to 4 below 1, in blocks of eight of a language, and learners 1 to 6.

    Learner n takes course n, has left course 10 + n, dismissed 20 + n and 30 + n, and completed 8n + 7. Learners 2 and
    3 read English, learner 4 English and Portuguese, the others said nothing; learners 2 and 4 chose topic 2.
    """
    await add_topics(database, {1: None, 2: 1, 3: 1, 4: 1})
    rows: list[dict[str, Any]] = [
        {
            "id": number,
            "slug": f"course-{number}",
            "title": f"Course {number}",
            "level": "BEGINNER",
            "language": LANGUAGES[number // 8 % 3],
            "status": {DRAFT: "DRAFT", ARCHIVED: "ARCHIVED"}.get(number, "PUBLISHED"),
            "published_at": MADE,
            "created_at": MADE,
            "updated_at": MADE,
        }
        for number in range(1, COURSES + 1)
    ]
    async with database.transaction() as connection:
        await connection.execute(insert(courses), rows)
        counts = [{"course_id": key, "enrollment_count": key * 37 % 101} for key in range(1, COURSES + 1)]
        await connection.execute(insert(course_statistics), counts)
        on = [{"course_id": key, "topic_id": TOPICS[key % 3]} for key in range(1, COURSES + 1)]
        await connection.execute(insert(course_topics), on)
        pairs = [{"course_id": course, "prerequisite_id": needed} for course, needed in prerequisites()]
        await connection.execute(insert(course_prerequisites), pairs)
        for key, done in COMPLETED.items():
            await connection.execute(insert(learners), {"id": key, "created_at": MADE})
            taken = [(key, "ACTIVE"), (10 + key, "WITHDRAWN"), (done, "COMPLETED")]
            for age, (course, status) in enumerate(taken):
                row = {"learner_id": key, "course_id": course, "status": status}
                await connection.execute(insert(enrollments), {**row, "enrolled_at": MADE - timedelta(days=age)})
            for course in (20 + key, 30 + key):
                row = {"learner_id": key, "course_id": course, "dismissed_at": MADE}
                await connection.execute(insert(recommendation_dismissals), row)
        for key, tags in {2: ["en"], 3: ["en-gb"], 4: ["en", "pt"]}.items():
            row = {"learner_id": key, "goals": [], "level": "BEGINNER", "languages": tags, "saved_at": MADE}
            await connection.execute(insert(learning_preferences), row)
        chosen = [{"learner_id": key, "topic_id": 2} for key in (2, 4)]
        await connection.execute(insert(learning_preference_topics), chosen)


async def add_rule(database: Database, kind: str, starts_at: datetime, **columns: Any) -> int:
    """Add a rule of staff and return its key."""
    row = {"kind": kind, "starts_at": starts_at, "created_at": starts_at, "updated_at": starts_at, **columns}
    async with database.transaction() as connection:
        statement = insert(recommendation_rules).values(**row).returning(recommendation_rules.c.id)
        key: int = (await connection.execute(statement)).scalar_one()
        return key


@dataclass(frozen=True)
class Answer:
    """A model's list."""

    version: str
    courses: tuple[RankedCourse, ...]


class ShuffledModel(TellingModel):
    """Ranks every course there is in a random order, whatever may be shown: rules are not its business.

    Args:
        count: courses have the ids from 1 to this.
        seed: of the order.
    """

    def __init__(self, count: int = COURSES, seed: int = 1) -> None:
        self.version = f"v{seed}"
        self.cause: str | None = None
        self.asked = 0
        self._count = count
        self._seed = seed

    def swap(self, seed: int, version: str | None = None) -> None:
        """Become another model, or the same one on other features."""
        self._seed = seed
        self.version = version or f"v{seed}"

    def unready(self, now: datetime) -> str | None:
        """Return what the test said."""
        assert now.tzinfo is not None
        return self.cause

    async def rank(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        patience: Patience,
    ) -> Answer:
        """Return courses in the learner's own random order."""
        assert history
        assert preferences is None or preferences.level
        assert patience.waited == 0
        self.asked += 1
        keys = list(range(1, self._count + 1))
        random.Random(f"{self._seed} {request.learner_id}").shuffle(keys)  # noqa: S311 - repeatable, for a test.
        scored = (RankedCourse(key, float(-place), ()) for place, key in enumerate(keys))
        return Answer(self.version, tuple(scored)[: request.limit])

    def retrieved_by(
        self,
        request: RecommendationRequest,
        history: Sequence[HistoryRow],
        preferences: PreferencesRow | None,
        course_id: int,
    ) -> tuple[str, ...]:
        """Return what finds every course."""
        assert request.learner_id is not None
        assert history
        assert preferences is None or preferences.level
        return ("chance",) if course_id else ()
