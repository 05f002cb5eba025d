"""What serving is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from database.tables.recommendations import RecommendationSurface


class Strategy(StrEnum):
    """What ranked a list."""

    MODEL = "MODEL"
    PREFERENCE = "PREFERENCE"
    POPULARITY = "POPULARITY"


class ReasonKind(StrEnum):
    """Why a course is in a list."""

    STAFF_PICK = "STAFF_PICK"
    NEXT_IN_SEQUENCE = "NEXT_IN_SEQUENCE"
    PREPARES_FOR = "PREPARES_FOR"
    NEW_COURSE = "NEW_COURSE"

    BECAUSE_YOU_TOOK = "BECAUSE_YOU_TOOK"
    MATCHES_GOAL = "MATCHES_GOAL"
    POPULAR_IN_TOPIC = "POPULAR_IN_TOPIC"
    POPULAR = "POPULAR"


class Reason(NamedTuple):
    """One true reason; it speaks of the learner's own history and choices, and never of another learner."""

    kind: ReasonKind
    course_id: int | None = None
    topic_id: int | None = None


class RankedCourse(NamedTuple):
    """A course in its place; `score` orders the list it stands in and means nothing beyond."""

    course_id: int
    score: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class RecommendationRequest:
    """Who asks for how many courses.

    Attributes:
        learner_id: None for a caller who is signed out.
        now: the moment of decision.
        limit: the longest list that is wanted.
        allowed: ids of the courses that may be shown; None for all.
        surface: where the list is shown; None for a plain list.
        around: id of the course that the list is shown beside or after.
        readable: ids of the courses that are published in a language of the learner; None for all. The same object
            as long as nothing changes, so that whoever ranks may remember what it made of it.
        hidden: ids of the courses that must not be shown, whatever they are.
        variant: what else distinguishes lists of one learner, such as a filter in words; `allowed` follows from it.
    """

    learner_id: int | None
    now: datetime
    limit: int
    allowed: frozenset[int] | None = None
    surface: RecommendationSurface | None = None
    around: int | None = None
    readable: frozenset[int] | None = None
    hidden: frozenset[int] = frozenset()
    variant: str = ""


@dataclass(frozen=True, slots=True)
class RankedList:
    """An answer.

    Attributes:
        strategy: what ranked it.
        model_version: version of the release, when a model did.
        courses: best first.
        fallback_cause: why it was not the model, for operators; None when it was, or was never meant to be.
    """

    strategy: Strategy
    model_version: str | None
    courses: tuple[RankedCourse, ...]
    fallback_cause: str | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a model ranks courses by.

    Attributes:
        version: of the release.
        names: of the features.
        rows: their values, by course.
    """

    version: str
    names: tuple[str, ...]
    rows: Mapping[int, Sequence[float]]


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some places of a ranked list.

    Attributes:
        list_id: names the list for its later pages and for what learners do with it.
        kept: whether a later page finds the list by its name; otherwise it is ranked anew.
        start: how many places come before.
        courses: of these places that may still be shown, each with its place in the whole list, from 1.
        end: the last place of the page, shown or not.
        more: whether a place follows.
        strategy: what ranked these places.
        model_version: version of the release, when a model did.
    """

    list_id: UUID
    kept: bool
    start: int
    courses: tuple[tuple[int, RankedCourse], ...]
    end: int
    more: bool
    strategy: Strategy
    model_version: str | None
