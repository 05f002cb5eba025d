"""The operations of the apps that are out there, each with variables that find something on the seeded server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from core.ids import encode_id

FOLDER = Path(__file__).parent / "operations"
COURSE = encode_id("Course", 1)
FIRST_LESSON = 11
RECOMMENDATION = encode_id("Recommendation", str(UUID(int=7)))

# By consumer and operation; what is not here takes no variables. The learner takes course 1, which has content.
VARIABLES: dict[str, dict[str, Any]] = {
    "mobile-1/CourseDetail": {"slug": "course-1"},
    "mobile-1/Enroll": {"courseId": encode_id("Course", 3), "recommendationId": RECOMMENDATION},
    "mobile-1/MyCourses": {"first": 10},
    "mobile-1/Nodes": {"ids": [COURSE, encode_id("Topic", 1), encode_id("Enrollment", 1), encode_id("Course", 999)]},
    "mobile-1/Refresh": {"refreshToken": "$refreshToken"},
    "mobile-1/Search": {"query": "gardening"},
    "mobile-2/ContinueLearning": {"first": 5},
    "mobile-2/CourseHome": {"id": COURSE},
    "mobile-2/FlushProgress": {
        "events": [
            {
                "lessonId": encode_id("Lesson", lesson),
                "clientEventId": f"event-{lesson}",
                "positionSeconds": 30,
                "watchedSeconds": 30,
                "completed": lesson == FIRST_LESSON,
                "occurredAt": "2026-03-01T11:00:00Z",
            }
            for lesson in (FIRST_LESSON, FIRST_LESSON + 1)
        ]
    },
    "mobile-2/LessonPlayer": {"id": encode_id("Lesson", FIRST_LESSON)},
    "mobile-2/StartAttempt": {"assessmentId": encode_id("Assessment", 11)},
    "web/Catalog": {"filter": {"level": ["BEGINNER", "ADVANCED"]}, "orderBy": {"field": "RATING"}, "first": 5},
    "web/CoursePage": {"slug": "course-1"},
    "web/Review": {"courseId": COURSE, "rating": 5, "text": "👏 מצוין"},
    "web/Studio": {"first": 5},
    "web/Topics": {"first": 10, "language": "es"},
}


@dataclass(frozen=True, slots=True)
class ConsumerOperation:
    """An operation that some build of an app sends.

    Attributes:
        name: consumer and operation, such as `mobile-1/Home`.
        text: the document.
        variables: that it is sent with; `$name` stands for a value of the session.
    """

    name: str
    text: str
    variables: dict[str, Any]


def consumer_operations() -> list[ConsumerOperation]:
    """Return all operations, by name."""
    found = []
    for path in sorted(FOLDER.glob("*/*.graphql")):
        name = f"{path.parent.name}/{path.stem}"
        found.append(ConsumerOperation(name, path.read_text(encoding="utf-8"), VARIABLES.get(name, {})))
    return found
