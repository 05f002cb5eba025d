"""Courses that are like others."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InvalidArgumentError
from database.queries import similar_courses as queries
from database.queries.courses import CourseRow
from database.queries.similar_courses import SimilarCourseRow
from resolvers.context import Context

_FEW = 10
_MOST = 20


async def similar_courses(
    context: Context, courses: Sequence[CourseRow], *, first: int | None = None
) -> list[list[SimilarCourseRow]]:
    """Return the published courses that are most like each course, one statement for all.

    Raises:
        InvalidArgumentError: more than 20 are asked for.
    """
    limit = _FEW if first is None else first
    if not 0 <= limit <= _MOST:
        raise InvalidArgumentError(f"`first` must be from 0 to {_MOST}.")
    groups: dict[int, list[SimilarCourseRow]] = {course.id: [] for course in courses}
    for row in await context.reader.fetch(queries.SIMILAR, ids=list(groups), limit=limit):
        groups[row.parent_id].append(row)
    return [groups[course.id] for course in courses]
