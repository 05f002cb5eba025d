"""Statements about courses: by key, in pages by any order and filter, and what hangs on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)

from core.selections import TOTAL, Selection
from database.queries.course_filters import COUNTED, PUBLISHED, RANKS, TIES, CourseOrderField, filtered
from database.queries.topics import CountRow
from database.queries.visibility import course_is_visible
from database.queries.written import Related, Table, carrying, columns, most_together
from database.rows import Row
from database.statements import Statement, bounded, parents
from database.tables.courses import (
    course_instructors,
    course_prerequisites,
    course_statistics,
    courses,
    instructors,
)


class CourseRow(Row):
    """A course as clients may see it."""

    id: int
    slug: str
    title: str
    summary: str | None
    description: str | None
    level: str
    language: str
    status: str
    duration_minutes: int
    published_at: datetime | None
    version: int
    enrollment_count: int
    rating_count: int
    rating_sum: int


class RankedCourseRow(CourseRow):
    """A course in a page, with its sort key; `rank` is a number, or a text when ordered by title."""

    rank: float | int | str


class PrerequisiteRow(CourseRow):
    """A course that the course `course_id` builds upon."""

    course_id: int


class InstructorRow(Row):
    """The public profile of somebody who teaches."""

    id: int
    display_name: str


class CourseInstructorRow(InstructorRow):
    """An instructor of the course `course_id`, with the place in its list."""

    course_id: int
    position: int


class CourseCountRow(CountRow):
    """A number about the course `course_id`."""

    course_id: int


class IdRow(Row):
    """A key."""

    id: int


@dataclass(frozen=True, slots=True)
class PageShape:
    """What decides the text of a page's statement, apart from the values.

    Attributes:
        filters: names of the filters in use; see `database.queries.course_filters`.
        order: what the list is ordered by.
        descending: the direction of the list, whichever end the page is taken from.
        backward: whether the page is taken from the end.
        after: whether there is a lower bound.
        before: whether there is an upper bound.
    """

    filters: frozenset[str]
    order: CourseOrderField
    descending: bool
    backward: bool
    after: bool
    before: bool


COLUMNS = (
    courses.c.id,
    courses.c.slug,
    courses.c.title,
    courses.c.summary,
    courses.c.description,
    courses.c.level,
    courses.c.language,
    courses.c.status,
    courses.c.duration_minutes,
    courses.c.published_at,
    courses.c.version,
    course_statistics.c.enrollment_count,
    course_statistics.c.rating_count,
    course_statistics.c.rating_sum,
)
COURSE = Table("Course", {each.name: each for each in COLUMNS})
INSTRUCTOR = Table("Instructor", {each.name: each for each in (instructors.c.id, instructors.c.display_name)})
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))
_SQL_TYPES: dict[type[Any], Any] = {float: Double, int: BigInteger, str: Text}

BY_IDS = Statement(select(*COLUMNS).select_from(COUNTED).where(courses.c.id == _IDS), CourseRow)

PUBLISHED_BY_IDS = Statement(select(*COLUMNS).select_from(COUNTED).where(courses.c.id == _IDS, PUBLISHED), CourseRow)

# Of a course that is found by its key the counters may be left out: PostgreSQL does not look at the right side of an
# outer join whose columns nobody wants.
_BY_KEY = courses.outerjoin(course_statistics)

VISIBLE_BY_IDS = Statement(
    select(*COLUMNS).select_from(_BY_KEY).where(courses.c.id == _IDS, course_is_visible()), CourseRow
)

# One key and not a list of them: PostgreSQL keeps the plan, as it knows that there is at most one row.
_VISIBLE = select(*COLUMNS).select_from(_BY_KEY).where(course_is_visible())
_VISIBLE_BY_SLUG = _VISIBLE.where(courses.c.slug == bindparam("slug", type_=Text))
_VISIBLE_BY_ID = _VISIBLE.where(courses.c.id == bindparam("id", type_=BigInteger))

_PREREQUISITES = (
    select(course_prerequisites.c.course_id, *COLUMNS)
    .select_from(course_prerequisites.join(courses, courses.c.id == course_prerequisites.c.prerequisite_id))
    .join(course_statistics, course_statistics.c.course_id == courses.c.id)
    .where(PUBLISHED)
    .order_by(course_prerequisites.c.course_id, courses.c.title, courses.c.id)
)
PREREQUISITES = Statement(_PREREQUISITES.where(course_prerequisites.c.course_id == _IDS), PrerequisiteRow)
PREREQUISITES_OF_COURSE = Related(COURSE, _PREREQUISITES, course_prerequisites.c.course_id)

COURSE_OF = Related(
    COURSE,
    select(*COLUMNS).select_from(_BY_KEY),
    courses.c.id,
    parent="course_id",
    many=False,
    certain=True,
)
"""The course that a row with a `course_id` belongs to."""

INSTRUCTORS_BY_IDS = Statement(
    select(instructors.c.id, instructors.c.display_name).where(instructors.c.id == _IDS), InstructorRow
)

INSTRUCTOR_COUNTS = Statement(
    select(course_instructors.c.course_id, func.count().label("count"))
    .where(course_instructors.c.course_id == _IDS)
    .group_by(course_instructors.c.course_id),
    CourseCountRow,
)


_INSTRUCTORS = (
    select(instructors.c.id, instructors.c.display_name, cast(course_instructors.c.position, Integer).label("position"))
    .join_from(course_instructors, instructors)
    .order_by(course_instructors.c.position, instructors.c.id)
)
INSTRUCTORS_OF_COURSE = Related(INSTRUCTOR, _INSTRUCTORS, course_instructors.c.course_id, paged=True)


@lru_cache(maxsize=512)
def visible_by_slug(selection: Selection | None = None) -> Statement[CourseRow]:
    """Return the statement of the course of a `slug`, if the caller may see it."""
    return Statement(carrying(selection, _VISIBLE_BY_SLUG, ("id",)), CourseRow, together=most_together(selection))


@lru_cache(maxsize=512)
def visible_by_id(selection: Selection | None = None) -> Statement[CourseRow]:
    """Return the statement of the course `id`, if the caller may see it."""
    return Statement(carrying(selection, _VISIBLE_BY_ID, ("id",)), CourseRow, together=most_together(selection))


@lru_cache(maxsize=2)
def instructors_page(*, after: bool) -> Statement[CourseInstructorRow]:
    """Return the statement of one page of instructors for each of `ids`: `limit`, and `after_*` if asked."""
    parent = parents("ids")
    place = tuple_(course_instructors.c.position, instructors.c.id)
    part = _INSTRUCTORS.where(course_instructors.c.course_id == parent.c.id).limit(bindparam("limit", type_=BigInteger))
    if after:
        part = part.where(
            place > tuple_(bindparam("after_position", type_=BigInteger), bindparam("after_id", type_=BigInteger))
        )
    chosen = part.lateral("chosen")
    return Statement(
        select(parent.c.id.label("course_id"), *chosen.c)
        .select_from(parent.join(chosen, literal_column("true")))
        .order_by(parent.c.id, chosen.c.position, chosen.c.id),
        CourseInstructorRow,
    )


@lru_cache(maxsize=512)
def page(shape: PageShape, selection: Selection | None = None) -> Statement[RankedCourseRow]:
    """Return the statement of a page of published courses.

    Parameters are those of its filters, `limit`, and `after_rank`, `after_id`, `before_rank`, `before_id`
    for the bounds in use.
    """
    rank, kind = RANKS[shape.order]
    tie = TIES.get(shape.order, courses.c.id)
    place = tuple_(rank, tie)
    statement = filtered(select(*COLUMNS, rank.label("rank")).select_from(COUNTED), shape.filters)
    for bound, used in (("after", shape.after), ("before", shape.before)):
        if used:
            limit = tuple_(
                bindparam(f"{bound}_rank", type_=_SQL_TYPES[kind]), bindparam(f"{bound}_id", type_=BigInteger)
            )
            greater = (bound == "after") != shape.descending
            statement = statement.where(place > limit if greater else place < limit)
    if shape.descending != shape.backward:
        statement = statement.order_by(rank.desc(), tie.desc())
    else:
        statement = statement.order_by(rank, tie)

    def wanted(most: FromClause) -> Sequence[ColumnElement[Any]]:
        found = columns(selection, most, ("id", "rank"))
        return [*found, _total(shape.filters)] if counts(shape, selection) else found

    return Statement(bounded(statement, columns=wanted), RankedCourseRow)


def counts(shape: PageShape, selection: Selection | None) -> bool:
    """Say whether the rows of a page tell how long its list is.

    Those of a search do not: what is counted of it is counted once, in a statement of its own.
    """
    return selection is not None and selection.total and "query" not in shape.filters


@lru_cache(maxsize=256)
def count(filters: frozenset[str]) -> Statement[CountRow]:
    """Return the statement that counts the published courses which pass the filters."""
    return Statement(_count(filters), CountRow)


def _count(filters: frozenset[str]) -> Select[Any]:
    return filtered(select(func.count().label("count")).select_from(_counted(filters)), filters)


def _total(filters: frozenset[str]) -> ColumnElement[Any]:
    return _count(filters).scalar_subquery().label(TOTAL)


@lru_cache(maxsize=256)
def ids(filters: frozenset[str]) -> Statement[IdRow]:
    """Return the statement of the keys of all published courses which pass the filters."""
    return Statement(filtered(select(courses.c.id).select_from(_counted(filters)), filters), IdRow)


def _counted(filters: frozenset[str]) -> FromClause:
    """Return where courses are looked for: beside their counters only if a filter looks at those."""
    return COUNTED if "min_rating" in filters else courses


def rank_kind(order: CourseOrderField) -> type[Any]:
    """Return the Python type of the rank in this order."""
    return RANKS[order][1]
