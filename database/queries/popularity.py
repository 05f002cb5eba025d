"""The lists that need no model: popular courses, and courses on what a learner chose at onboarding."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Double,
    Integer,
    Select,
    Text,
    all_,
    any_,
    bindparam,
    case,
    cast,
    distinct,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from database.rows import Row
from database.statements import Statement
from database.tables.courses import CourseLevel, CourseStatus, course_statistics, course_topics, courses
from database.tables.enrollments import enrollments
from database.tables.recommendations import recommendation_dismissals
from database.tables.topics import topics

_MOST_TOPICS = 3


class PopularCourseRow(Row):
    """A published course that the learner has not taken."""

    course_id: int
    enrollment_count: int
    score: float


class PreferredCourseRow(PopularCourseRow):
    """The same; `topic_id` is the chosen topic that it is on, or null."""

    topic_id: int | None


def _text(value: str) -> ColumnElement[str]:
    return literal_column(f"'{value}'", Text)


_COUNT: ColumnElement[int] = func.coalesce(course_statistics.c.enrollment_count, literal_column("0", Integer))
_LEARNER = bindparam("learner_id", type_=BigInteger)
_ALLOWED = bindparam("allowed", type_=ARRAY(BigInteger))
_HIDDEN = bindparam("hidden", type_=ARRAY(BigInteger))
_LANGUAGES = bindparam("languages", type_=ARRAY(Text))
_TOPICS = bindparam("topic_ids", type_=ARRAY(BigInteger))
_LEVEL = bindparam("level", type_=Text)
_PRIMARY_LANGUAGE = func.split_part(courses.c.language, _text("-"), literal_column("1", Integer))
_ALL_LEVELS = _text(CourseLevel.ALL_LEVELS.value)


def _shown(query: Select[Any]) -> Select[Any]:
    """Keep published, allowed, readable courses, neither hidden, taken nor dismissed; null allows everything."""
    taken = exists().where(enrollments.c.learner_id == _LEARNER, enrollments.c.course_id == courses.c.id)
    dismissals = recommendation_dismissals.c
    dismissed = exists().where(dismissals.learner_id == _LEARNER, dismissals.course_id == courses.c.id)
    return query.outerjoin(course_statistics, course_statistics.c.course_id == courses.c.id).where(
        courses.c.status == _text(CourseStatus.PUBLISHED.value),
        or_(_ALLOWED.is_(None), courses.c.id == any_(_ALLOWED)),
        or_(_LANGUAGES.is_(None), any_(_LANGUAGES) == _PRIMARY_LANGUAGE),
        courses.c.id != all_(_HIDDEN),
        ~taken,
        ~dismissed,
    )


POPULAR: Statement[PopularCourseRow] = Statement(
    _shown(
        select(
            courses.c.id.label("course_id"),
            _COUNT.label("enrollment_count"),
            cast(_COUNT, Double).label("score"),
        ).select_from(courses)
    )
    .order_by(_COUNT.desc(), courses.c.id)
    .limit(bindparam("limit", type_=Integer)),
    PopularCourseRow,
)

# A course on a topic below a chosen one is on the chosen one.
_CHOSEN = case((course_topics.c.topic_id == any_(_TOPICS), course_topics.c.topic_id), else_=topics.c.parent_id)
_MATCHES = (
    select(
        course_topics.c.course_id,
        func.count(distinct(_CHOSEN)).label("matches"),
        func.min(_CHOSEN).label("topic_id"),
    )
    .join_from(course_topics, topics)
    .where(or_(course_topics.c.topic_id == any_(_TOPICS), topics.c.parent_id == any_(_TOPICS)))
    .group_by(course_topics.c.course_id)
    .subquery("matched")
)
_FITS = or_(_LEVEL == _ALL_LEVELS, courses.c.level == _LEVEL, courses.c.level == _ALL_LEVELS)
_MATCH = literal_column("2", Integer) * func.least(
    func.coalesce(_MATCHES.c.matches, literal_column("0", Integer)), literal_column(str(_MOST_TOPICS), Integer)
) + cast(_FITS, Integer)
# Matches decide, then popularity, which never outweighs a match.
_PREFERENCE = _MATCH + cast(_COUNT, Double) / (cast(_COUNT, Double) + literal_column("1.0", Double))

PREFERRED: Statement[PreferredCourseRow] = Statement(
    _shown(
        select(
            courses.c.id.label("course_id"),
            _COUNT.label("enrollment_count"),
            _PREFERENCE.label("score"),
            _MATCHES.c.topic_id,
        )
        .select_from(courses)
        .outerjoin(_MATCHES, _MATCHES.c.course_id == courses.c.id)
    )
    .order_by(_PREFERENCE.desc(), courses.c.id)
    .limit(bindparam("limit", type_=Integer)),
    PreferredCourseRow,
)
