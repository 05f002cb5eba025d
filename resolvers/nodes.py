"""`node` and `nodes`: from an opaque id to the object, whatever its type, as far as the caller may see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from core.errors import InvalidArgumentError
from core.ids import GlobalId, decode_id
from resolvers import (
    accounts,
    assessments,
    attempts,
    courses,
    enrollments,
    lessons,
    recommendation_rules,
    reviews,
    revisions,
    topics,
    users,
)
from resolvers.context import Context

Loader = Callable[[Context, Sequence[int]], Awaitable[Sequence[Any]]]

_MOST_NODES = 100
# Every name that an id may carry, and how to load many of its objects; a test compares this with the types that
# implement Node. All kinds of lessons are one name, and all kinds of questions: a lesson may become another kind.
LOADERS: Mapping[str, Loader] = {
    "Assessment": assessments.by_ids,
    "Attempt": attempts.by_ids,
    "Course": courses.by_ids,
    "CourseRevision": revisions.by_ids,
    "Enrollment": enrollments.by_ids,
    "Instructor": courses.instructors_by_ids,
    "Lesson": lessons.by_ids,
    "Module": revisions.modules_by_ids,
    "Question": assessments.questions_by_ids,
    "RecommendationRule": recommendation_rules.by_ids,
    "Review": reviews.by_ids,
    "Topic": topics.by_ids,
    "User": users.by_ids,
    "Viewer": accounts.by_ids,
}


async def node(context: Context, roots: Sequence[None], *, id: str) -> list[Any]:  # noqa: A002 - the contract's name.
    """Return the object of an id, or None when there is none that the caller may see."""
    found = await _load(context, [id])
    return found * len(roots)


async def nodes(context: Context, roots: Sequence[None], *, ids: Sequence[str]) -> list[list[Any]]:
    """Return the object of each id, in order, with None where there is none that the caller may see.

    Raises:
        InvalidArgumentError: more than 100 ids.
    """
    if len(ids) > _MOST_NODES:
        raise InvalidArgumentError(f"`ids` may hold at most {_MOST_NODES} values.")
    return [await _load(context, ids)] * len(roots)


async def _load(context: Context, ids: Sequence[str]) -> list[Any]:
    wanted = [_decoded(value) for value in ids]
    found: dict[GlobalId, Any] = {}
    for type_name, loader in LOADERS.items():
        asked = list(dict.fromkeys(one for one in wanted if one is not None and one.type_name == type_name))
        if asked:
            found.update(zip(asked, await loader(context, [one.number for one in asked]), strict=True))
    return [None if one is None else found.get(one) for one in wanted]


def _decoded(value: str) -> GlobalId | None:
    try:
        decoded = decode_id(value)
        _ = decoded.number
    except InvalidArgumentError:
        return None
    return decoded
