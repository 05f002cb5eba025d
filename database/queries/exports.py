"""What the lake is exported from: the outbox in the order of its transactions, and the dimensions beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, bindparam, cast, exists, func, select, tuple_

from database.leases import RawConnection
from database.rows import Row
from database.session import Database
from database.statements import Statement
from database.tables.courses import course_instructors, course_prerequisites, course_skills, course_topics, courses
from database.tables.events import TransactionId, events
from database.tables.learners import erasures
from database.tables.platform import platform
from database.tables.preferences import learning_preference_topics, learning_preferences

# Any two processes that export, or compute features, take turns on these advisory locks.
EXPORT_LOCK = 7_236_913
FEATURES_LOCK = 7_236_915


class PlatformRow(Row):
    """The identity of the installation."""

    id: UUID
    simulated: bool
    name: str


class HorizonRow(Row):
    """The oldest transaction that is still running: events of it and of later ones are not final."""

    transaction_id: int


class EventRow(Row):
    """An event as the lake keeps it; moments are microseconds since 1970, `payload` is JSON text."""

    transaction_id: int
    id: int
    kind: str
    learner_id: int | None
    course_id: int | None
    occurred_at: int
    recorded_at: int
    recommendation_id: str | None
    payload: str


class WaitingRow(Row):
    """How many events are committed but not final."""

    count: int


class CourseDimensionRow(Row):
    """A course as the lake keeps it; lists are in the order that they are shown in."""

    course_id: int
    topic_ids: list[int]
    skill_ids: list[int]
    instructor_ids: list[int]
    prerequisite_ids: list[int]
    level: str
    language: str
    status: str
    duration_minutes: int
    published_at: datetime | None
    title: str


class PreferenceDimensionRow(Row):
    """A learner's saved preferences as the lake keeps them."""

    learner_id: int
    topic_ids: list[int]
    level: str
    goals: list[str]
    languages: list[str]
    saved_at: datetime


PLATFORM: Statement[PlatformRow] = Statement(select(platform.c.id, platform.c.simulated, platform.c.name), PlatformRow)


def _number(transaction: ColumnElement[Any]) -> ColumnElement[int]:
    # PostgreSQL casts xid8 to no number directly.
    return cast(cast(transaction, Text), BigInteger)


def _microseconds(moment: ColumnElement[Any]) -> ColumnElement[int]:
    # Numbers, because a million datetimes cost more than all the rest of an export.
    return cast(func.extract("epoch", moment) * 1_000_000, BigInteger)


_HORIZON = func.pg_snapshot_xmin(func.pg_current_snapshot())

HORIZON: Statement[HorizonRow] = Statement(select(_number(_HORIZON).label("transaction_id")), HorizonRow)

_AFTER = tuple_(events.c.transaction_id, events.c.id) > tuple_(
    cast(bindparam("transaction_id", type_=Text), TransactionId), bindparam("id", type_=BigInteger)
)

# The horizon and the rows are of one snapshot, so that nothing commits between them.
FINAL_EVENTS: Statement[EventRow] = Statement(
    select(
        _number(events.c.transaction_id).label("transaction_id"),
        events.c.id,
        events.c.kind,
        events.c.learner_id,
        events.c.course_id,
        _microseconds(events.c.occurred_at).label("occurred_at"),
        _microseconds(events.c.recorded_at).label("recorded_at"),
        cast(events.c.recommendation_id, Text).label("recommendation_id"),
        cast(events.c.payload, Text).label("payload"),
    )
    # Whatever was written about somebody after they were erased goes no further.
    .where(_AFTER, events.c.transaction_id < _HORIZON, ~exists().where(erasures.c.learner_id == events.c.learner_id))
    .order_by(events.c.transaction_id, events.c.id),
    EventRow,
)

WAITING_EVENTS: Statement[WaitingRow] = Statement(
    select(func.count().label("count")).select_from(events).where(events.c.transaction_id >= _HORIZON), WaitingRow
)


def _ids(key: ColumnElement[int], owner: ColumnElement[int], order: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    # An ordered array of the rows of one owner; never null.
    listed = (
        select(key.label("key")).where(owner == courses.c.id).order_by(*order, key).correlate(courses).scalar_subquery()
    )
    return func.array(listed, type_=ARRAY(BigInteger))


COURSE_DIMENSION: Statement[CourseDimensionRow] = Statement(
    select(
        courses.c.id.label("course_id"),
        _ids(course_topics.c.topic_id, course_topics.c.course_id, [course_topics.c.position]).label("topic_ids"),
        _ids(course_skills.c.skill_id, course_skills.c.course_id, [course_skills.c.position]).label("skill_ids"),
        _ids(course_instructors.c.instructor_id, course_instructors.c.course_id, [course_instructors.c.position]).label(
            "instructor_ids"
        ),
        _ids(course_prerequisites.c.prerequisite_id, course_prerequisites.c.course_id, []).label("prerequisite_ids"),
        courses.c.level,
        courses.c.language,
        courses.c.status,
        courses.c.duration_minutes,
        courses.c.published_at,
        courses.c.title,
    ).order_by(courses.c.id),
    CourseDimensionRow,
)

_CHOSEN = (
    select(learning_preference_topics.c.topic_id)
    .where(learning_preference_topics.c.learner_id == learning_preferences.c.learner_id)
    .order_by(learning_preference_topics.c.position, learning_preference_topics.c.topic_id)
    .correlate(learning_preferences)
    .scalar_subquery()
)

PREFERENCE_DIMENSION: Statement[PreferenceDimensionRow] = Statement(
    select(
        learning_preferences.c.learner_id,
        func.array(_CHOSEN, type_=ARRAY(BigInteger)).label("topic_ids"),
        learning_preferences.c.level,
        learning_preferences.c.goals,
        learning_preferences.c.languages,
        learning_preferences.c.saved_at,
    ).order_by(learning_preferences.c.learner_id),
    PreferenceDimensionRow,
)


@asynccontextmanager
async def turn(database: Database, lock: int) -> AsyncIterator[RawConnection]:
    """Lease a connection that holds an advisory lock to the end of the block, and wait for the lock first.

    The lock is the session's, not a transaction's: a snapshot taken after the wait sees what the one before wrote.
    """
    async with database.raw() as connection:
        # Waiting for another export, and reading a large outbox, take as long as they take.
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", lock)
        try:
            yield connection
        finally:
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", lock)
