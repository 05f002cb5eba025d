"""Courses: by key, in lists, and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidArgumentError
from core.ids import decode_key
from core.selections import TOTAL, Written
from database.queries import courses as queries, topics as topic_queries
from database.queries.course_filters import CourseOrderField
from database.queries.courses import (
    CourseInstructorRow,
    CourseRow,
    InstructorRow,
    PageShape,
    RankedCourseRow,
)
from database.queries.topics import CourseTopicRow
from database.tables.courses import CourseLevel
from resolvers.authors import viewpoint
from resolvers.batches import aligned, grouped
from resolvers.context import Context
from resolvers.course_searches import Reading, digest, read
from resolvers.pages import Count, Page, Window, page, window
from resolvers.writing import asked_for, rows_of

_LONGEST_QUERY = 200
_MOST_FILTER_VALUES = 100


@dataclass(frozen=True, slots=True)
class CourseKey:
    """How a client names one course: by its opaque id or by its slug."""

    id: str | None = None
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class CourseFilter:
    """What the courses of a list have in common; None means that it does not matter.

    Attributes:
        query: words to find in title, summary or description.
        topic_ids: opaque ids; a course is on any of them or on a child of one.
        levels: any of these.
        languages: any of these BCP 47 tags.
        max_duration_minutes: at most this long.
        min_rating: rated at least this, on average; courses without reviews are left out.
        skills: names; a course teaches any of them.
    """

    query: str | None = None
    topic_ids: tuple[str, ...] | None = None
    levels: tuple[CourseLevel, ...] | None = None
    languages: tuple[str, ...] | None = None
    max_duration_minutes: int | None = None
    min_rating: float | None = None
    skills: tuple[str, ...] | None = None

    def values(self) -> dict[str, Any]:
        """Return the parameters of the filters in use, as the statements name them.

        Raises:
            InvalidArgumentError: a text or a list is longer than we allow.
        """
        self._refuse_overlong()
        values: dict[str, Any] = {}
        if self.query is not None and self.query.strip():
            values["query"] = self.query.replace("\0", " ")
        if self.topic_ids is not None:
            keys = [decode_key(topic_id, "Topic") for topic_id in self.topic_ids]
            values["topic_ids"] = [key for key in keys if key is not None]
        if self.levels is not None:
            values["levels"] = [level.value for level in self.levels]
        if self.languages is not None:
            values["languages"] = [language.lower().replace("\0", "") for language in self.languages]
        if self.max_duration_minutes is not None:
            values["max_duration_minutes"] = self.max_duration_minutes
        if self.min_rating is not None:
            values["min_rating"] = self.min_rating
        if self.skills is not None:
            values["skills"] = [skill.replace("\0", "") for skill in self.skills]
        return values

    def _refuse_overlong(self) -> None:
        for name, listed in (
            ("topicIds", self.topic_ids),
            ("level", self.levels),
            ("language", self.languages),
            ("skills", self.skills),
        ):
            if listed is not None and len(listed) > _MOST_FILTER_VALUES:
                raise InvalidArgumentError(f"`{name}` may hold at most {_MOST_FILTER_VALUES} values.")
        if self.query is not None and len(self.query) > _LONGEST_QUERY:
            raise InvalidArgumentError(f"`query` may be at most {_LONGEST_QUERY} characters long.")


@dataclass(frozen=True, slots=True)
class Criteria:
    """A filter, with the reading of its search if it has one."""

    filter: CourseFilter | None
    reading: Reading | None

    def values(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        values = self.filter.values() if self.filter is not None else {}
        return values if self.reading is None else {**values, **self.reading.values()}


@dataclass(slots=True)
class CoursePage(Page[RankedCourseRow]):
    """A page of courses.

    Attributes:
        criteria: what all courses of the list have in common.
    """

    criteria: Criteria


@dataclass(frozen=True, slots=True)
class CourseOrder:
    """What a list is ordered by; without a direction, titles ascend and everything else descends."""

    field: CourseOrderField
    descending: bool | None = None


async def course(
    context: Context, roots: Sequence[None], *, by: CourseKey, written: Written | None = None
) -> list[CourseRow | None]:
    """Return the course that `by` names if the caller may see it, or None."""
    found: CourseRow | None = None
    selection, parameters = asked_for(context, written)
    if by.slug is not None:
        slug = by.slug.replace("\0", "")
        found = await context.reader.fetch_first(queries.visible_by_slug(selection), slug=slug, **parameters)
    elif by.id is not None and (key := decode_key(by.id, "Course")) is not None:
        found = await context.reader.fetch_first(queries.visible_by_id(selection), id=key, **parameters)
    return [found] * len(roots)


async def courses(
    context: Context,
    roots: Sequence[None],
    *,
    filter: CourseFilter | None = None,  # noqa: A002 - the argument's name in the contract.
    order_by: CourseOrder | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    written: Written | None = None,
) -> list[CoursePage]:
    """Return a page of the published courses that pass `filter`.

    Without an order, a search is ordered by relevance and any other list by popularity. The cursors of a search
    hold how it was read, so that a list goes on as it began, whatever is published meanwhile.

    Raises:
        InvalidArgumentError: a cursor is of another list, or the page is too large.
    """
    query = filter.values().get("query") if filter is not None else None
    order, descending = _order(order_by, searching=query is not None)
    scope = f"courses:{order}:{'desc' if descending else 'asc'}"
    kinds: tuple[type, ...] = (queries.rank_kind(order), int)
    if query is not None:
        scope, kinds = f"{scope}:{digest(query)}", (*kinds, str, bool)
    asked = window(scope=scope, kinds=kinds, first=first, after=after, last=last, before=before)
    reading = None if query is None else _reading(asked) or await read(context, query)
    criteria = Criteria(filter, reading)
    values = criteria.values()
    shape = PageShape(
        filters=frozenset(values),
        order=order,
        descending=descending,
        backward=asked.backward,
        after=asked.after is not None,
        before=asked.before is not None,
    )
    for name, bound in (("after", asked.after), ("before", asked.before)):
        if bound is not None:
            values[f"{name}_rank"], values[f"{name}_id"] = bound[:2]
    selection, parameters = asked_for(context, written)
    values |= {**parameters, "limit": rows_of(asked, selection)}
    rows = await context.reader.fetch(queries.page(shape, selection), **values)
    told = () if reading is None else (reading.query, reading.prefix)
    cut = page(rows, asked, scope=scope, key=lambda row: (row.rank, row.id, *told), count=Count(_count, criteria))
    total = rows[0][TOTAL] if rows and queries.counts(shape, selection) else None
    listed = CoursePage(
        cut.nodes, cut.cursor, cut.has_next_page, cut.has_previous_page, cut.count, criteria, total=total
    )
    return [listed] * len(roots)


def _reading(asked: Window) -> Reading | None:
    """Return how the list of a search was read when it began, if the window is a later one.

    Raises:
        InvalidArgumentError: the two ends are of different lists.
    """
    told = {Reading(*bound[2:]) for bound in (asked.after, asked.before) if bound is not None}
    if len(told) > 1:
        raise InvalidArgumentError("`after` and `before` are cursors of different lists.")
    return told.pop() if told else None


def _order(order_by: CourseOrder | None, *, searching: bool) -> tuple[CourseOrderField, bool]:
    natural = CourseOrderField.RELEVANCE if searching else CourseOrderField.POPULARITY
    order = order_by.field if order_by is not None else natural
    if order is CourseOrderField.RELEVANCE and not searching:
        order = CourseOrderField.POPULARITY
    descending = order is not CourseOrderField.TITLE
    if order_by is not None and order_by.descending is not None:
        descending = order_by.descending
    return order, descending


async def _count(context: Context, keys: Sequence[Criteria]) -> list[int]:
    # Lists of the same courses have the same length, whatever their order: one statement for each.
    totals: dict[Criteria, int] = {}
    for criteria in dict.fromkeys(keys):
        values = criteria.values()
        (row,) = await context.reader.fetch(queries.count(frozenset(values)), **values)
        totals[criteria] = row.count
    return [totals[criteria] for criteria in keys]


async def matching_ids(context: Context, asked: CourseFilter) -> frozenset[int]:
    """Return the keys of all published courses that pass a filter."""
    query = asked.values().get("query")
    values = Criteria(asked, None if query is None else await read(context, query)).values()
    return frozenset(row.id for row in await context.reader.fetch(queries.ids(frozenset(values)), **values))


async def by_ids(context: Context, keys: Sequence[int]) -> list[CourseRow | None]:
    """Return the course of each key if the caller may see it, or None."""
    found = await context.reader.fetch(queries.VISIBLE_BY_IDS, ids=list(keys), **viewpoint(context))
    return aligned(found, keys)


async def topics(context: Context, courses: Sequence[CourseRow]) -> list[list[CourseTopicRow]]:
    """Return the topics of each course, most important first."""
    rows = await context.reader.fetch(topic_queries.OF_COURSES, ids=_keys(courses))
    return grouped(rows, "course_id", [row.id for row in courses])


async def skills(context: Context, courses: Sequence[CourseRow]) -> list[list[str]]:
    """Return the names of the skills that each course teaches, most important first."""
    rows = await context.reader.fetch(topic_queries.SKILLS_OF_COURSES, ids=_keys(courses))
    names = {row.course_id: row.names for row in rows}
    return [names.get(course.id, []) for course in courses]


async def prerequisites(context: Context, courses: Sequence[CourseRow]) -> list[list[queries.PrerequisiteRow]]:
    """Return the published courses that each course builds upon, by title."""
    rows = await context.reader.fetch(queries.PREREQUISITES, ids=_keys(courses))
    return grouped(rows, "course_id", [row.id for row in courses])


async def instructors(
    context: Context, courses: Sequence[CourseRow], *, first: int | None = None, after: str | None = None
) -> list[Page[CourseInstructorRow]]:
    """Return a page of the people who teach each course, in the order that the course names them."""
    asked = window(scope="instructors", kinds=(int, int), first=first, after=after)
    values: dict[str, Any] = {}
    if asked.after is not None:
        values["after_position"], values["after_id"] = asked.after
    rows = await context.reader.fetch(
        queries.instructors_page(after=asked.after is not None), ids=_keys(courses), limit=asked.limit + 1, **values
    )
    return [
        page(
            taught,
            asked,
            scope="instructors",
            key=lambda row: (row.position, row.id),
            count=Count(_count_instructors, course.id),
        )
        for course, taught in zip(courses, grouped(rows, "course_id", [row.id for row in courses]), strict=True)
    ]


async def _count_instructors(context: Context, keys: Sequence[int]) -> list[int]:
    rows = await context.reader.fetch(queries.INSTRUCTOR_COUNTS, ids=list(keys))
    totals = {row.course_id: row.count for row in rows}
    return [totals.get(key, 0) for key in keys]


async def instructors_by_ids(context: Context, keys: Sequence[int]) -> list[InstructorRow | None]:
    """Return the instructor of each key, or None."""
    return aligned(await context.reader.fetch(queries.INSTRUCTORS_BY_IDS, ids=list(keys)), keys)


def _keys(courses: Sequence[CourseRow]) -> list[int]:
    return list({course.id for course in courses})
