"""Who may see what belongs to the authors of a course."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.errors import ClientError, ForbiddenError
from database.queries import authors as queries
from database.queries.courses import CourseRow
from resolvers.context import Context
from security.policies import may_see_all_courses


async def refusals(context: Context, parents: Sequence[Any]) -> list[ClientError | None]:
    """Return None for each row whose course the caller has written or may see as a moderator, else the refusal.

    Args:
        context: the request.
        parents: courses, or rows that have a `course_id`.
    """
    keys = [course_key(parent) for parent in parents]
    written = await authored(context, keys)
    return [None if key in written else ForbiddenError("This is for the authors of the course.") for key in keys]


async def authored(context: Context, course_ids: Sequence[int]) -> frozenset[int]:
    """Return which of the courses the caller has written; all of them for moderators and administrators."""
    if context.identity is None:
        return frozenset()
    if may_see_all_courses(context.identity):
        return frozenset(course_ids)
    # Several fields of one level ask for the same courses.
    unknown = set(course_ids) - context.authorship.keys()
    if unknown:
        rows = await context.reader.fetch(
            queries.AUTHORED, course_ids=sorted(unknown), account_id=context.identity.account_id
        )
        mine = {row.id for row in rows}
        context.authorship.update({key: key in mine for key in unknown})
    return frozenset(key for key in course_ids if context.authorship[key])


def course_key(row: Any) -> int:
    """Return the key of the course that a row is or belongs to."""
    key: int = row.id if isinstance(row, CourseRow) else row.course_id
    return key


def viewpoint(context: Context) -> dict[str, Any]:
    """Return the caller as the conditions of `database.queries.visibility` ask for them."""
    identity = context.identity
    return {
        "learner_id": None if identity is None else identity.learner_id,
        "account_id": None if identity is None else identity.account_id,
        "sees_all_courses": may_see_all_courses(identity),
    }
