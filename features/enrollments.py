"""Which enrollments stand at a moment, read from a log that may repeat itself and come in any order.

Per learner and course, events are ordered by the moment they happened on. Enrolling in a course that one
takes, and leaving one that one does not take, change nothing and are dropped: what remains alternates between
enrolling and leaving. At one instant leaving comes before enrolling, so that who did both takes the course.

Expressions are plain ibis: DuckDB runs them here, Spark runs the same on a cluster.
"""

from __future__ import annotations

import ibis

SECONDS_A_DAY = 86_400


def transitions(events: ibis.Table) -> ibis.Table:
    """Return each change of an enrollment.

    Args:
        events: `event_id`, `kind`, `learner_id`, `course_id`, `occurred_at`; in any order, duplicates allowed.

    Returns:
        `learner_id` and `course_id` int64, `moment` (when), `step` int64 (1 enrolls, -1 leaves), `left_at` (of a
        row that enrolls: when the learner left that course again, or null).
    """
    told = events.filter(
        events.kind.isin(["enrolled", "unenrolled"]), events.learner_id.notnull(), events.course_id.notnull()
    )
    told = told.select(
        "learner_id",
        "course_id",
        "event_id",
        moment=told.occurred_at,
        step=ibis.ifelse(told.kind == "enrolled", 1, -1).cast("int64"),
    )
    # Leaving is -1 and sorts first at the same instant.
    ordered = ibis.window(group_by=["learner_id", "course_id"], order_by=[told.moment, told.step, told.event_id])
    told = told.mutate(previous=told.step.lag().over(ordered))
    changes = told.filter(told.step != told.previous.fill_null(-1))
    ordered = ibis.window(
        group_by=["learner_id", "course_id"], order_by=[changes.moment, changes.step, changes.event_id]
    )
    return changes.select("learner_id", "course_id", "moment", "step", left_at=changes.moment.lead().over(ordered))


def standing(changes: ibis.Table) -> ibis.Table:
    """Return how many enrollments of a learner stand, at each moment that changes one.

    Args:
        changes: `transitions`.

    Returns:
        `learner_id`, `moment`, `standing` (through that moment), `standing_before` (strictly before it); int64.
    """
    steps = changes.group_by("learner_id", "moment").agg(change=changes.step.sum())
    so_far = ibis.cumulative_window(group_by="learner_id", order_by=steps.moment)
    summed = steps.mutate(standing=whole(steps.change.sum().over(so_far)))
    return summed.select("learner_id", "moment", "standing", standing_before=whole(summed.standing - summed.change))


def whole(total: ibis.expr.types.NumericValue) -> ibis.expr.types.IntegerValue:
    """Return a sum of integers as int64.

    DuckDB sums in 128 bits, which Parquet lacks and becomes a float there; ibis takes the sum for an int64
    already and would drop a plain cast.
    """
    return total.cast("float64").cast("int64")


def unix_seconds(moment: ibis.expr.types.TimestampValue) -> ibis.expr.types.IntegerValue:
    """Return whole seconds since 1970, rounded down, int64."""
    return moment.epoch_seconds().cast("int64")


def utc_day(moment: ibis.expr.types.TimestampValue) -> ibis.expr.types.IntegerValue:
    """Return the number of the UTC day since 1970-01-01, int64."""
    return (unix_seconds(moment) // SECONDS_A_DAY).cast("int64")
