"""Recommendations as clients see them: ranked courses, which strategy ranked them, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from database.tables.recommendations import RecommendationEventKind, RecommendationSurface
from execution.fields import batch, column
from resolvers import recommendation_events, recommendation_reasons
from schema.courses import Course
from schema.enums import describe
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.pagination import PageInfo
from schema.policies import ANYONE
from schema.topics import Topic
from serving.rankings import ReasonKind, Strategy

describe(
    Strategy,
    "What ranked the courses. Open to growth.",
    name="RecommendationStrategy",
    MODEL="The ranking model, from the learner's history.",
    PREFERENCE="What the learner chose at onboarding.",
    POPULARITY="What most learners take.",
)
describe(
    ReasonKind,
    "Why a course is recommended. Open to growth: show `text` for values that you do not know.",
    STAFF_PICK="Staff has pinned it here.",
    NEXT_IN_SEQUENCE="It builds upon the course that was completed.",
    PREPARES_FOR="Another course of the list, which follows it, builds upon it.",
    NEW_COURSE="It was published of late, is on a topic of the learner's, and few have taken it yet.",
    BECAUSE_YOU_TOOK="It goes with a course of the learner's history.",
    MATCHES_GOAL="It is on a topic that the learner chose.",
    POPULAR_IN_TOPIC="Many learners of its topic take it.",
    POPULAR="Many learners take it.",
)
describe(
    RecommendationSurface,
    "Where in a client the list is shown. Open to growth.",
    HOME="The learner's first page: topics are spread, at most three of ten in a row.",
    COURSE_PAGE="Beside a course, which `courseId` names: what is taken with it and what is on its topics leads.",
    AFTER_COMPLETION=(
        "When a course has been completed, which `courseId` names (else it is the newest one): what builds upon it and "
        "what is on its topics leads."
    ),
)
describe(
    RecommendationEventKind,
    "What a learner did with a recommended course.",
    IMPRESSION="It was on their screen.",
    CLICK="They opened it.",
    DISMISSAL="They do not want it; it is not recommended to them again.",
)


@strawberry.type(description="One reason, true of the learner and the course that it stands with.")
class RecommendationReason:
    """A reason."""

    kind: ReasonKind = column(ANYONE, "What sort of reason it is.")

    @batch(recommendation_reasons.text, policy=ANYONE, cost=0)
    def text(
        self,
        language: Annotated[
            str | None,
            strawberry.argument(
                description="BCP 47 tag, such as `es` or `pt-BR`; where there is no text in it, nor in a language that "
                "it narrows, the English one is given. Names of topics are those of `Topic.name(language:)`, titles of "
                "courses are as they are."
            ),
        ] = strawberry.UNSET,
    ) -> str:
        """The reason as a sentence to show; in English when no language is asked for."""
        raise NotImplementedError

    course: Course | None = column(
        ANYONE, "The course that it refers to, of the learner's own history or of this list, if any."
    )
    topic: Topic | None = column(ANYONE, "The topic that it refers to, if any.")


@strawberry.type(description="One recommended course.")
class RecommendedCourseEdge:
    """An edge of the recommendations."""

    cursor: str = column(ANYONE, "Opaque; give it as `after` to continue the same list.")
    node: Course = column(ANYONE, "The course.")
    score: float = column(ANYONE, "What the list is ordered by; comparable within this list only.")
    rank: int = column(ANYONE, "Place in the whole list, from 1.")
    reasons: list[RecommendationReason] = column(
        ANYONE, "Why it is here, strongest first; empty where nothing single would be true."
    )


@strawberry.type(
    description="A page of recommended courses. It is answered even when the model cannot be: see `strategy`."
)
class RecommendedCourseConnection:
    """The answer of `recommendedCourses`."""

    edges: list[RecommendedCourseEdge] = column(ANYONE, "The courses of this page, best first.")
    nodes: list[Course] = column(ANYONE, "The courses without scores and reasons.")
    page_info: PageInfo = column(ANYONE, "Where this page stands in the list.")
    recommendation_id: strawberry.ID = column(
        ANYONE,
        "Identifies this list: later pages have the same, and so has the page when it is asked for again before the "
        "learner does anything that changes the list. Send it with `enroll` and with events, so that they are "
        "attributed.",
    )
    strategy: Strategy = column(ANYONE, "What ranked the courses.")
    model_version: str | None = column(ANYONE, "Version of the model; null unless `strategy` is MODEL.")


@strawberry.type(description="The answer of `recordRecommendationEvents`.")
class RecordRecommendationEventsPayload:
    """The answer of `recordRecommendationEvents`."""

    recorded: int = column(ANYONE, "How many of the events were new; what was sent before counts once.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="What a learner did with one course of a list.")
class RecommendationEventInput:
    """One event."""

    recommendation_id: strawberry.ID = strawberry.field(description="The `recommendationId` of the list.")
    course_id: strawberry.ID = strawberry.field(description="A course of the list.")
    kind: RecommendationEventKind = strawberry.field(description="What the learner did.")
    occurred_at: datetime = strawberry.field(description="When, by the client's clock; the future counts as now.")
    rank: int | None = strawberry.field(default=strawberry.UNSET, description="The course's place in the list.")
    surface: RecommendationSurface | None = strawberry.field(
        default=strawberry.UNSET, description="Where the list was shown."
    )

    def to_criteria(self) -> recommendation_events.RecommendationEvent:
        """Return the resolver's form."""
        return recommendation_events.RecommendationEvent(
            recommendation_id=self.recommendation_id,
            course_id=self.course_id,
            kind=self.kind,
            occurred_at=self.occurred_at,
            rank=given(self.rank),
            surface=given(self.surface),
        )


@strawberry.input(
    description="What a learner did with recommended courses, in any order. Sending it again is harmless."
)
class RecordRecommendationEventsInput:
    """Input of `recordRecommendationEvents`."""

    events: list[RecommendationEventInput] = strawberry.field(description="At most 200 events.")

    def to_criteria(self) -> recommendation_events.RecordRecommendationEvents:
        """Return the resolver's form."""
        return recommendation_events.RecordRecommendationEvents([event.to_criteria() for event in self.events])
