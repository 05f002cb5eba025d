"""The answer of `recommendedCourses`: a ranked list, made into a page with courses and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.errors import InvalidArgumentError
from core.ids import decode_key, encode_id
from database.queries import courses as course_queries, topics as topic_queries
from database.queries.courses import CourseRow
from database.queries.topics import TopicRow
from database.tables.courses import CourseStatus
from database.tables.recommendations import RecommendationSurface
from resolvers import courses
from resolvers.context import Context
from resolvers.courses import CourseFilter
from resolvers.pages import Edge, PageInfo, decode_cursor, encode_cursor, window
from resolvers.recommendation_reasons import RecommendationReason, with_rows
from serving.rankings import RankedCourse, RecommendationRequest, Strategy
from serving.recommender import ListPage

MOST_LISTS = 5
"""How many lists one request may ask for: each is ranked anew, and all learners share what ranks."""
LAST_RANK = 100_000
"""The last place that a page can start after."""

_SCOPE = "recommendedCourses"


@dataclass(frozen=True, slots=True)
class RecommendedCourseEdge(Edge[CourseRow]):
    """A course with its place, its score and its reasons."""

    score: float
    rank: int
    reasons: Sequence[RecommendationReason]


@dataclass(frozen=True, slots=True)
class RecommendedCourses:
    """A page of a ranked list."""

    edges: Sequence[RecommendedCourseEdge]
    page_info: PageInfo
    recommendation_id: str
    strategy: Strategy
    model_version: str | None

    @property
    def nodes(self) -> list[CourseRow]:
        """The courses alone."""
        return [edge.node for edge in self.edges]


async def recommended_courses(
    context: Context,
    roots: Sequence[None],
    *,
    first: int | None = None,
    after: str | None = None,
    surface: RecommendationSurface | None = None,
    course_id: str | None = None,
    filter: CourseFilter | None = None,  # noqa: A002 - the argument's name in the contract.
) -> list[RecommendedCourses]:
    """Return a page of the courses that fit the caller best.

    Raises:
        InvalidArgumentError: the cursor is of another list, the page is too large, the course is named by what is no
            id of one, or the request has asked for too many lists.
        UnavailableError: PostgreSQL cannot be reached; nothing else makes this fail.
    """
    limit = window(scope=_SCOPE, kinds=(), first=first, after=None).limit
    start, list_id = (0, None) if after is None else _place(after)
    context.recommendations += 1
    if context.recommendations > MOST_LISTS:
        raise InvalidArgumentError(f"Ask for `recommendedCourses` at most {MOST_LISTS} times in one request.")
    around = None if course_id is None else decode_key(course_id, "Course")
    if course_id is not None and around is None:
        raise InvalidArgumentError("`courseId` is not the id of a course.")
    request = RecommendationRequest(
        learner_id=context.identity.learner_id if context.identity is not None else None,
        now=context.clock(),
        limit=limit,
        allowed=await courses.matching_ids(context, filter) if filter is not None else None,
        surface=surface,
        around=around,
        variant="" if filter is None else repr(filter),
    )
    answer = await _page(
        context, await context.services.recommender.page(context.reader, request, start=start, list_id=list_id)
    )
    return [answer] * len(roots)


def _place(cursor: str) -> tuple[int, UUID | None]:
    """Return how many places come before a page, and the list that it belongs to.

    A list that was kept is named by its cursors; one that was not is ranked anew, and its cursors only tell the place.
    """
    try:
        place, list_id = decode_cursor(_SCOPE, cursor, (int, str))
        named = UUID(list_id)
    except ValueError as error:
        raise InvalidArgumentError("The cursor is of no list.") from error
    except InvalidArgumentError:
        (place,) = decode_cursor(_SCOPE, cursor, (int,))
        named = None
    if not 0 <= place <= LAST_RANK:
        raise InvalidArgumentError("The cursor is of no place in this list.")
    return place, named


async def _page(context: Context, page: ListPage) -> RecommendedCourses:
    course_rows, topic_rows = await _rows(context, [course for _, course in page.courses])
    edges = [
        RecommendedCourseEdge(
            cursor=_cursor(page, rank),
            node=course_rows[item.course_id],
            score=item.score,
            rank=rank,
            reasons=with_rows(item.reasons, course_rows, topic_rows),
        )
        for rank, item in page.courses
        # A course may have been archived since it was ranked.
        if item.course_id in course_rows and course_rows[item.course_id].status == CourseStatus.PUBLISHED
    ]
    some = page.end > page.start
    return RecommendedCourses(
        edges=edges,
        page_info=PageInfo(
            has_next_page=page.more and page.end <= LAST_RANK,
            has_previous_page=page.start > 0,
            # Of the places and not of the edges: a page whose courses were all archived must not be the last one.
            start_cursor=_cursor(page, page.start + 1) if some else None,
            end_cursor=_cursor(page, page.end) if some else None,
        ),
        recommendation_id=encode_id("Recommendation", str(page.list_id)),
        strategy=page.strategy,
        model_version=page.model_version,
    )


def _cursor(page: ListPage, rank: int) -> str:
    return encode_cursor(_SCOPE, (rank, str(page.list_id)) if page.kept else (rank,))


async def _rows(
    context: Context, chosen: Sequence[RankedCourse]
) -> tuple[Mapping[int, CourseRow], Mapping[int, TopicRow]]:
    """Return the rows of the chosen courses and of all that their reasons name: two statements at most."""
    reasons = [reason for item in chosen for reason in item.reasons]
    course_ids = {item.course_id for item in chosen} | {r.course_id for r in reasons if r.course_id is not None}
    topic_ids = {reason.topic_id for reason in reasons if reason.topic_id is not None}
    reader = context.reader
    found: Sequence[Any] = ()
    if course_ids:
        found = await reader.fetch(course_queries.BY_IDS, ids=sorted(course_ids))
    topics: Sequence[TopicRow] = ()
    if topic_ids:
        topics = await reader.fetch(topic_queries.BY_IDS, ids=sorted(topic_ids))
    return {row.id: row for row in found}, {row.id: row for row in topics}


async def told_reasons(context: Context, ranked: RankedCourse) -> list[RecommendationReason]:
    """Return the reasons of one course as a learner is told them."""
    course_rows, topic_rows = await _rows(context, [ranked])
    return with_rows(ranked.reasons, course_rows, topic_rows)
