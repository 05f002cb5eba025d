"""Statements about what staff wants of recommendations, and about the courses that their rules speak of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    any_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.course_filters import PUBLISHED
from database.queries.topics import CountRow
from database.rows import Row
from database.statements import Statement
from database.tables.courses import course_neighbors, course_prerequisites, course_statistics, course_topics, courses
from database.tables.recommendations import recommendation_rules
from database.tables.topics import topics

MOST_LIVE = 500
"""How many rules may be in force or yet to come at one time: each list is checked against all of them."""


class RuleRow(Row):
    """A rule, as it is stored."""

    id: int
    kind: str
    course_id: int | None
    topic_id: int | None
    surface: str | None
    around_course_id: int | None
    around_topic_id: int | None
    place: int | None
    weight: float | None
    starts_at: datetime
    ends_at: datetime | None
    note: str | None
    created_at: datetime
    updated_at: datetime


class CourseFactsRow(Row):
    """A published course: primary subtag of its language, its topics, the main one first, and how many take it."""

    course_id: int
    language: str
    topic_ids: list[int]
    published_at: datetime
    learners: int


class PrerequisiteRow(Row):
    """A course that builds upon another."""

    course_id: int
    prerequisite_id: int


class NeighborsRow(Row):
    """Courses that learners take together with one, the most similar first."""

    neighbor_ids: list[int]


_TABLE = recommendation_rules.c
_NOW = bindparam("now", type_=DateTime(timezone=True))
_COLUMNS = tuple(_TABLE[name] for name in RuleRow.__annotations__)

NOT_OVER: Statement[RuleRow] = Statement(
    select(*_COLUMNS)
    .where(or_(_TABLE.ends_at.is_(None), _TABLE.ends_at > _NOW))
    .order_by(_TABLE.id)
    .limit(literal_column(str(2 * MOST_LIVE))),
    RuleRow,
)

BY_IDS: Statement[RuleRow] = Statement(
    select(*_COLUMNS).where(_TABLE.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))), RuleRow
)

_TOPICS = func.array(
    select(course_topics.c.topic_id)
    .where(course_topics.c.course_id == courses.c.id)
    .order_by(course_topics.c.position, course_topics.c.topic_id)
    .scalar_subquery(),
    type_=ARRAY(BigInteger),
)
COURSE_FACTS: Statement[CourseFactsRow] = Statement(
    select(
        courses.c.id.label("course_id"),
        func.split_part(courses.c.language, literal_column("'-'", Text), literal_column("1", Integer)).label(
            "language"
        ),
        _TOPICS.label("topic_ids"),
        courses.c.published_at,
        func.coalesce(course_statistics.c.enrollment_count, literal_column("0", Integer)).label("learners"),
    )
    .select_from(courses.outerjoin(course_statistics, course_statistics.c.course_id == courses.c.id))
    .where(PUBLISHED)
    .order_by(courses.c.id),
    CourseFactsRow,
)

PREREQUISITES: Statement[PrerequisiteRow] = Statement(
    select(course_prerequisites.c.course_id, course_prerequisites.c.prerequisite_id).order_by(
        course_prerequisites.c.course_id, course_prerequisites.c.prerequisite_id
    ),
    PrerequisiteRow,
)

NEIGHBORS: Statement[NeighborsRow] = Statement(
    select(course_neighbors.c.neighbor_ids).where(
        course_neighbors.c.course_id == bindparam("course_id", type_=BigInteger)
    ),
    NeighborsRow,
)


def _conditions(*, course: bool, in_force: bool | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if course:
        conditions.append(_TABLE.course_id == bindparam("course_id", type_=BigInteger))
    running = (_TABLE.starts_at <= _NOW) & or_(_TABLE.ends_at.is_(None), _TABLE.ends_at > _NOW)
    if in_force is not None:
        conditions.append(running if in_force else ~running)
    return conditions


@lru_cache(maxsize=12)
def page(*, course: bool, in_force: bool | None, after: bool) -> Statement[RuleRow]:
    """Return the statement of a page of rules, newest first: `course_id`, `now`, `after_id`, `limit`."""
    statement = select(*_COLUMNS).where(*_conditions(course=course, in_force=in_force))
    if after:
        statement = statement.where(_TABLE.id < bindparam("after_id", type_=BigInteger))
    return Statement(statement.order_by(_TABLE.id.desc()).limit(bindparam("limit", type_=BigInteger)), RuleRow)


@lru_cache(maxsize=6)
def count(*, course: bool, in_force: bool | None) -> Statement[CountRow]:
    """Return the statement that counts rules: `course_id`, `now`."""
    conditions = _conditions(course=course, in_force=in_force)
    return Statement(select(func.count().label("count")).select_from(recommendation_rules).where(*conditions), CountRow)


async def create(connection: AsyncConnection, values: Mapping[str, Any], now: datetime) -> int:
    """Store a rule and return its key."""
    statement = insert(recommendation_rules).values(**values, created_at=now, updated_at=now).returning(_TABLE.id)
    key: int = (await connection.execute(statement)).scalar_one()
    return key


async def lock(connection: AsyncConnection, rule_id: int) -> Any | None:
    """Lock a rule and return it; None when there is none."""
    found = await connection.execute(select(*_COLUMNS).where(_TABLE.id == rule_id).with_for_update())
    return found.one_or_none()


async def change(connection: AsyncConnection, rule_id: int, values: Mapping[str, Any], now: datetime) -> None:
    """Change a rule that is locked."""
    await connection.execute(update(recommendation_rules).where(_TABLE.id == rule_id).values(**values, updated_at=now))


async def remove(connection: AsyncConnection, rule_id: int) -> bool:
    """Delete a rule; False when there is none."""
    return bool((await connection.execute(delete(recommendation_rules).where(_TABLE.id == rule_id))).rowcount)


async def live_count(connection: AsyncConnection, now: datetime) -> int:
    """Return how many rules are in force or yet to come."""
    live = or_(_TABLE.ends_at.is_(None), _TABLE.ends_at > now)
    found: int = (
        await connection.execute(select(func.count()).select_from(recommendation_rules).where(live))
    ).scalar_one()
    return found


async def exists_course(connection: AsyncConnection, course_id: int) -> bool:
    """Say whether there is a course."""
    return bool((await connection.execute(select(exists().where(courses.c.id == course_id)))).scalar_one())


async def exists_topic(connection: AsyncConnection, topic_id: int) -> bool:
    """Say whether there is a topic."""
    return bool((await connection.execute(select(exists().where(topics.c.id == topic_id)))).scalar_one())
