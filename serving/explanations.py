"""Why a learner is, or is not, shown a course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.constraints import Constraints, Obstacle, ObstacleKind
from serving.rankings import RankedCourse, Strategy


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a learner is, or is not, shown a course.

    Attributes:
        strategy: what ranks their list.
        model_version: version of the release, when a model does.
        fallback_cause: as of `RankedList`.
        rank: its place from 1; None when it is not in the list.
        course: as it stands in the list; None when it does not.
        obstacles: all that keeps it from there.
        retrievers: what of the model's first stage brings it; None when no model ranks.
    """

    strategy: Strategy
    model_version: str | None
    fallback_cause: str | None
    rank: int | None
    course: RankedCourse | None
    obstacles: tuple[Obstacle, ...]
    retrievers: Sequence[str] | None


def obstacles_of(constraints: Constraints, course_id: int, *, listed: bool) -> tuple[Obstacle, ...]:
    """Return all that keeps a course from a list.

    Args:
        constraints: of the list.
        course_id: the course.
        listed: whether it is in the list all the same.
    """
    obstacles = tuple(constraints.obstacles(course_id))
    if obstacles or listed:
        return obstacles
    steps = constraints.steps(course_id, frozenset())
    return (steps if isinstance(steps, Obstacle) else Obstacle(ObstacleKind.NOT_A_CANDIDATE),)
