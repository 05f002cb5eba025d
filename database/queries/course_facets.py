"""Statements that count courses by level, language and topic."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, column, desc, func, literal_column, select
from sqlalchemy.dialects.postgresql import array

from database.queries.course_filters import COUNTED, filtered
from database.queries.topics import COLUMNS as TOPIC_COLUMNS, CountRow, TopicRow
from database.statements import Statement
from database.tables.courses import course_topics, courses
from database.tables.topics import topics

MOST_TOPICS = 100


class ValueCountRow(CountRow):
    """How many courses have a value."""

    value: str


class TopicCountRow(TopicRow):
    """A topic with the number of courses on it or on a child of it."""

    count: int


@lru_cache(maxsize=256)
def levels(filters: frozenset[str]) -> Statement[ValueCountRow]:
    """Return the statement that counts the courses of each level."""
    return _by(courses.c.level, filters)


@lru_cache(maxsize=256)
def languages(filters: frozenset[str]) -> Statement[ValueCountRow]:
    """Return the statement that counts the courses in each language."""
    return _by(courses.c.language, filters)


@lru_cache(maxsize=256)
def on_topics(filters: frozenset[str]) -> Statement[TopicCountRow]:
    """Return the statement that counts the courses on each topic: the hundred topics with the most."""
    matching = filtered(select(courses.c.id).select_from(COUNTED), filters).subquery("matching")
    above = (
        func.unnest(array([topics.c.id, topics.c.parent_id]))
        .table_valued(column("id", BigInteger), name="above")
        .render_derived()
    )
    counted = (
        select(above.c.id, func.count(course_topics.c.course_id.distinct()).label("count"))
        .select_from(
            matching.join(course_topics, course_topics.c.course_id == matching.c.id)
            .join(topics, topics.c.id == course_topics.c.topic_id)
            .join(above, above.c.id.is_not(None))
        )
        .group_by(above.c.id)
        .subquery("counted")
    )
    return Statement(
        select(*TOPIC_COLUMNS, counted.c.count)
        .select_from(topics.join(counted, counted.c.id == topics.c.id))
        .order_by(counted.c.count.desc(), topics.c.slug)
        .limit(literal_column(str(MOST_TOPICS))),
        TopicCountRow,
    )


def _by(value: Any, filters: frozenset[str]) -> Statement[ValueCountRow]:
    return Statement(
        filtered(select(value.label("value"), func.count().label("count")).select_from(COUNTED), filters)
        .group_by(value)
        .order_by(desc("count"), value),
        ValueCountRow,
    )
