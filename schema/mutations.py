"""The root of all mutations: each takes one `input` and answers with a payload that has `userErrors`."""

from __future__ import annotations

from typing import Annotated

import strawberry

from execution.fields import command
from resolvers import (
    enrollments as enrollment_commands,
    preferences as preference_commands,
    recommendation_events as recommendation_commands,
    reviews as review_commands,
    sessions as session_commands,
)
from schema.authoring import AuthoringMutation
from schema.enrollments import EnrollInput, EnrollPayload, UnenrollInput, UnenrollPayload
from schema.errors import refusal_as
from schema.inputs import INPUT
from schema.learning import LearningMutation
from schema.policies import ANYONE, MODERATOR, SIGNED_IN
from schema.preferences import SaveLearningPreferencesInput, SaveLearningPreferencesPayload
from schema.profile import ProfileMutation
from schema.recommendation_rules import RecommendationRuleMutation
from schema.recommendations import RecordRecommendationEventsInput, RecordRecommendationEventsPayload
from schema.reviews import (
    DeleteReviewInput,
    DeleteReviewPayload,
    HideReviewInput,
    ModerateReviewPayload,
    ReviewCourseInput,
    ReviewCoursePayload,
    ShowReviewInput,
)
from schema.sessions import RefreshSessionInput, SessionPayload, SignInInput, SignOutPayload, SignUpInput
from schema.users import UserMutation

_SESSION = refusal_as(session_commands.SessionPayload)
_SIGN_OUT = refusal_as(session_commands.SignOutPayload)
_PREFERENCES = refusal_as(preference_commands.SaveLearningPreferencesPayload)
_RECOMMENDATION_EVENTS = refusal_as(recommendation_commands.RecordRecommendationEventsPayload)
_ENROLLMENT = refusal_as(enrollment_commands.EnrollmentPayload)
_REVIEW = refusal_as(review_commands.ReviewPayload)


@strawberry.type(description="Everything that can be changed.")
class Mutation(AuthoringMutation, LearningMutation, ProfileMutation, RecommendationRuleMutation, UserMutation):
    """The mutation type."""

    @command(session_commands.sign_up, policy=ANYONE, refusal=_SESSION)
    def sign_up(self, input: Annotated[SignUpInput, INPUT]) -> SessionPayload:  # noqa: A002
        """Creates an account and signs in."""
        raise NotImplementedError

    @command(session_commands.sign_in, policy=ANYONE, refusal=_SESSION)
    def sign_in(self, input: Annotated[SignInInput, INPUT]) -> SessionPayload:  # noqa: A002
        """Signs in with address and password. Too many failures are refused with RATE_LIMITED for a while."""
        raise NotImplementedError

    @command(session_commands.refresh_session, policy=ANYONE, refusal=_SESSION)
    def refresh_session(self, input: Annotated[RefreshSessionInput, INPUT]) -> SessionPayload:  # noqa: A002
        """Exchanges a refresh token for a new session; send it without an Authorization header."""
        raise NotImplementedError

    @command(session_commands.sign_out, policy=SIGNED_IN, refusal=_SIGN_OUT)
    def sign_out(self) -> SignOutPayload:
        """Ends the session: its refresh token is void at once, its access token when it expires."""
        raise NotImplementedError

    @command(preference_commands.save_learning_preferences, policy=SIGNED_IN, refusal=_PREFERENCES)
    def save_learning_preferences(
        self,
        input: Annotated[SaveLearningPreferencesInput, INPUT],  # noqa: A002
    ) -> SaveLearningPreferencesPayload:
        """Saves what the caller wants to learn, in place of what was saved before. Recommendations follow at once."""
        raise NotImplementedError

    @command(enrollment_commands.enroll, policy=SIGNED_IN, refusal=_ENROLLMENT)
    def enroll(self, input: Annotated[EnrollInput, INPUT]) -> EnrollPayload:  # noqa: A002
        """Enrolls the caller in a published course."""
        raise NotImplementedError

    @command(enrollment_commands.unenroll, policy=SIGNED_IN, refusal=_ENROLLMENT)
    def unenroll(self, input: Annotated[UnenrollInput, INPUT]) -> UnenrollPayload:  # noqa: A002
        """Withdraws the caller from a course; enrolling again continues where they were."""
        raise NotImplementedError

    @command(recommendation_commands.record_recommendation_events, policy=SIGNED_IN, refusal=_RECOMMENDATION_EVENTS)
    def record_recommendation_events(
        self,
        input: Annotated[RecordRecommendationEventsInput, INPUT],  # noqa: A002
    ) -> RecordRecommendationEventsPayload:
        """Records impressions, clicks and dismissals. A dismissal acts at once."""
        raise NotImplementedError

    @command(review_commands.review_course, policy=SIGNED_IN, refusal=_REVIEW)
    def review_course(self, input: Annotated[ReviewCourseInput, INPUT]) -> ReviewCoursePayload:  # noqa: A002
        """Writes the caller's review of a course, in place of the one before.

        NOT_ENROLLED unless they take it or have completed it. A hidden review stays hidden.
        """
        raise NotImplementedError

    @command(review_commands.delete_review, policy=SIGNED_IN, refusal=_REVIEW)
    def delete_review(self, input: Annotated[DeleteReviewInput, INPUT]) -> DeleteReviewPayload:  # noqa: A002
        """Deletes the caller's own review."""
        raise NotImplementedError

    @command(review_commands.hide_review, policy=MODERATOR, refusal=_REVIEW)
    def hide_review(self, input: Annotated[HideReviewInput, INPUT]) -> ModerateReviewPayload:  # noqa: A002
        """Hides a review from everybody but its author and moderators, and takes it out of the rating."""
        raise NotImplementedError

    @command(review_commands.show_review, policy=MODERATOR, refusal=_REVIEW)
    def show_review(self, input: Annotated[ShowReviewInput, INPUT]) -> ModerateReviewPayload:  # noqa: A002
        """Shows a hidden review again, and counts it in the rating."""
        raise NotImplementedError
