"""Staff's rules of recommendations, and why a learner is or is not shown a course."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from database.queries.recommendation_rules import RuleRow
from database.tables.recommendations import RecommendationRuleKind, RecommendationSurface
from execution.fields import InstanceOf, batch, column, command
from resolvers import recommendation_explanations as explanations, recommendation_rules as rules
from schema.courses import Course
from schema.enums import describe
from schema.errors import UserError, refusal_as, user_errors
from schema.inputs import INPUT, given
from schema.nodes import Node, global_id
from schema.pagination import After, Connection, First
from schema.policies import ADMINISTRATOR, ANYONE, MODERATOR
from schema.recommendations import RecommendationReason
from schema.topics import Topic
from serving.constraints import ObstacleKind
from serving.rankings import Strategy

describe(
    RecommendationRuleKind,
    "What staff wants of a course in the lists of learners. Open to growth.",
    PIN="It stands at a place, whatever its rank, for every learner who may be shown it.",
    BOOST="Its rank is divided by a weight: 2 moves it from place 10 to 5. Only what is among the first 200 moves.",
    EXCLUSION="It is not shown.",
)
describe(
    ObstacleKind,
    "Why a learner is not shown a course. Open to growth: show `text` for values that you do not know.",
    name="RecommendationObstacleKind",
    UNPUBLISHED="It is not published.",
    TAKEN="They take it, or have completed it.",
    LEFT="They took it and left.",
    ON_THIS_PAGE="The list is shown beside it.",
    DISMISSED="They do not want to see it.",
    BELOW_COMPLETED="They have completed a course that builds upon it: `course`.",
    LANGUAGE="It is in a language that they do not read.",
    EXCLUDED="Staff has excluded it: `rule`.",
    FILTERED="The filter of the list leaves it out.",
    PREREQUISITE="They have not completed a prerequisite, which cannot be shown before it: `course`.",
    NOT_A_CANDIDATE="Nothing that ranks knows it yet; it comes with the next materialization of features.",
)


@strawberry.type(description="What staff wants of a course, or of all courses on a topic, for some time.")
class RecommendationRule(Node):
    """A rule."""

    id: strawberry.ID = column(MODERATOR, "Opaque and stable.", read=global_id("RecommendationRule"))
    kind: RecommendationRuleKind = column(MODERATOR, "What is wanted.")
    surface: RecommendationSurface | None = column(MODERATOR, "Where it holds; null for everywhere.")
    place: int | None = column(MODERATOR, "Place of a pinned course, from 1; null for other kinds.")
    weight: float | None = column(MODERATOR, "Weight of a boost; null for other kinds.")
    starts_at: datetime = column(MODERATOR, "Since when it holds.")
    ends_at: datetime | None = column(MODERATOR, "Until when it holds; null for ever.")
    note: str | None = column(MODERATOR, "Why there is this rule, for other staff.")
    created_at: datetime = column(MODERATOR, "When it was made.")
    updated_at: datetime = column(MODERATOR, "When it was changed last.")

    @batch(rules.in_force, policy=MODERATOR)
    def in_force(self) -> bool:
        """Whether it holds at this moment."""
        raise NotImplementedError

    @batch(rules.course, policy=MODERATOR)
    def course(self) -> Course | None:
        """The course that it is about; null when it is about a topic."""
        raise NotImplementedError

    @batch(rules.topic, policy=MODERATOR)
    def topic(self) -> Topic | None:
        """The topic whose courses, and those of the topics below, it is about; null when it is about a course."""
        raise NotImplementedError

    @batch(rules.around_course, policy=MODERATOR)
    def around_course(self) -> Course | None:
        """It only holds for lists beside or after this course; null for no such condition."""
        raise NotImplementedError

    @batch(rules.around_topic, policy=MODERATOR)
    def around_topic(self) -> Topic | None:
        """It only holds for learners who chose this topic, and beside or after courses on it; null for all."""
        raise NotImplementedError

    is_type_of = InstanceOf(RuleRow)


@strawberry.input(description="All of a rule.")
class RecommendationRuleInput:
    """A rule as staff writes it."""

    kind: RecommendationRuleKind = strawberry.field(description="What is wanted.")
    course_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The course that it is about; either this or `topicId`."
    )
    topic_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The topic whose courses it is about; not for pins."
    )
    surface: RecommendationSurface | None = strawberry.field(
        default=strawberry.UNSET, description="Where it holds; everywhere when left out."
    )
    around_course_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Only for lists beside or after this course."
    )
    around_topic_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Only for learners who chose this topic, and lists around courses on it."
    )
    place: int | None = strawberry.field(
        default=strawberry.UNSET, description="Of a pin: its place, from 1 to 50; 1 when left out."
    )
    weight: float | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of a boost: from 0.1 to 10; above 1 moves up, below 1 moves down; 2 when left out.",
    )
    starts_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Since when it holds; now, or as it was, when left out."
    )
    ends_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Until when it holds; for ever when left out."
    )
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why, for other staff; at most 500 characters."
    )

    def to_criteria(self) -> rules.RecommendationRule:
        """Return the resolver's form."""
        return rules.RecommendationRule(
            kind=self.kind,
            course_id=given(self.course_id),
            topic_id=given(self.topic_id),
            surface=given(self.surface),
            around_course_id=given(self.around_course_id),
            around_topic_id=given(self.around_topic_id),
            place=given(self.place),
            weight=given(self.weight),
            starts_at=given(self.starts_at),
            ends_at=given(self.ends_at),
            note=given(self.note),
        )


@strawberry.input(description="A rule to make.")
class CreateRecommendationRuleInput:
    """Input of `createRecommendationRule`."""

    rule: RecommendationRuleInput = strawberry.field(description="What it says.")

    def to_criteria(self) -> rules.CreateRecommendationRule:
        """Return the resolver's form."""
        return rules.CreateRecommendationRule(self.rule.to_criteria())


@strawberry.input(description="A rule to replace.")
class UpdateRecommendationRuleInput:
    """Input of `updateRecommendationRule`."""

    rule_id: strawberry.ID = strawberry.field(description="Which one.")
    rule: RecommendationRuleInput = strawberry.field(description="What it says from now on, as a whole.")

    def to_criteria(self) -> rules.UpdateRecommendationRule:
        """Return the resolver's form."""
        return rules.UpdateRecommendationRule(self.rule_id, self.rule.to_criteria())


@strawberry.input(description="A rule to delete.")
class DeleteRecommendationRuleInput:
    """Input of `deleteRecommendationRule`."""

    rule_id: strawberry.ID = strawberry.field(description="Which one.")

    def to_criteria(self) -> rules.DeleteRecommendationRule:
        """Return the resolver's form."""
        return rules.DeleteRecommendationRule(self.rule_id)


@strawberry.type(description="The answer of the mutations about rules of recommendations.")
class RecommendationRulePayload:
    """The answer of the mutations about rules."""

    rule: RecommendationRule | None = column(ANYONE, "The rule as it is now; null when refused or deleted.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="One reason why a learner is not shown a course.")
class RecommendationObstacle:
    """An obstacle."""

    kind: ObstacleKind = column(ADMINISTRATOR, "What sort of reason it is.")
    text: str = column(ADMINISTRATOR, "The reason as a sentence in English.")
    rule: RecommendationRule | None = column(ADMINISTRATOR, "The rule of staff, for EXCLUDED.")
    course: Course | None = column(ADMINISTRATOR, "The other course that it is about, if any.")


@strawberry.type(description="Why a learner is, or is not, shown a course; as a list made at this moment would be.")
class RecommendationExplanation:
    """An explanation."""

    shown: bool = column(ADMINISTRATOR, "Whether it is in their list at all.")
    rank: int | None = column(ADMINISTRATOR, "Its place in their list, from 1; null when it is not in it.")
    score: float | None = column(ADMINISTRATOR, "What the list is ordered by; null when it is not in it.")
    strategy: Strategy = column(ADMINISTRATOR, "What ranks their list.")
    model_version: str | None = column(ADMINISTRATOR, "Version of the model; null unless `strategy` is MODEL.")
    fallback_cause: str | None = column(
        ADMINISTRATOR, "Why it is not the model that ranks; null when it is, or was never meant to."
    )
    retrievers: list[str] | None = column(
        ADMINISTRATOR,
        "What of the model's first stage has found it, such as `item_item`; empty for a course that only follows by "
        "popularity, null unless `strategy` is MODEL.",
    )
    obstacles: list[RecommendationObstacle] = column(ADMINISTRATOR, "All that keeps it from them; empty when shown.")
    reasons: list[RecommendationReason] = column(ADMINISTRATOR, "The reasons that they are told, when it is shown.")


_RULE = refusal_as(rules.RecommendationRulePayload)
_USER_ID = strawberry.argument(description="The account of the learner.")
_COURSE_ID = strawberry.argument(description="The course.")


@strawberry.type
class RecommendationRuleQuery:
    """Part of the query type."""

    @batch(rules.recommendation_rules, policy=MODERATOR)
    def recommendation_rules(
        self,
        course_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only rules about this course.")
        ] = strawberry.UNSET,
        in_force: Annotated[
            bool | None, strawberry.argument(description="Only rules that hold now, or only others.")
        ] = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> Connection[RecommendationRule] | None:
        """Staff's rules of recommendations, newest first; for moderators."""
        raise NotImplementedError

    @batch(explanations.recommendation_explanation, policy=ADMINISTRATOR)
    def recommendation_explanation(
        self,
        user_id: Annotated[strawberry.ID, _USER_ID],
        course_id: Annotated[strawberry.ID, _COURSE_ID],
        surface: Annotated[
            RecommendationSurface | None, strawberry.argument(description="Where the list would be shown.")
        ] = strawberry.UNSET,
        around_course_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The course that the list would be shown beside.")
        ] = strawberry.UNSET,
    ) -> RecommendationExplanation | None:
        """Why a learner is, or is not, shown a course; null when there is no such account or course.

        For administrators; asking is put on record in the audit trail.
        """
        raise NotImplementedError


@strawberry.type
class RecommendationRuleMutation:
    """Part of the mutation type."""

    @command(rules.create_recommendation_rule, policy=MODERATOR, refusal=_RULE)
    def create_recommendation_rule(
        self,
        input: Annotated[CreateRecommendationRuleInput, INPUT],  # noqa: A002
    ) -> RecommendationRulePayload:
        """Makes a rule of recommendations; every server heeds it within seconds."""
        raise NotImplementedError

    @command(rules.update_recommendation_rule, policy=MODERATOR, refusal=_RULE)
    def update_recommendation_rule(
        self,
        input: Annotated[UpdateRecommendationRuleInput, INPUT],  # noqa: A002
    ) -> RecommendationRulePayload:
        """Replaces a rule of recommendations; every server heeds it within seconds. To end one, set `endsAt`."""
        raise NotImplementedError

    @command(rules.delete_recommendation_rule, policy=MODERATOR, refusal=_RULE)
    def delete_recommendation_rule(
        self,
        input: Annotated[DeleteRecommendationRuleInput, INPUT],  # noqa: A002
    ) -> RecommendationRulePayload:
        """Deletes a rule of recommendations; every server forgets it within seconds."""
        raise NotImplementedError
