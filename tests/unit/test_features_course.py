"""Course features against a slow computation of the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pytest

from features.course import (
    POPULARITY_FEATURES,
    PROFILE_FEATURES,
    PROFILE_KNOWN_SINCE,
    course_popularity,
    course_profile,
)
from tests.event_logs import (
    START,
    Course,
    Event,
    course_values,
    courses_table,
    enrollments,
    events_table,
    random_events,
)
from warehouse.lake import analytics


def computed(events: list[Event]) -> list[dict[str, Any]]:
    """Return the rows that DuckDB computes, in order."""
    with analytics() as connection:
        table = course_popularity(ibis.memtable(events_table(events)))
        return list(connection.to_pyarrow(table.order_by("course_id", "event_timestamp")).to_pylist())


def as_of(rows: list[dict[str, Any]], course: int, day: datetime) -> dict[str, Any] | None:
    """Return what a point-in-time join finds: the newest row at or before the moment."""
    before = [row for row in rows if row["course_id"] == course and row["event_timestamp"] <= day]
    return {name: before[-1][name] for name in POPULARITY_FEATURES} if before else None


@pytest.mark.parametrize("seed", [1, 2])
def test_values_on_every_day_equal_the_slow_computation(seed: int) -> None:
    """On each day until the last window has run out, values are those of everything strictly before midnight."""
    events = random_events(learners=25, courses=4, seed=seed)
    log = enrollments(events)
    rows = computed(events)
    for course in range(1, 5):
        for number in range(-1, 220):
            day = START + timedelta(days=number)
            expected = course_values(log, course, day)
            found = as_of(rows, course, day)
            assert (expected is None) == (found is None)
            assert expected is None or expected == pytest.approx(found)


def test_rows_stand_at_midnights_once_each() -> None:
    """A course has at most one row a day, at 00:00 UTC."""
    rows = computed(random_events(learners=25, courses=4, seed=3))
    keys = [(row["course_id"], row["event_timestamp"]) for row in rows]
    assert len(set(keys)) == len(keys) > 50
    assert {(0, 0, 0)} == {(moment.hour, moment.minute, moment.second) for _, moment in keys}


def test_an_enrollment_enters_at_the_next_midnight_and_leaves_each_window() -> None:
    """One enrollment of day d changes values at d + 1, d + 8, d + 31 and d + 91, and not a second earlier."""
    rows = computed([Event(1, "enrolled", 7, 1, START + timedelta(hours=23, minutes=59))])
    windows = ("course_enrollments_7d", "course_enrollments_30d", "course_enrollments_90d", "course_enrollments_total")
    assert [
        (START + timedelta(days=1), 1, 1, 1, 1),
        (START + timedelta(days=8), 0, 1, 1, 1),
        (START + timedelta(days=31), 0, 0, 1, 1),
        (START + timedelta(days=91), 0, 0, 0, 1),
    ] == [(row["event_timestamp"], *(row[name] for name in windows)) for row in rows]


def test_leaving_takes_an_enrollment_out_from_the_next_midnight() -> None:
    """A learner who left on day l counts until l and in no value from l + 1 on."""
    events = [Event(1, "enrolled", 7, 1, START), Event(2, "unenrolled", 7, 1, START + timedelta(days=3))]
    rows = computed(events)
    day = timedelta(days=1)
    assert (1, 1) == tuple(as_of(rows, 1, START + 3 * day)[name] for name in list(POPULARITY_FEATURES)[:2])  # type: ignore[index]
    assert (0, 0) == tuple(as_of(rows, 1, START + 4 * day)[name] for name in list(POPULARITY_FEATURES)[:2])  # type: ignore[index]


def test_a_profile_is_known_since_before_any_enrollment() -> None:
    """Each course has one row with its level in order, its counts, and null for a length that is not known."""
    courses = [Course(1, (), "BEGINNER", 0), Course(2, (3, 4), "ADVANCED", 90), Course(3, (1,), "ALL_LEVELS", 5)]
    with analytics() as connection:
        table = course_profile(ibis.memtable(courses_table(courses)))
        rows = connection.to_pyarrow(table.order_by("course_id")).to_pylist()
    assert [(1, None, 0, 1, 0), (3, 90, 2, 2, 1), (4, 5, 1, 0, 0)] == [
        tuple(row[name] for name in PROFILE_FEATURES) for row in rows
    ]
    assert {PROFILE_KNOWN_SINCE} == {row["event_timestamp"] for row in rows}
    assert datetime(2010, 1, 1, tzinfo=UTC) > PROFILE_KNOWN_SINCE
