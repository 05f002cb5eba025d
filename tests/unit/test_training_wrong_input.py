"""What is wrong with the log is borne: wrong clocks, events told twice, and robots, which bend nobody's lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import ibis
import numpy as np
import pandas as pd
import pytest

import features.course
from features.course import course_popularity
from features.histories import DAY
from features.interactions import ROBOTIC
from features.learner import learner_features
from features.similarity import fit_similarities
from tests.event_logs import (
    START,
    Course,
    Enrollment,
    Event,
    course_values,
    courses_table,
    enrollments,
    events_table,
    random_courses,
    random_events,
)
from tests.simulated_history import PARENTS, simulated_events, simulated_traits
from training.history import LearningHistory, learning_history, load_history
from training.split import split_moment, training_stages
from warehouse.lake import Lake, analytics
from warehouse.manifest import Manifest

SIZE = 300
TRAITS = simulated_traits(SIZE)
LOG = simulated_events(SIZE, learners=120)
ROBOT = 999


def history_of(*parts: pd.DataFrame) -> LearningHistory:
    """Return the log of events."""
    return learning_history(pd.concat(parts), TRAITS, np.ones(SIZE, np.bool_))


def robot(courses: int, *, turns: int) -> pd.DataFrame:
    """Return events of somebody who takes every course within minutes, and leaves all of them before each new turn."""
    start = LOG["occurred_at"].min() + pd.Timedelta(days=30)
    kinds = ["enrolled", *(["unenrolled", "enrolled"] * (turns - 1))]
    rows = [(kind, ROBOT, int(key)) for kind in kinds for key in TRAITS.course_ids[:courses]]
    frame = pd.DataFrame(rows, columns=["kind", "learner_id", "course_id"])
    return frame.assign(occurred_at=start + pd.to_timedelta(np.arange(len(frame)), unit="s"))


def test_robot_says_nothing_of_which_courses_are_alike() -> None:
    """Every similarity is equal to the last bit with and without 10,000 events of one account."""
    noise = robot(SIZE, turns=17)
    assert len(noise) >= 9_900
    plain, bent = (history_of(LOG), history_of(LOG, noise))
    cutoff = int(plain.interactions.moments.max()) + 1
    ours, theirs = (
        fit_similarities(each.interactions.select(each.known(cutoff)), SIZE).matrices for each in (plain, bent)
    )
    for name, matrix in ours.items():
        assert 0 == abs(matrix - theirs[name]).max(), name


def test_robot_counts_once_for_few_courses_in_popularity() -> None:
    """Taking and leaving again counts once or not at all, and after so many courses nothing counts."""
    plain, bent = history_of(LOG), history_of(LOG, robot(SIZE, turns=17))
    moments = LOG["occurred_at"].min().value // 1000 + np.arange(30, 80) * DAY
    added = bent.popularity(moments) - plain.popularity(moments)
    assert {0.0, 1.0} >= set(np.unique(added).tolist())
    assert added.sum(axis=1).max() <= ROBOTIC + 1


def test_robot_teaches_no_more_than_its_first_courses() -> None:
    """Decisions of an account that goes on for thousands of courses are none to learn from."""
    bent = history_of(LOG, robot(SIZE, turns=17))
    (place,) = np.flatnonzero(bent.learner_ids == ROBOT)
    log = bent.interactions
    assert np.count_nonzero(log.learners == place) > 5_000
    stages = training_stages(bent, split_moment(bent), np.random.default_rng(1))
    taught = np.concatenate([stage.decisions for stage in stages if stage.until is None])
    assert (bent.earlier[taught] <= ROBOTIC).all()
    assert np.count_nonzero(log.learners[taught] == place) <= ROBOTIC


@pytest.mark.parametrize("seed", [1, 2])
def test_course_features_leave_robots_out(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """What is taken by somebody who takes more than so many courses is in no value, popularity of training included."""
    events = random_events(learners=25, courses=8, seed=seed, per_learner=20)
    log = enrollments(events)
    monkeypatch.setattr(features.course, "ROBOTIC", 2)
    few = [each for each in log if sum(_stands(other, each) for other in log) <= 2]
    assert 0 < len(few) < len(log)
    with analytics() as connection:
        table = course_popularity(ibis.memtable(events_table(events)))
        rows = connection.to_pyarrow(table.order_by("course_id", "event_timestamp")).to_pylist()
    for course in range(1, 9):
        for number in range(0, 160, 3):
            day = START + timedelta(days=number)
            # The experience of those who count is of all that they take.
            expected = course_values(few, course, day)
            found = [row for row in rows if row["course_id"] == course and row["event_timestamp"] <= day]
            assert (expected is None) == (not found)
            if expected is not None:
                del expected["course_learner_experience"]
                assert expected == {name: found[-1][name] for name in expected}


def _stands(other: Enrollment, each: Enrollment) -> bool:
    return other.learner == each.learner and other.stands(each.made - timedelta(microseconds=1))


def test_popularity_of_training_is_the_one_that_is_served() -> None:
    """For every course and day: what was left by then counts in neither."""
    events = random_events(learners=40, courses=6, seed=3)
    frame = events_table(events).to_pandas()
    frame["course_id"] *= 10
    history = learning_history(frame, simulated_traits(6), np.ones(6, np.bool_))
    log = enrollments(events)
    assert any(each.left for each in log)
    for number in range(0, 150, 2):
        day = START + timedelta(days=number)
        found = history.popularity(np.array([int(day.timestamp() * 1e6) + DAY // 2]))[0]
        for course in range(1, 7):
            expected = course_values(log, course, day)
            assert (expected["course_enrollments_30d"] if expected else 0) == found[course - 1]


def computed(of: Callable[..., ibis.Table], events: list[Event], *tables: ibis.Table) -> list[dict[str, Any]]:
    """Return the rows that DuckDB computes of events, in an order of their own."""
    with analytics() as connection:
        table = of(ibis.memtable(events_table(events)), *tables)
        rows = connection.to_pyarrow(table.order_by(table.columns[0], "event_timestamp")).to_pylist()
    return list(rows)


def test_events_told_twice_say_nothing_new() -> None:
    """Features of courses and learners and the log of training are those of each event once."""
    events = random_events(learners=20, courses=6, seed=4)
    twice = [*events, *(Event(each.id + 10_000, each.kind, each.learner, each.course, each.at) for each in events)]
    courses = ibis.memtable(courses_table(random_courses(6, seed=4)))
    assert computed(course_popularity, events) == computed(course_popularity, twice)
    assert computed(learner_features, events, courses) == computed(learner_features, twice, courses)
    frames = (events_table(each).to_pandas() for each in (events, twice))
    once, again = (
        learning_history(each.assign(course_id=each["course_id"] * 10), TRAITS, np.ones(SIZE, np.bool_))
        for each in frames
    )
    np.testing.assert_array_equal(once.interactions.moments, again.interactions.moments)
    np.testing.assert_array_equal(once.left, again.left)


def test_course_taken_before_it_was_published_counts() -> None:
    """An event from before its course is an event: it counts on its day, and ages are of the first of them."""
    before = START - timedelta(days=400)
    (row, *_) = computed(course_popularity, [Event(1, "enrolled", 1, 1, before)])
    assert before + timedelta(hours=24) == row["event_timestamp"]
    assert (1, int(before.timestamp())) == (row["course_enrollments_total"], row["course_first_enrolled_at"])


def test_features_of_today_know_no_future() -> None:
    """An event of next year stands in rows of next year, and in none before."""
    today = START + timedelta(days=60)
    events = random_events(learners=20, courses=6, seed=5)
    wrong = [*events, Event(99_999, "enrolled", 777, 2, datetime(2099, 1, 1, tzinfo=UTC))]
    courses = ibis.memtable(courses_table([Course(number, (), "BEGINNER", 0) for number in range(1, 7)]))
    for of, tables in ((course_popularity, ()), (learner_features, (courses,))):
        plain, told = computed(of, events, *tables), computed(of, wrong, *tables)
        assert [row for row in plain if row["event_timestamp"] <= today] == [
            row for row in told if row["event_timestamp"] <= today
        ]


def test_training_knows_no_future(tmp_path: Path) -> None:
    """One event that a wrong clock put into 2099 would make all others too old for models that forget."""
    now = START + timedelta(days=200)
    courses, events = random_courses(6, seed=6), random_events(learners=40, courses=6, seed=6)
    wrong = [*events, Event(99_999, "enrolled", 777, 2, datetime(2099, 1, 1, tzinfo=UTC))]
    found = []
    for number, told in enumerate((events, wrong)):
        lake = Lake(tmp_path / str(number))
        files = lake.write("e.parquet", events_table(told)), lake.write("c.parquet", courses_table(courses))
        lake.commit(Manifest(platform_id=UUID(int=1), exported_at=now, events=files[:1], courses=files[1]))
        history = load_history(lake, PARENTS, now)
        found.append(fit_similarities(history.interactions, 6))
        bent = fit_similarities(load_history(lake, PARENTS).interactions, 6)
    assert 0 < found[0].linear.nnz
    assert 0 == abs(found[0].linear - found[1].linear).max()
    assert bent.linear.max() < 1e-6 < found[0].linear.max()
