"""Lists for those who write and publish: an author's courses, and what waits for a moderator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from database.queries import authors as queries
from database.queries.authors import ReviewedCourseRow
from database.queries.courses import CourseRow
from database.tables.courses import CourseStatus
from resolvers.accounts import Viewer
from resolvers.context import Context
from resolvers.pages import Count, Page, page, window


async def authored_courses(
    context: Context,
    viewers: Sequence[Viewer],
    *,
    first: int | None = None,
    after: str | None = None,
    status: CourseStatus | None = None,
) -> list[Page[CourseRow]]:
    """Return a page of the courses that each viewer has written, newest first.

    Raises:
        InvalidArgumentError: the cursor is of another list, or the page is too large.
    """
    statuses = tuple(CourseStatus) if status is None else (status,)
    scope = f"authoredCourses:{status or ''}"
    asked = window(scope=scope, kinds=(int,), first=first, after=after)
    values: dict[str, Any] = {"statuses": [one.value for one in statuses], "limit": asked.limit + 1}
    if asked.after is not None:
        (values["after_id"],) = asked.after
    statement = queries.authored_page(after=asked.after is not None)
    answers = []
    # A viewer is only ever the caller, so there is one.
    for viewer in viewers:
        rows = await context.reader.fetch(statement, account_id=viewer.id, **values)
        count = Count(_count_authored, (viewer.id, statuses))
        answers.append(page(rows, asked, scope=scope, key=lambda row: (row.id,), count=count))
    return answers


async def courses_in_review(
    context: Context, roots: Sequence[None], *, first: int | None = None, after: str | None = None
) -> list[Page[ReviewedCourseRow]]:
    """Return a page of what is in review, longest first; errors as for `authored_courses`."""
    scope = "coursesInReview"
    asked = window(scope=scope, kinds=(int, int), first=first, after=after)
    values: dict[str, Any] = {"limit": asked.limit + 1}
    if asked.after is not None:
        values["after_at"], values["after_id"] = asked.after
    rows = await context.reader.fetch(queries.review_page(after=asked.after is not None), **values)
    answer = page(
        rows, asked, scope=scope, key=lambda row: (row.submitted_at, row.id), count=Count(_count_in_review, None)
    )
    return [answer] * len(roots)


async def _count_authored(context: Context, keys: Sequence[tuple[int, tuple[CourseStatus, ...]]]) -> list[int]:
    totals = []
    for account_id, statuses in keys:
        values = {"account_id": account_id, "statuses": [one.value for one in statuses]}
        (row,) = await context.reader.fetch(queries.AUTHORED_COUNT, **values)
        totals.append(row.count)
    return totals


async def _count_in_review(context: Context, keys: Sequence[None]) -> list[int]:
    (row,) = await context.reader.fetch(queries.IN_REVIEW_COUNT)
    return [row.count] * len(keys)
