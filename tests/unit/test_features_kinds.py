"""Features are of taking courses: what else the log tells moves none of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ibis
import numpy as np

from database.tables.events import EventKind
from features.course import course_popularity
from features.learner import learner_features
from tests.event_logs import Event, courses_table, events_table, random_courses, random_events
from training.history import course_traits, learning_history
from warehouse.lake import analytics

TAKING = {EventKind.ENROLLED, EventKind.UNENROLLED}
OTHERS = [kind for kind in EventKind if kind not in TAKING]
COURSES = random_courses(8, seed=5)
EVENTS = random_events(learners=10, courses=8, seed=5)


def computed(events: list[Event]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return learner features and course popularity."""
    with analytics() as connection:
        log, courses = ibis.memtable(events_table(events)), ibis.memtable(courses_table(COURSES))
        learners = learner_features(log, courses).order_by("learner_id", "event_timestamp")
        popularity = course_popularity(log).order_by("course_id", "event_timestamp")
        return connection.to_pyarrow(learners).to_pylist(), connection.to_pyarrow(popularity).to_pylist()


def crowded(kinds: list[EventKind]) -> list[Event]:
    """Return the log with an event of each kind beside every event, at its moment, before it and after it."""
    added = [
        Event(100_000 + number, kind.value, event.learner, event.course, event.at + timedelta(hours=hours))
        for number, (event, kind, hours) in enumerate(
            (event, kind, hours) for event in EVENTS for kind in kinds for hours in (-7, 0, 7)
        )
    ]
    return [*added, *EVENTS]


def test_kinds_that_are_not_of_taking_a_course_move_no_feature() -> None:
    """Progress, grades, reviews and recommendations change neither rows nor values; taking a course would."""
    assert computed(EVENTS) == computed(crowded(OTHERS))
    assert computed(EVENTS) != computed(crowded([EventKind.UNENROLLED]))


def test_training_does_not_see_other_kinds() -> None:
    """The history that models learn from is the same, whatever else happened."""
    courses = ibis.memtable(courses_table(COURSES))
    with analytics() as connection:
        described = connection.to_pyarrow(courses).to_pandas()
        tables = [ibis.memtable(events_table(log)) for log in (EVENTS, crowded(OTHERS))]
        logs = [connection.to_pyarrow(table).to_pandas() for table in tables]
    traits = course_traits(described, {})
    published = np.ones(len(COURSES), dtype=np.bool_)
    plain, other = (learning_history(log, traits, published) for log in logs)
    assert plain.learner_ids.tolist() == other.learner_ids.tolist()
    assert plain.left.tolist() == other.left.tolist()
    assert plain.interactions.courses.tolist() == other.interactions.courses.tolist()
    assert plain.interactions.moments.tolist() == other.interactions.moments.tolist()
