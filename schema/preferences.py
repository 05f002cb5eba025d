"""Learning preferences as clients see and save them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from database.tables.preferences import LearningGoal
from execution.fields import batch, column
from resolvers import preferences as preference_resolvers
from schema.enums import describe
from schema.errors import UserError, user_errors
from schema.inputs import given, given_tuple
from schema.levels import CourseLevel
from schema.policies import ANYONE, SIGNED_IN
from schema.topics import Topic

describe(
    LearningGoal,
    "Why somebody learns. Open to growth: ignore unknown values.",
    CHANGE_CAREER="To work in another field.",
    ADVANCE_CAREER="To get further in their own field.",
    PREPARE_FOR_EXAM="To pass an exam.",
    BUILD_A_PROJECT="To make something of their own.",
    TEACH_OTHERS="To teach it.",
    CURIOSITY="To know.",
)


@strawberry.type(description="What a learner told us at onboarding; recommendations start from it.")
class LearningPreferences:
    """Learning preferences."""

    goals: list[LearningGoal] = column(SIGNED_IN, "Why they learn.")
    level: CourseLevel = column(SIGNED_IN, "How much they know already.")
    weekly_minutes: int | None = column(SIGNED_IN, "Minutes a week that they have; null when they did not say.")
    languages: list[str] = column(SIGNED_IN, "Languages to learn in: BCP 47 tags in lower case, most wanted first.")
    saved_at: datetime = column(SIGNED_IN, "When they were saved last.")

    @batch(preference_resolvers.topics, policy=SIGNED_IN)
    def topics(self) -> list[Topic]:
        """What they want to learn, most wanted first."""
        raise NotImplementedError


@strawberry.type(description="The answer of `saveLearningPreferences`.")
class SaveLearningPreferencesPayload:
    """The answer of `saveLearningPreferences`."""

    learning_preferences: LearningPreferences | None = column(ANYONE, "The preferences as saved; null when refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="All preferences at once: what is left out is forgotten.")
class SaveLearningPreferencesInput:
    """Input of `saveLearningPreferences`."""

    topic_ids: list[strawberry.ID] = strawberry.field(
        description="What they want to learn, most wanted first; at most 20 topics."
    )
    goals: list[LearningGoal] | None = strawberry.field(default=strawberry.UNSET, description="Why they learn.")
    level: CourseLevel = strawberry.field(
        default=CourseLevel.ALL_LEVELS, description="How much they know already; ALL_LEVELS when they did not say."
    )
    weekly_minutes: int | None = strawberry.field(
        default=None, description="Minutes a week that they have, 1 to 10080."
    )
    languages: list[str] = strawberry.field(
        default_factory=list, description="Languages to learn in: BCP 47 tags, most wanted first; at most 10."
    )

    def to_criteria(self) -> preference_resolvers.SaveLearningPreferences:
        """Return the resolver's form."""
        return preference_resolvers.SaveLearningPreferences(
            topic_ids=tuple(self.topic_ids),
            goals=given_tuple(self.goals) or (),
            level=given(self.level) or CourseLevel.ALL_LEVELS,
            weekly_minutes=given(self.weekly_minutes),
            languages=given_tuple(self.languages) or (),
        )
