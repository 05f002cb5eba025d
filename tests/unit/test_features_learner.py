"""Learner features against a slow computation of the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ibis
import pytest

from features.learner import LEARNER_FEATURES, learner_features
from tests.event_logs import (
    START,
    Course,
    Event,
    courses_table,
    enrollments,
    events_table,
    learner_values,
    random_courses,
    random_events,
)
from warehouse.lake import analytics


def computed(events: list[Event], courses: list[Course]) -> list[dict[str, Any]]:
    """Return the rows that DuckDB computes, in order."""
    with analytics() as connection:
        table = learner_features(ibis.memtable(events_table(events)), ibis.memtable(courses_table(courses)))
        return list(connection.to_pyarrow(table.order_by("learner_id", "event_timestamp")).to_pylist())


def test_one_row_for_each_moment_that_changes_something() -> None:
    """Rows stand at the instants at which an enrollment was made or left, once each, and at no other."""
    events = random_events(learners=30, courses=8, seed=1)
    log = enrollments(events)
    moments = {(each.learner, moment) for each in log for moment in (each.made, each.left) if moment is not None}
    rows = computed(events, random_courses(8, seed=1))
    assert sorted(moments) == [(row["learner_id"], row["event_timestamp"]) for row in rows]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_values_equal_the_slow_computation(seed: int) -> None:
    """Every value includes everything up to and including its moment, and nothing later, whatever the order."""
    courses = random_courses(8, seed)
    events = random_events(learners=40, courses=8, seed=seed)
    log = enrollments(events)
    rows = computed(events, courses)
    assert len(rows) > 100
    for row in rows:
        expected = learner_values(log, courses, row["learner_id"], row["event_timestamp"])
        assert expected == pytest.approx({name: row[name] for name in LEARNER_FEATURES}, nan_ok=False)


def test_the_future_does_not_change_the_past() -> None:
    """Rows up to a moment are the same whether or not the log goes on."""
    courses = random_courses(8, seed=4)
    events = random_events(learners=20, courses=8, seed=4)
    cut = START + timedelta(days=40)
    whole = [row for row in computed(events, courses) if row["event_timestamp"] <= cut]
    assert whole == computed([event for event in events if event.at <= cut], courses)


def test_a_course_that_was_left_speaks_no_more_but_having_been_here_stays() -> None:
    """Leaving takes a course out of counts, topics and shares; activity keeps the enrollment."""
    courses = [Course(1, (1, 2), "BEGINNER", 60)]
    events = [Event(1, "enrolled", 7, 1, START), Event(2, "unenrolled", 7, 1, START + timedelta(days=1))]
    first, second = computed(events, courses)
    assert (1, 2, 1.0, 60.0) == (
        first["learner_enrollment_count"],
        first["learner_topic_count"],
        first["learner_beginner_share"],
        first["learner_mean_duration"],
    )
    assert (0, 0, None, None, 1) == (
        second["learner_enrollment_count"],
        second["learner_topic_count"],
        second["learner_beginner_share"],
        second["learner_mean_duration"],
        second["learner_active_days"],
    )


def test_events_of_other_kinds_and_of_unknown_courses_are_borne() -> None:
    """Preferences change no row, and a course that the dimension lacks counts and is about nothing."""
    events = [
        Event(1, "preferences_saved", 7, 1, START - timedelta(days=1)),
        Event(2, "enrolled", 7, 99, START),
    ]
    (row,) = computed(events, [Course(1, (1,), "BEGINNER", 60)])
    assert START == row["event_timestamp"]
    assert (1, 0, None, 0.0) == (
        row["learner_enrollment_count"],
        row["learner_topic_count"],
        row["learner_topic_concentration"],
        row["learner_beginner_share"],
    )


def test_an_empty_log_gives_an_empty_table_of_the_declared_types() -> None:
    """No events, no rows; the types are those that Feast is told."""
    with analytics() as connection:
        table = connection.to_pyarrow(
            learner_features(ibis.memtable(events_table([])), ibis.memtable(courses_table([])))
        )
    assert 0 == table.num_rows
    kinds = {"int64": "int64", "float64": "double"}
    assert {name: kinds[kind] for name, (kind, _) in LEARNER_FEATURES.items()} == {
        name: str(table.schema.field(name).type) for name in LEARNER_FEATURES
    }
