"""What is known of a course on a day, everything strictly before that day's midnight, UTC.

Values change at midnights only, which is what makes a table of changes small and a matrix of all courses
current for a whole day. An enrollment of day d enters at d + 1 and leaves a window of w days at d + 1 + w; one
that was left on day l is out of every value from l + 1 on, as if it had not been made. What is taken by somebody who
takes more than `ROBOTIC` courses already is in no value at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import ibis

from features.enrollments import SECONDS_A_DAY, standing, transitions, unix_seconds, utc_day, whole
from features.interactions import ROBOTIC

ENTITY = "course_id"
WINDOWS = (7, 30, 90)
LEVELS = ("BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS")

POPULARITY_FEATURES: Mapping[str, tuple[str, str]] = {
    "course_enrollments_total": ("int64", "Enrollments that stand."),
    **{
        f"course_enrollments_{days}d": ("int64", f"Enrollments of the last {days} days that stand.") for days in WINDOWS
    },
    "course_first_enrolled_at": ("int64", "First enrollment ever made, unix seconds."),
    "course_learner_experience": (
        "float64",
        "Mean number of courses that learners were taking when they enrolled, over enrollments that stand.",
    ),
}
"""Type and meaning of each feature that changes with time; a missing value is null."""

PROFILE_FEATURES: Mapping[str, tuple[str, str]] = {
    "course_level_code": ("int64", "1 beginner, 2 intermediate, 3 advanced, 4 all levels; 0 anything else."),
    "course_duration_minutes": ("int64", "Length in minutes; missing when not known."),
    "course_topic_count": ("int64", "Topics that it is listed under."),
    "course_skill_count": ("int64", "Skills that it teaches."),
    "course_prerequisite_count": ("int64", "Courses that it builds upon."),
}
"""Type and meaning of each feature of the course dimension."""

PROFILE_KNOWN_SINCE = datetime(2000, 1, 1, tzinfo=UTC)
"""The event timestamp of every profile. The dimension keeps no history: what a course is about is treated as
known since before any enrollment, for a course is what it is from its first day, and edits are rare."""


def course_popularity(events: ibis.Table) -> ibis.Table:
    """Return one row for each course and UTC day on which a value changes, in the future too as windows run out.

    Args:
        events: of the lake.

    Returns:
        `course_id`, `event_timestamp` (UTC midnight) and `POPULARITY_FEATURES`.
    """
    made = _made(transitions(events))
    days = _day_steps(made)
    so_far = ibis.cumulative_window(group_by="course_id", order_by=days.day)
    names = [name for name in days.columns if name not in ("course_id", "day")]
    sums = days.select("course_id", "day", **{name: whole(days[name].sum().over(so_far)) for name in names})
    firsts = made.group_by("course_id").agg(first=unix_seconds(made.moment.min()))
    sums = sums.inner_join(firsts, "course_id")
    columns = {
        "course_enrollments_total": sums.total,
        **{f"course_enrollments_{days}d": sums[f"window_{days}"] for days in WINDOWS},
        "course_first_enrolled_at": sums["first"],
        "course_learner_experience": sums.experience / sums.total.nullif(0),
    }
    return sums.select(
        "course_id",
        event_timestamp=(sums.day * SECONDS_A_DAY).as_timestamp("s").cast("timestamp('UTC', 6)"),
        **{name: columns[name].cast(kind) for name, (kind, _) in POPULARITY_FEATURES.items()},
    )


def course_profile(courses: ibis.Table) -> ibis.Table:
    """Return one row for each course.

    Args:
        courses: the lake's course dimension.

    Returns:
        `course_id`, `event_timestamp` (`PROFILE_KNOWN_SINCE`) and `PROFILE_FEATURES`.
    """
    level = ibis.cases(*((courses.level == name, code) for code, name in enumerate(LEVELS, start=1)), else_=0)
    columns = {
        "course_level_code": level,
        "course_duration_minutes": courses.duration_minutes.nullif(0),
        "course_topic_count": courses.topic_ids.length(),
        "course_skill_count": courses.skill_ids.length(),
        "course_prerequisite_count": courses.prerequisite_ids.length(),
    }
    return courses.select(
        "course_id",
        event_timestamp=ibis.literal(PROFILE_KNOWN_SINCE, "timestamp('UTC', 6)"),
        **{name: columns[name].cast(kind) for name, (kind, _) in PROFILE_FEATURES.items()},
    )


def _made(changes: ibis.Table) -> ibis.Table:
    """Return enrollments: the day each enters, the day it is out again (or null), and the learner's experience."""
    made = changes.filter(changes.step == 1)
    before = standing(changes)
    made = made.inner_join(before, ["learner_id", "moment"])
    made = made.filter(made.standing_before <= ROBOTIC)
    return made.select(
        "course_id",
        "moment",
        enters=utc_day(made.moment) + 1,
        leaves=utc_day(made.left_at) + 1,
        experience=made.standing_before,
    )


def _day_steps(made: ibis.Table) -> ibis.Table:
    """Return `course_id`, `day` and by how much that day changes each sum."""
    zeros = dict.fromkeys(("total", *(f"window_{days}" for days in WINDOWS), "experience"), 0)
    entering = {**dict.fromkeys(zeros, 1), "experience": made.experience}
    steps = [_step(made, made.enters, entering)]
    for days in WINDOWS:
        # The window runs out, or the learner leaves before that; null is never.
        out = ibis.least(made.enters + days, made.leaves.fill_null(made.enters + days))
        steps.append(_step(made, out, {**zeros, f"window_{days}": -1}))
    left = made.filter(made.leaves.notnull())
    steps.append(_step(left, left.leaves, {**zeros, "total": -1, "experience": -left.experience}))
    together = ibis.union(*steps)
    return together.group_by("course_id", "day").agg(**{name: together[name].sum() for name in zeros})


def _step(made: ibis.Table, day: ibis.expr.types.IntegerValue, changes: Mapping[str, Any]) -> ibis.Table:
    values = {name: ibis.literal(value) if isinstance(value, int) else value for name, value in changes.items()}
    return made.select(
        "course_id", day=day.cast("int64"), **{name: value.cast("int64") for name, value in values.items()}
    )
