"""Statements about what learners did with recommendations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.rows import Row
from database.statements import Statement
from database.tables.courses import courses
from database.tables.enrollments import enrollments
from database.tables.learners import learners
from database.tables.recommendations import (
    RecommendationEventKind,
    recommendation_dismissals,
    recommendation_exposures,
    recommendation_feedback,
)


class OutcomeRow(Row):
    """What became of the lists that a learner was shown."""

    learner_id: int
    impressions: int
    clicks: int
    enrollments: int


def _outcomes() -> Statement[OutcomeRow]:
    feedback, taken = recommendation_feedback.c, enrollments.c
    kinds = {
        "impressions": RecommendationEventKind.IMPRESSION,
        "clicks": RecommendationEventKind.CLICK,
    }
    counts = [func.count().filter(feedback.kind == kind.value).label(name) for name, kind in kinds.items()]
    # Lists are named by identifiers in the order of time, so that those of before do not count.
    first, since = bindparam("first_list", type_=Uuid()), bindparam("since", type_=DateTime(timezone=True))
    told = (
        select(feedback.learner_id, *counts)
        .where(feedback.recorded_at >= since, feedback.recommendation_id >= first)
        .group_by(feedback.learner_id)
        .subquery()
    )
    enrolled = (
        select(taken.learner_id, func.count().label("number"))
        .where(taken.enrolled_at >= since, taken.recommendation_id >= first)
        .group_by(taken.learner_id)
        .subquery()
    )
    number = func.coalesce(enrolled.c.number, 0).label("enrollments")
    joined = told.outerjoin(enrolled, enrolled.c.learner_id == told.c.learner_id)
    return Statement(
        select(told, number).select_from(joined).where(told.c.impressions > 0).order_by(told.c.learner_id), OutcomeRow
    )


OUTCOMES: Statement[OutcomeRow] = _outcomes()
"""Every learner who saw a list since a moment, `since`; of the lists from `first_list` on, what was done with them."""


class Feedback(NamedTuple):
    """What a learner did with a course of a list."""

    recommendation_id: UUID
    course_id: int
    kind: str


async def count_once(
    connection: AsyncConnection, learner_id: int, feedback: Sequence[Feedback], now: datetime
) -> set[Feedback]:
    """Remember reports, and return those that were new; two servers that receive one count it once."""
    rows = [{"learner_id": learner_id, "recorded_at": now, **one._asdict()} for one in sorted(set(feedback))]
    if not rows:
        return set()
    statement = insert_or(recommendation_feedback).values(rows).on_conflict_do_nothing()
    table = recommendation_feedback.c
    counted = await connection.execute(statement.returning(table.recommendation_id, table.course_id, table.kind))
    return {Feedback(*row) for row in counted}


class Exposure(NamedTuple):
    """A place of a list that was shown to a learner."""

    recommendation_id: UUID
    place: int
    learner_id: int


async def log_once(connection: AsyncConnection, exposures: Sequence[Exposure], now: datetime) -> set[Exposure]:
    """Remember places that were shown, and return those that were new, of learners that there still are.

    Their rows are locked, so that nobody is erased while something is written about them.
    """
    wanted = sorted({one.learner_id for one in exposures})
    locked = select(learners.c.id).where(learners.c.id.in_(wanted)).order_by(learners.c.id)
    there = set((await connection.execute(locked.with_for_update(read=True, key_share=True))).scalars())
    rows = [{**one._asdict(), "recorded_at": now} for one in sorted(set(exposures)) if one.learner_id in there]
    if not rows:
        return set()
    statement = insert_or(recommendation_exposures).values(rows).on_conflict_do_nothing()
    table = recommendation_exposures.c
    logged = await connection.execute(statement.returning(table.recommendation_id, table.place, table.learner_id))
    return {Exposure(*row) for row in logged}


async def forget_before(connection: AsyncConnection, moment: datetime) -> None:
    """Forget which reports and places were counted before a moment; the events themselves stay."""
    await connection.execute(delete(recommendation_exposures).where(recommendation_exposures.c.recorded_at < moment))
    await connection.execute(delete(recommendation_feedback).where(recommendation_feedback.c.recorded_at < moment))


async def existing_courses(connection: AsyncConnection, course_ids: Sequence[int]) -> set[int]:
    """Return which of the courses there are."""
    found = await connection.execute(select(courses.c.id).where(courses.c.id.in_(sorted(set(course_ids)))))
    return set(found.scalars())


async def dismiss(connection: AsyncConnection, learner_id: int, course_ids: Sequence[int], now: datetime) -> None:
    """Keep courses from a learner's recommendations; dismissing one again changes nothing."""
    rows = [{"learner_id": learner_id, "course_id": key, "dismissed_at": now} for key in sorted(set(course_ids))]
    if rows:
        await connection.execute(insert_or(recommendation_dismissals).values(rows).on_conflict_do_nothing())
