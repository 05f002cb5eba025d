"""What is known of a learner at a moment, everything up to and including that moment.

*Activity* (when) counts every enrollment that was made: having been here is not undone by leaving a course.
*Taste* (how many, about what) counts the enrollments that stand: a course that was left speaks no more.
What courses are about is taken from the course dimension as it is now, for the past as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from features.enrollments import SECONDS_A_DAY, standing, transitions, unix_seconds, utc_day, whole

ENTITY = "learner_id"

LEARNER_FEATURES: Mapping[str, tuple[str, str]] = {
    "learner_enrollment_count": ("int64", "Enrollments that stand."),
    "learner_active_days": ("int64", "UTC days on which the learner enrolled in anything."),
    "learner_first_enrolled_at": ("int64", "First enrollment ever made, unix seconds."),
    "learner_last_enrolled_at": ("int64", "Last enrollment made, unix seconds."),
    "learner_mean_gap_days": ("float64", "Mean days between enrollments made; missing after the first."),
    "learner_topic_count": ("int64", "Distinct topics of the courses that stand."),
    "learner_topic_concentration": (
        "float64",
        "Chance that two topics drawn from the courses that stand are one (Herfindahl index); 1 is a single topic.",
    ),
    "learner_beginner_share": ("float64", "Share of the courses that stand that are for beginners."),
    "learner_advanced_share": ("float64", "Share of the courses that stand that are advanced."),
    "learner_mean_duration": ("float64", "Mean minutes of the courses that stand and whose length is known."),
}
"""Type and meaning of each feature; a missing value is null."""


def learner_features(events: ibis.Table, courses: ibis.Table) -> ibis.Table:
    """Return one row for each learner and moment at which an enrollment was made or left.

    Args:
        events: of the lake.
        courses: the lake's course dimension; a course that it lacks counts, and is about nothing.

    Returns:
        `learner_id`, `event_timestamp` (UTC, the moment itself) and `LEARNER_FEATURES`.
    """
    changes = transitions(events)
    told = changes.left_join(courses.select("course_id", "level", "duration_minutes"), "course_id")
    known = told.duration_minutes.fill_null(0) > 0
    steps = told.group_by("learner_id", "moment").agg(
        made=(told.step == 1).sum(),
        beginner=(told.step * _flag(told.level == "BEGINNER")).sum(),
        advanced=(told.step * _flag(told.level == "ADVANCED")).sum(),
        lengths=(told.step * _flag(known)).sum(),
        minutes=(told.step * ibis.ifelse(known, told.duration_minutes, 0)).sum(),
        enrolled_at=told.moment.max(where=told.step == 1),
    )
    steps = _with(steps, standing(changes))
    steps = _with(steps, _new_days(changes))
    steps = _with(steps, _topic_steps(changes, courses))
    return _described(_accumulated(steps))


def _accumulated(steps: ibis.Table) -> ibis.Table:
    """Sum what each moment changes over all moments up to it."""
    so_far = ibis.cumulative_window(group_by="learner_id", order_by=steps.moment)
    summed = ("made", "beginner", "advanced", "lengths", "minutes", "days", "topics", "entries", "squares")
    return steps.select(
        "learner_id",
        "moment",
        "standing",
        **{name: whole(steps[name].fill_null(0).sum().over(so_far)) for name in summed},
        first=unix_seconds(steps.enrolled_at.min().over(so_far)),
        last=unix_seconds(steps.enrolled_at.max().over(so_far)),
    )


def _described(sums: ibis.Table) -> ibis.Table:
    taking = sums.standing.nullif(0).cast("float64")
    columns = {
        "learner_enrollment_count": sums.standing,
        "learner_active_days": sums.days,
        "learner_first_enrolled_at": sums["first"],
        "learner_last_enrolled_at": sums["last"],
        "learner_mean_gap_days": (sums["last"] - sums["first"]) / (SECONDS_A_DAY * (sums.made - 1).nullif(0)),
        "learner_topic_count": sums.topics,
        "learner_topic_concentration": sums.squares / (sums.entries * sums.entries).nullif(0),
        "learner_beginner_share": sums.beginner / taking,
        "learner_advanced_share": sums.advanced / taking,
        "learner_mean_duration": sums.minutes / sums.lengths.nullif(0),
    }
    return sums.select(
        "learner_id",
        event_timestamp=sums.moment,
        **{name: columns[name].cast(kind) for name, (kind, _) in LEARNER_FEATURES.items()},
    )


def _new_days(changes: ibis.Table) -> ibis.Table:
    """Return `days`, 1 at the first enrollment of each UTC day."""
    made = changes.filter(changes.step == 1)
    made = made.mutate(day=utc_day(made.moment))
    firsts = made.group_by("learner_id", "day").agg(moment=made.moment.min())
    return firsts.group_by("learner_id", "moment").agg(days=firsts.count())


def _topic_steps(changes: ibis.Table, courses: ibis.Table) -> ibis.Table:
    """Return by how much each moment changes the number of topics, of entries in them, and of squared entries."""
    topics = courses.select("course_id", topic=courses.topic_ids.unnest()).distinct()
    listed = changes.inner_join(topics, "course_id")
    steps = listed.group_by("learner_id", "topic", "moment").agg(entries=listed.step.sum())
    so_far = ibis.cumulative_window(group_by=["learner_id", "topic"], order_by=steps.moment)
    steps = steps.mutate(after=steps.entries.sum().over(so_far))
    steps = steps.mutate(before=steps.after - steps.entries)
    return steps.group_by("learner_id", "moment").agg(
        topics=(_flag(steps.after > 0) - _flag(steps.before > 0)).sum(),
        entries=steps.entries.sum(),
        squares=(steps.after * steps.after - steps.before * steps.before).sum(),
    )


def _with(steps: ibis.Table, other: ibis.Table) -> ibis.Table:
    return steps.left_join(other, ["learner_id", "moment"]).drop("learner_id_right", "moment_right")


def _flag(condition: ibis.expr.types.BooleanValue) -> ibis.expr.types.IntegerValue:
    return ibis.ifelse(condition, 1, 0).cast("int64")
