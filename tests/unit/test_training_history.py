"""The log: what was known before a moment, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings, strategies as st

from features.pair import DAY
from tests.simulated_history import simulated_traits
from training.history import LearningHistory, learning_history

COURSES = 6
START = pd.Timestamp("2025-03-01T00:00:00Z")
TRAITS = simulated_traits(COURSES)
ZERO = START.value // 1000


def history_of(*rows: tuple[str, int | None, int, int]) -> LearningHistory:
    """Return the log of (kind, learner, course, minute)."""
    frame = pd.DataFrame(list(rows), columns=["kind", "learner_id", "course_id", "minute"])
    frame["occurred_at"] = START + pd.to_timedelta(frame.pop("minute"), unit="min")
    return learning_history(frame, TRAITS, np.ones(COURSES, np.bool_))


def minute(number: int) -> int:
    """Return a moment in microseconds."""
    return int(ZERO + number * 60_000_000)


def known_at(history: LearningHistory, learner: int, number: int) -> list[int]:
    """Return the ids of what a learner was taking strictly before a minute, newest first."""
    place = np.searchsorted(history.learner_ids, [learner])
    before = history.before(place, np.array([minute(number)]))
    return [int(each) for each in TRAITS.course_ids[before.courses]]


def test_before_is_strict_and_newest_first() -> None:
    """A course taken at the very moment is not yet known."""
    history = history_of(("enrolled", 1, 10, 0), ("enrolled", 1, 30, 5), ("enrolled", 1, 20, 9), ("enrolled", 2, 40, 1))
    assert [30, 10] == known_at(history, 1, 9)
    assert [20, 30, 10] == known_at(history, 1, 10)
    assert [] == known_at(history, 2, 1)


def test_a_course_that_was_left_is_known_until_then() -> None:
    """Leaving takes a course out of later histories and not out of earlier ones; taking it again brings it back."""
    history = history_of(("enrolled", 1, 10, 0), ("unenrolled", 1, 10, 5), ("enrolled", 1, 10, 8))
    assert [[10], [10], [], [10]] == [known_at(history, 1, number) for number in (1, 5, 6, 9)]


def test_what_is_not_known_is_left_out() -> None:
    """Events of unknown courses, without a learner, and of other kinds, and repeated enrollments do not count."""
    history = history_of(
        ("enrolled", 1, 10, 0),
        ("enrolled", 1, 10, 1),
        ("enrolled", 1, 999, 2),
        ("enrolled", None, 20, 2),
        ("preferences_saved", 1, 20, 3),
    )
    assert [10] == known_at(history, 1, 100)
    assert 1 == len(history.interactions)


rows = st.lists(
    st.tuples(
        st.sampled_from(["enrolled", "enrolled", "unenrolled"]),
        st.integers(1, 3),
        st.sampled_from([10, 20, 30]),
        st.integers(0, 12),
    ),
    min_size=1,
    max_size=25,
)


@given(rows=rows, learner=st.integers(1, 3), number=st.integers(0, 13))
@settings(max_examples=80, deadline=None)
def test_before_equals_a_replay(rows: list[tuple[str, int, int, int]], learner: int, number: int) -> None:
    """What was known equals what replaying the events up to the moment leaves, in whatever order they arrived."""
    history = history_of(*rows)
    taking: set[int] = set()
    for kind, who, course, when in sorted(rows, key=lambda row: (row[3], row[0] == "enrolled")):
        if who == learner and when < number:
            (taking.add if kind == "enrolled" else taking.discard)(course)
    if learner in history.learner_ids:
        # Leaving at the very moment is not known yet either.
        assert taking == set(known_at(history, learner, number))


def test_popularity_counts_whole_days_before_the_day() -> None:
    """Enrollments of the day itself, and of 31 days before, do not count."""
    day = 24 * 60
    history = history_of(
        ("enrolled", 1, 10, 0),
        ("enrolled", 2, 10, 40 * day),
        ("enrolled", 3, 10, 41 * day),
        ("enrolled", 3, 20, 41 * day),
    )
    moment = minute(41 * day + 60)
    assert [1.0, 0.0] == history.popularity(np.array([moment]))[0, :2].tolist()
    assert [2.0, 1.0] == history.popularity(np.array([moment + DAY]))[0, :2].tolist()


def test_earlier_counts_what_was_taken_strictly_before() -> None:
    """Courses that were taken at the same instant do not count for each other."""
    history = history_of(("enrolled", 1, 10, 0), ("enrolled", 1, 20, 5), ("enrolled", 1, 30, 5), ("enrolled", 1, 40, 6))
    assert [0, 1, 1, 3] == history.earlier.tolist()
