"""Why a learner is, or is not, shown a course: for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InvalidArgumentError
from core.ids import decode_key
from database.queries import courses as course_queries, recommendation_rules as rule_queries, users as user_queries
from database.queries.courses import CourseRow
from database.queries.recommendation_rules import RuleRow
from database.tables.recommendations import RecommendationSurface
from resolvers.commands import transact
from resolvers.context import Context
from resolvers.recommendation_reasons import RecommendationReason
from resolvers.recommendations import told_reasons
from security.audit import Subject
from serving.constraints import Obstacle, ObstacleKind
from serving.rankings import RecommendationRequest, Strategy

_TEXTS = {
    ObstacleKind.UNPUBLISHED: "The course is not published.",
    ObstacleKind.TAKEN: "The learner takes the course, or has completed it.",
    ObstacleKind.LEFT: "The learner took the course and left.",
    ObstacleKind.ON_THIS_PAGE: "The list is shown beside this course.",
    ObstacleKind.DISMISSED: "The learner does not want to see the course.",
    ObstacleKind.BELOW_COMPLETED: "The learner has completed a course that builds upon it.",
    ObstacleKind.LANGUAGE: "The course is in a language that the learner does not read.",
    ObstacleKind.EXCLUDED: "Staff has excluded the course.",
    ObstacleKind.FILTERED: "The filter of the list leaves the course out.",
    ObstacleKind.PREREQUISITE: "The learner has not completed a prerequisite, which cannot be shown before it.",
    ObstacleKind.NOT_A_CANDIDATE: "Nothing that ranks knows the course yet.",
}


@dataclass(frozen=True, slots=True)
class RecommendationObstacle:
    """One reason why a course is not shown, with the rows that it refers to."""

    kind: ObstacleKind
    text: str
    rule: RuleRow | None
    course: CourseRow | None


@dataclass(frozen=True, slots=True)
class RecommendationExplanation:
    """Where a course stands in a learner's list, or what keeps it from there."""

    shown: bool
    rank: int | None
    score: float | None
    strategy: Strategy
    model_version: str | None
    fallback_cause: str | None
    retrievers: Sequence[str] | None
    obstacles: Sequence[RecommendationObstacle]
    reasons: Sequence[RecommendationReason]


async def recommendation_explanation(
    context: Context,
    roots: Sequence[None],
    *,
    user_id: str,
    course_id: str,
    surface: RecommendationSurface | None = None,
    around_course_id: str | None = None,
) -> list[RecommendationExplanation | None]:
    """Return why a learner is or is not shown a course; None when there is no such account or course.

    Raises:
        InvalidArgumentError: the list would be beside what is no course.
        UnavailableError: PostgreSQL cannot be reached.
    """
    account_id, key = decode_key(user_id, "User"), decode_key(course_id, "Course")
    around = None if around_course_id is None else decode_key(around_course_id, "Course")
    if around_course_id is not None and around is None:
        raise InvalidArgumentError("`aroundCourseId` is not the id of a course.")
    account = await context.reader.fetch_first(user_queries.BY_IDS, ids=[account_id]) if account_id else None
    course = await context.reader.fetch_first(course_queries.BY_IDS, ids=[key]) if key else None
    if account is None or course is None:
        return [None] * len(roots)
    # What somebody learns is personal: who looked is on record.
    async with transact(context, "explain_recommendation", Subject("Account", account.id)) as act:
        act.details["course_id"] = course.id
    request = RecommendationRequest(account.learner_id, context.clock(), 0, surface=surface, around=around)
    found = await context.services.recommender.explain(context.reader, request, course.id)
    answer = RecommendationExplanation(
        shown=found.rank is not None,
        rank=found.rank,
        score=found.course.score if found.course is not None else None,
        strategy=found.strategy,
        model_version=found.model_version,
        fallback_cause=found.fallback_cause,
        retrievers=found.retrievers,
        obstacles=await _told(context, found.obstacles),
        reasons=[] if found.course is None else await told_reasons(context, found.course),
    )
    return [answer] * len(roots)


async def _told(context: Context, obstacles: Sequence[Obstacle]) -> list[RecommendationObstacle]:
    rule_ids = [one.rule_id for one in obstacles if one.rule_id is not None]
    course_ids = [one.course_id for one in obstacles if one.course_id is not None]
    rules = await context.reader.fetch(rule_queries.BY_IDS, ids=rule_ids) if rule_ids else []
    courses = await context.reader.fetch(course_queries.BY_IDS, ids=course_ids) if course_ids else []
    rule_by_id, course_by_id = {row.id: row for row in rules}, {row.id: row for row in courses}
    return [
        RecommendationObstacle(
            kind=one.kind,
            text=_TEXTS[one.kind],
            rule=None if one.rule_id is None else rule_by_id.get(one.rule_id),
            course=None if one.course_id is None else course_by_id.get(one.course_id),
        )
        for one in obstacles
    ]
