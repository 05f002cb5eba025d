"""Revisions of courses and the modules that they consist of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from database.queries import courses as course_queries, revisions as queries, topics as topic_queries
from database.queries.courses import CourseRow
from database.queries.revisions import ModuleRow, RevisionRow
from database.queries.topics import TopicRow
from resolvers.authors import viewpoint
from resolvers.batches import aligned, grouped
from resolvers.context import Context
from resolvers.pages import Count, Page, page, window

_SCOPE = "revisions"


async def modules(context: Context, courses: Sequence[CourseRow]) -> list[list[ModuleRow]]:
    """Return the modules of each course in the revision that the caller gets to see."""
    keys = list({row.id for row in courses})
    learner_id = viewpoint(context)["learner_id"]
    rows = await context.reader.fetch(queries.SHOWN_MODULES, ids=keys, learner_id=learner_id)
    return grouped(rows, "course_id", [row.id for row in courses])


async def revision_modules(context: Context, revisions: Sequence[RevisionRow]) -> list[list[ModuleRow]]:
    """Return the modules of each revision, in order."""
    rows = await context.reader.fetch(queries.MODULES_OF_REVISIONS, ids=list({row.id for row in revisions}))
    return grouped(rows, "revision_id", [row.id for row in revisions])


async def draft(context: Context, courses: Sequence[CourseRow]) -> list[RevisionRow | None]:
    """Return the revision of each course that is being written or reviewed, or None."""
    rows = await context.reader.fetch(queries.OPEN_OF_COURSES, ids=[row.id for row in courses])
    found = {row.course_id: row for row in rows}
    return [found.get(row.id) for row in courses]


async def revisions(
    context: Context, courses: Sequence[CourseRow], *, first: int | None = None, after: str | None = None
) -> list[Page[RevisionRow]]:
    """Return a page of each course's revisions, newest first.

    Raises:
        InvalidArgumentError: the cursor is of another list, or the page is too large.
    """
    asked = window(scope=_SCOPE, kinds=(int,), first=first, after=after)
    values: dict[str, Any] = {"ids": list({row.id for row in courses}), "limit": asked.limit + 1}
    if asked.after is not None:
        (values["after_number"],) = asked.after
    rows = await context.reader.fetch(queries.page(after=asked.after is not None), **values)
    return [
        page(found, asked, scope=_SCOPE, key=lambda row: (row.number,), count=Count(_count, course.id))
        for course, found in zip(courses, grouped(rows, "course_id", [row.id for row in courses]), strict=True)
    ]


async def _count(context: Context, keys: Sequence[int]) -> list[int]:
    rows = await context.reader.fetch(queries.COUNTS_OF_COURSES, ids=list(keys))
    totals = {row.course_id: row.count for row in rows}
    return [totals.get(key, 0) for key in keys]


async def course(context: Context, revisions: Sequence[RevisionRow]) -> list[CourseRow]:
    """Return the course of each revision."""
    rows = await context.reader.fetch(course_queries.BY_IDS, ids=list({row.course_id for row in revisions}))
    found = {row.id: row for row in rows}
    return [found[row.course_id] for row in revisions]


async def topics(context: Context, revisions: Sequence[RevisionRow]) -> list[list[TopicRow]]:
    """Return the topics of each revision, most important first."""
    keys = sorted({key for row in revisions for key in row.topic_ids})
    found = {row.id: row for row in await context.reader.fetch(topic_queries.BY_IDS, ids=keys)}
    return [[found[key] for key in row.topic_ids if key in found] for row in revisions]


async def prerequisites(context: Context, revisions: Sequence[RevisionRow]) -> list[list[CourseRow]]:
    """Return the courses that each revision builds upon, as far as they are published."""
    keys = sorted({key for row in revisions for key in row.prerequisite_ids})
    found = {row.id: row for row in await context.reader.fetch(course_queries.PUBLISHED_BY_IDS, ids=keys)}
    return [[found[key] for key in row.prerequisite_ids if key in found] for row in revisions]


async def by_ids(context: Context, keys: Sequence[int]) -> list[RevisionRow | None]:
    """Return the revision of each key if the caller may see it, or None."""
    return aligned(await context.reader.fetch(queries.VISIBLE_BY_IDS, ids=list(keys), **viewpoint(context)), keys)


async def modules_by_ids(context: Context, keys: Sequence[int]) -> list[ModuleRow | None]:
    """Return the module of each key if the caller may see it, or None."""
    return aligned(
        await context.reader.fetch(queries.VISIBLE_MODULES_BY_IDS, ids=list(keys), **viewpoint(context)), keys
    )
