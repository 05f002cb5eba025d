"""What the lists of courses have in common: which courses pass a filter, and where each stands in an order."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import REGCONFIG, TSQUERY

from database.tables.courses import (
    CourseStatus,
    course_skills,
    course_statistics,
    course_topics,
    courses,
)
from database.tables.topics import skills, topics


class CourseOrderField(StrEnum):
    """What a list of courses is ordered by."""

    RELEVANCE = "RELEVANCE"
    POPULARITY = "POPULARITY"
    RATING = "RATING"
    NEWEST = "NEWEST"
    TITLE = "TITLE"


COUNTED = courses.join(course_statistics)
"""Every course has its row of counters."""
PUBLISHED = courses.c.status == literal_column(f"'{CourseStatus.PUBLISHED}'")

# What each language makes of the words of a search; computed once a statement.
_ASKED = (
    select(column("configuration", REGCONFIG), column("query", TSQUERY))
    .select_from(
        func.search_queries(bindparam("query", type_=Text), bindparam("prefix", type_=Boolean))
        .table_valued(column("configuration", REGCONFIG), column("query", TSQUERY), name="each")
        .render_derived()
    )
    .cte("asked")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
_TEXT = cast(_ASKED.c.query, Text)
# Of any language: what the index is asked. The course's own language decides afterwards.
_ANY_LANGUAGE = (
    select(cast(func.string_agg(literal_column("'('") + _TEXT + literal_column("')'"), literal_column("'|'")), TSQUERY))
    .where(literal_column("''") != _TEXT)
    .scalar_subquery()
)

# A match in the title alone comes before any other; then how close together and how prominent the words are, in a
# short text rather than in a long one (`ts_rank_cd`: cover density, Clarke, Cormack and Tudhope 1999). A doubling of
# the learners counts like a slightly better match; whole doublings, so that an enrollment seldom moves a course.
_IN_TITLE = func.ts_filter(courses.c.search, literal_column("'{a}'")).op("@@", return_type=Boolean())(_ASKED.c.query)
_MATCH = func.ts_rank_cd(
    literal_column("'{0.1, 0.2, 0.4, 1.0}'::real[]"), courses.c.search, _ASKED.c.query, literal_column("1 | 32")
)
_DOUBLINGS = func.floor(
    func.ln(cast(course_statistics.c.enrollment_count + literal_column("1"), Double))
    / literal_column("0.6931471805599453")
)
_RELEVANCE = cast(
    case((_IN_TITLE, literal_column("2")), else_=literal_column("0"))
    + _MATCH
    + literal_column("0.02") * func.least(_DOUBLINGS, literal_column("20")),
    Double,
)
# Microseconds, so that a cursor holds the moment exactly.
_PUBLISHED_MICROSECONDS = cast(func.extract("epoch", courses.c.published_at) * 1_000_000, BigInteger)

RANKS: dict[CourseOrderField, tuple[ColumnElement[Any], type[Any]]] = {
    CourseOrderField.RELEVANCE: (_RELEVANCE, float),
    CourseOrderField.POPULARITY: (course_statistics.c.enrollment_count, int),
    CourseOrderField.RATING: (course_statistics.c.rating_rank, float),
    CourseOrderField.NEWEST: (_PUBLISHED_MICROSECONDS, int),
    CourseOrderField.TITLE: (courses.c.title, str),
}
# Which column breaks the ties of an order: the one beside the rank in its index, so that the index is read in order.
TIES: dict[CourseOrderField, ColumnElement[int]] = {
    CourseOrderField.POPULARITY: course_statistics.c.course_id,
    CourseOrderField.RATING: course_statistics.c.course_id,
}


def filtered(statement: Select[Any], filters: Collection[str]) -> Select[Any]:
    """Return a statement over `courses` and `course_statistics` that keeps what is published and passes the filters.

    Args:
        statement: selects from `COUNTED`.
        filters: names of those in use, whose values are parameters of the same names; `query` comes with `prefix`:
            whether its last word may go on.
    """
    if "query" in filters:
        statement = statement.join(
            _ASKED, _ASKED.c.configuration == func.search_configuration(courses.c.language, type_=REGCONFIG)
        ).where(courses.c.search.op("@@")(_ANY_LANGUAGE))
    return statement.where(PUBLISHED, *(_CONDITIONS[name] for name in sorted(filters) if name in _CONDITIONS))


def _on_topics() -> ColumnElement[bool]:
    """Return whether a course is on one of the topics `topic_ids` or on one of their children."""
    chosen = any_(bindparam("topic_ids", type_=ARRAY(BigInteger)))
    return exists(
        select(literal_column("1"))
        .select_from(course_topics.join(topics))
        .where(course_topics.c.course_id == courses.c.id, or_(topics.c.id == chosen, topics.c.parent_id == chosen))
    )


def _teaches() -> ColumnElement[bool]:
    return exists(
        select(literal_column("1"))
        .select_from(course_skills.join(skills))
        .where(course_skills.c.course_id == courses.c.id, skills.c.name == any_(bindparam("skills", type_=ARRAY(Text))))
    )


def _rated() -> ColumnElement[bool]:
    enough = bindparam("min_rating", type_=Double) * course_statistics.c.rating_count
    return (course_statistics.c.rating_count > literal_column("0")) & (course_statistics.c.rating_sum >= enough)


_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "query": courses.c.search.op("@@", return_type=Boolean())(_ASKED.c.query),
    "levels": courses.c.level == any_(bindparam("levels", type_=ARRAY(Text))),
    "languages": courses.c.language == any_(bindparam("languages", type_=ARRAY(Text))),
    "max_duration_minutes": courses.c.duration_minutes <= bindparam("max_duration_minutes", type_=Integer),
    "topic_ids": _on_topics(),
    "skills": _teaches(),
    "min_rating": _rated(),
}
