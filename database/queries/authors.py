"""Statements about who writes which course, and what waits to be published."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Text, any_, bindparam, cast, func, select, tuple_

from database.queries.courses import COLUMNS, COUNTED, CourseRow, IdRow
from database.queries.topics import CountRow
from database.queries.visibility import is_one
from database.statements import Statement
from database.tables.courses import course_instructors, courses, instructors
from database.tables.revisions import RevisionStatus, course_revisions


class ReviewedCourseRow(CourseRow):
    """A course in review, with the microsecond since 1970 that it was submitted."""

    submitted_at: int


AUTHORED = Statement(
    select(course_instructors.c.course_id.label("id"))
    .join_from(course_instructors, instructors)
    .where(
        course_instructors.c.course_id == any_(bindparam("course_ids", type_=ARRAY(BigInteger))),
        instructors.c.account_id == bindparam("account_id", type_=BigInteger),
    ),
    IdRow,
)

_WRITTEN_BY = (
    select(course_instructors.c.course_id)
    .join_from(course_instructors, instructors)
    .where(instructors.c.account_id == bindparam("account_id", type_=BigInteger))
)
_WRITTEN: tuple[ColumnElement[bool], ...] = (
    courses.c.id.in_(_WRITTEN_BY),
    courses.c.status == any_(bindparam("statuses", type_=ARRAY(Text))),
)
_SUBMITTED = cast(func.extract("epoch", course_revisions.c.submitted_at) * 1_000_000, BigInteger)
_IN_REVIEW = is_one(course_revisions.c.status, RevisionStatus.IN_REVIEW)

AUTHORED_COUNT = Statement(select(func.count().label("count")).select_from(courses).where(*_WRITTEN), CountRow)

IN_REVIEW_COUNT = Statement(
    select(func.count().label("count")).select_from(course_revisions).where(_IN_REVIEW), CountRow
)


@lru_cache(maxsize=2)
def authored_page(*, after: bool) -> Statement[CourseRow]:
    """Return the statement of a page of courses of `account_id` in `statuses`, newest first: `limit`, `after_id`."""
    statement = select(*COLUMNS).select_from(COUNTED).where(*_WRITTEN)
    if after:
        statement = statement.where(courses.c.id < bindparam("after_id", type_=BigInteger))
    return Statement(statement.order_by(courses.c.id.desc()).limit(bindparam("limit", type_=BigInteger)), CourseRow)


@lru_cache(maxsize=2)
def review_page(*, after: bool) -> Statement[ReviewedCourseRow]:
    """Return the statement of a page of what is in review, longest first: `after_at`, `after_id`, `limit`."""
    place = tuple_(_SUBMITTED, courses.c.id)
    statement = (
        select(*COLUMNS, _SUBMITTED.label("submitted_at"))
        .select_from(COUNTED.join(course_revisions, course_revisions.c.course_id == courses.c.id))
        .where(_IN_REVIEW)
    )
    if after:
        last = tuple_(bindparam("after_at", type_=BigInteger), bindparam("after_id", type_=BigInteger))
        statement = statement.where(place > last)
    return Statement(
        statement.order_by(_SUBMITTED, courses.c.id).limit(bindparam("limit", type_=BigInteger)), ReviewedCourseRow
    )
