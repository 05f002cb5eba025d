"""The root of all queries."""

from __future__ import annotations

from typing import Annotated

import strawberry

from database.notifications import CATALOG
from database.queries.accounts import VIEWER
from database.queries.courses import COURSE
from database.tables.recommendations import RecommendationSurface
from execution.directives import list_size, public, signed_out
from execution.fields import batch
from resolvers import (
    accounts as account_resolvers,
    analytics as analytics_resolvers,
    courses as course_resolvers,
    nodes as node_resolvers,
    recommendations as recommendation_resolvers,
    studio as studio_resolvers,
    topics as topic_resolvers,
)
from schema.accounts import Viewer
from schema.analytics import PlatformAnalytics
from schema.courses import Course, CourseBy, CourseConnection, CourseFilter, CourseOrder, StudioCourseConnection
from schema.nodes import Node
from schema.pagination import After, Before, Connection, First, Last
from schema.policies import ADMINISTRATOR, ANYONE, MODERATOR
from schema.recommendation_rules import RecommendationRuleQuery
from schema.recommendations import RecommendedCourseConnection
from schema.topics import TOPICS, Topic, TopicBy
from schema.users import UserQuery

Id = Annotated[strawberry.ID, strawberry.argument(description="An opaque id.")]


@strawberry.type(description="Everything that can be read.")
class Query(RecommendationRuleQuery, UserQuery):
    """The query type."""

    @batch(node_resolvers.node, policy=ANYONE)
    def node(self, id: Id) -> Node | None:  # noqa: A002 - the name is Relay's.
        """The object of an id; null when there is none that the caller may see."""
        raise NotImplementedError

    @batch(node_resolvers.nodes, policy=ANYONE, size=list_size(by="ids"))
    def nodes(
        self,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Opaque ids, at most 100.")],
    ) -> list[Node | None]:
        """The object of each id, in order; null where there is none that the caller may see."""
        raise NotImplementedError

    @batch(account_resolvers.viewer, policy=ANYONE, rows=VIEWER)
    def viewer(self) -> Viewer | None:
        """The caller's own account; null when signed out."""
        raise NotImplementedError

    @batch(course_resolvers.course, policy=ANYONE, cached=signed_out(60), rows=COURSE)
    def course(self, by: Annotated[CourseBy, strawberry.argument(description="Which course.")]) -> Course | None:
        """One course; null when there is none of that name that the caller may see. Authors see their drafts."""
        raise NotImplementedError

    @batch(course_resolvers.courses, policy=ANYONE, cached=public(60, CATALOG), rows=COURSE)
    def courses(
        self,
        *,
        filter: Annotated[  # noqa: A002 - the contract's name.
            CourseFilter | None, strawberry.argument(description="What the courses have in common.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            CourseOrder | None,
            strawberry.argument(
                description="Searches are ordered by relevance and other lists by popularity otherwise."
            ),
        ] = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> CourseConnection:
        """Published courses."""
        raise NotImplementedError

    @batch(studio_resolvers.courses_in_review, policy=MODERATOR)
    def courses_in_review(
        self, first: First = strawberry.UNSET, after: After = strawberry.UNSET
    ) -> StudioCourseConnection | None:
        """Courses that wait to be published, longest first; for moderators."""
        raise NotImplementedError

    @batch(analytics_resolvers.platform_analytics, policy=ADMINISTRATOR)
    def platform_analytics(self) -> PlatformAnalytics | None:
        """How the platform grows, for administrators; null until the warehouse knows anything."""
        raise NotImplementedError

    @batch(topic_resolvers.topics, policy=ANYONE, cached=TOPICS)
    def topics(
        self,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Connection[Topic]:
        """All topics, by slug."""
        raise NotImplementedError

    @batch(topic_resolvers.topic, policy=ANYONE, cached=TOPICS)
    def topic(self, by: Annotated[TopicBy, strawberry.argument(description="Which topic.")]) -> Topic | None:
        """One topic; null when there is none of that name."""
        raise NotImplementedError

    @batch(recommendation_resolvers.recommended_courses, policy=ANYONE)
    def recommended_courses(
        self,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        surface: Annotated[
            RecommendationSurface | None,
            strawberry.argument(description="Where the list is shown, which decides what leads it."),
        ] = strawberry.UNSET,
        course_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The course that the list is shown beside or after.")
        ] = strawberry.UNSET,
        filter: Annotated[  # noqa: A002 - the contract's name.
            CourseFilter | None, strawberry.argument(description="What the courses have in common.")
        ] = strawberry.UNSET,
    ) -> RecommendedCourseConnection:
        """Courses that fit the caller best; signed out, what is popular. Never fails for lack of a model.

        Never a course that the caller takes, has left or has dismissed, one in a language that they do not read, or
        one that comes before a course they have completed; prerequisites stand before what builds upon them.
        """
        raise NotImplementedError
