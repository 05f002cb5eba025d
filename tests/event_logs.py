"""Random small event logs, and what features must be on them, computed the slow and obvious way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from warehouse.lake import COURSES, EVENTS

START = datetime(2025, 1, 1, tzinfo=UTC)
LEVELS = ("BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS")


@dataclass(frozen=True)
class Event:
    """An event of a learner with a course."""

    id: int
    kind: str
    learner: int
    course: int
    at: datetime


@dataclass(frozen=True)
class Course:
    """What features know of a course."""

    id: int
    topics: tuple[int, ...]
    level: str
    minutes: int


@dataclass(frozen=True)
class Enrollment:
    """An enrollment from its moment to the one at which it was left, if ever."""

    learner: int
    course: int
    made: datetime
    left: datetime | None

    def stands(self, at: datetime) -> bool:
        """Return whether it was made at or before a moment and not left by then."""
        return self.made <= at and (self.left is None or self.left > at)


def random_courses(count: int, seed: int) -> list[Course]:
    """Return courses 1 to `count` with none to three topics; every fifth has no known length."""
    rng = np.random.default_rng(seed)
    return [
        Course(
            id=number,
            topics=tuple(int(topic) for topic in rng.choice(6, size=number % 4, replace=False)),
            level=LEVELS[number % 4],
            minutes=0 if number % 5 == 0 else int(rng.integers(10, 500)),
        )
        for number in range(1, count + 1)
    ]


def random_events(learners: int, courses: int, seed: int, per_learner: int = 12, days: int = 120) -> list[Event]:
    """Return events in an order of ids that has nothing to do with time, with repetitions and shared instants."""
    rng = np.random.default_rng(seed)
    told = []
    for learner in range(1, learners + 1):
        for _ in range(int(rng.integers(1, per_learner))):
            kind = "enrolled" if rng.random() < 0.7 else "unenrolled"
            # Six hours apart, so that instants and days are often shared.
            at = START + timedelta(hours=6 * int(rng.integers(0, days * 4 // (1 + learner % 3))))
            told.append((kind, learner, int(rng.integers(1, courses + 1)), at))
    told += [told[int(position)] for position in rng.integers(0, len(told), len(told) // 5)]
    order = rng.permutation(len(told))
    return [Event(number, *told[int(place)]) for number, place in enumerate(order, start=1)]


def events_table(events: Iterable[Event]) -> pa.Table:
    """Return events as the lake holds them."""
    rows = [
        {
            "event_id": event.id,
            "kind": event.kind,
            "learner_id": event.learner,
            "course_id": event.course,
            "occurred_at": event.at,
            "recorded_at": event.at,
            "recommendation_id": None,
            "payload": "{}",
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS)


def courses_table(courses: Iterable[Course]) -> pa.Table:
    """Return courses as the lake holds them."""
    rows = [
        {
            "course_id": course.id,
            "topic_ids": list(course.topics),
            "skill_ids": [1] * (course.id % 3),
            "instructor_ids": [],
            "prerequisite_ids": [1] if course.id == 2 else [],
            "level": course.level,
            "language": "en",
            "status": "PUBLISHED",
            "duration_minutes": course.minutes,
            "published_at": START,
            "title": f"Course {course.id}",
        }
        for course in courses
    ]
    return pa.Table.from_pylist(rows, schema=COURSES)


def enrollments(events: Iterable[Event]) -> list[Enrollment]:
    """Return what the events add up to: per learner and course, in the order of time, leaving first."""
    found: list[Enrollment] = []
    ongoing: dict[tuple[int, int], datetime] = {}
    for event in sorted(events, key=lambda event: (event.at, event.kind == "enrolled", event.id)):
        pair = (event.learner, event.course)
        if event.kind == "enrolled" and pair not in ongoing:
            ongoing[pair] = event.at
        elif event.kind == "unenrolled" and pair in ongoing:
            found.append(Enrollment(*pair, ongoing.pop(pair), event.at))
    return found + [Enrollment(*pair, made, None) for pair, made in ongoing.items()]


def learner_values(log: list[Enrollment], courses: list[Course], learner: int, at: datetime) -> dict[str, Any]:
    """Return a learner's features at a moment, inclusive; None for missing."""
    known = {course.id: course for course in courses}
    made = sorted(each.made for each in log if each.learner == learner and each.made <= at)
    taking = [known[each.course] for each in log if each.learner == learner and each.stands(at)]
    topics = Counter(topic for course in taking for topic in course.topics)
    entries = sum(topics.values())
    lengths = [course.minutes for course in taking if course.minutes]
    gap = (made[-1] - made[0]).total_seconds() / 86_400
    return {
        "learner_enrollment_count": len(taking),
        "learner_active_days": len({moment.date() for moment in made}),
        "learner_first_enrolled_at": int(made[0].timestamp()),
        "learner_last_enrolled_at": int(made[-1].timestamp()),
        "learner_mean_gap_days": gap / (len(made) - 1) if len(made) > 1 else None,
        "learner_topic_count": len(topics),
        "learner_topic_concentration": _mean([count * count / entries for count in topics.values()], entries),
        "learner_beginner_share": _mean([course.level == "BEGINNER" for course in taking], len(taking)),
        "learner_advanced_share": _mean([course.level == "ADVANCED" for course in taking], len(taking)),
        "learner_mean_duration": _mean(lengths, len(lengths)),
    }


def course_values(log: list[Enrollment], course: int, day: datetime) -> dict[str, Any] | None:
    """Return a course's popularity strictly before a midnight; None when nobody had enrolled by then."""
    ever = [each for each in log if each.course == course and each.made < day]
    if not ever:
        return None
    before = day - timedelta(microseconds=1)
    standing = [each for each in ever if each.stands(before)]
    experience = [
        sum(other.learner == each.learner and other.stands(each.made - timedelta(microseconds=1)) for other in log)
        for each in standing
    ]
    return {
        "course_enrollments_total": len(standing),
        **{
            f"course_enrollments_{days}d": sum(each.made >= day - timedelta(days=days) for each in standing)
            for days in (7, 30, 90)
        },
        "course_first_enrolled_at": int(min(each.made for each in ever).timestamp()),
        "course_learner_experience": _mean(experience, len(experience)),
    }


def _mean(values: list[Any], count: int) -> float | None:
    return sum(values) / count if count else None
