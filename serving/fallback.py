"""The answers that need nothing but PostgreSQL: what the learner chose, and what most learners take."""

from __future__ import annotations

from database.queries.history import PreferencesRow
from database.queries.popularity import POPULAR, PREFERRED
from database.session import Reader
from serving.rankings import RankedCourse, RankedList, Reason, ReasonKind, RecommendationRequest, Strategy


async def fall_back(
    reader: Reader, request: RecommendationRequest, preferences: PreferencesRow | None, cause: str | None
) -> RankedList:
    """Return the list of the next strategy after the model.

    Args:
        reader: of the request.
        request: who asks for how many courses.
        preferences: what the learner chose at onboarding, if anything.
        cause: why it is not the model's list; None when the model was never meant to answer.

    Raises:
        UnavailableError: PostgreSQL cannot be reached.
    """
    if preferences is not None:
        return await _by_preference(reader, request, preferences, cause)
    return await _by_popularity(reader, request, cause)


async def _by_preference(
    reader: Reader, request: RecommendationRequest, preferences: PreferencesRow, cause: str | None
) -> RankedList:
    """Rank by chosen topics and level, then popularity, among courses in languages the learner reads."""
    chosen = frozenset(preferences.topic_ids)
    rows = await reader.fetch(
        PREFERRED,
        learner_id=request.learner_id,
        allowed=_allowed(request),
        hidden=sorted(request.hidden),
        languages=readable(preferences),
        topic_ids=sorted(chosen),
        level=preferences.level,
        limit=request.limit,
    )
    courses = []
    for row in rows:
        reasons = [] if row.topic_id is None else [Reason(ReasonKind.MATCHES_GOAL, topic_id=row.topic_id)]
        if not reasons and row.enrollment_count:
            reasons = [Reason(ReasonKind.POPULAR)]
        courses.append(RankedCourse(row.course_id, row.score, tuple(reasons)))
    return RankedList(Strategy.PREFERENCE, None, tuple(courses), cause)


async def _by_popularity(reader: Reader, request: RecommendationRequest, cause: str | None) -> RankedList:
    rows = await reader.fetch(
        POPULAR,
        learner_id=request.learner_id,
        allowed=_allowed(request),
        hidden=sorted(request.hidden),
        languages=None,
        limit=request.limit,
    )
    popular = (Reason(ReasonKind.POPULAR),)
    courses = [RankedCourse(row.course_id, row.score, popular if row.enrollment_count else ()) for row in rows]
    return RankedList(Strategy.POPULARITY, None, tuple(courses), cause)


def readable(preferences: PreferencesRow) -> list[str] | None:
    """Return the primary subtags (BCP 47) of the languages that a learner reads; None when none were named."""
    return sorted({tag.partition("-")[0] for tag in preferences.languages}) or None


def _allowed(request: RecommendationRequest) -> list[int] | None:
    return None if request.allowed is None else sorted(request.allowed)
