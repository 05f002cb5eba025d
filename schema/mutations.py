"""The root of all mutations: each takes one `input` and answers with a payload that has `userErrors`."""

from __future__ import annotations

from typing import Annotated

import strawberry

from execution.fields import command
from resolvers import (
    enrollments as enrollment_commands,
    preferences as preference_commands,
    recommendation_events as recommendation_commands,
    sessions as session_commands,
)
from schema.authoring import AuthoringMutation
from schema.enrollments import EnrollInput, EnrollPayload, UnenrollInput, UnenrollPayload
from schema.errors import refusal_as
from schema.inputs import INPUT
from schema.policies import ANYONE, SIGNED_IN
from schema.preferences import SaveLearningPreferencesInput, SaveLearningPreferencesPayload
from schema.recommendations import RecordRecommendationEventsInput, RecordRecommendationEventsPayload
from schema.sessions import RefreshSessionInput, SessionPayload, SignInInput, SignOutPayload, SignUpInput

_SESSION = refusal_as(session_commands.SessionPayload)
_SIGN_OUT = refusal_as(session_commands.SignOutPayload)
_PREFERENCES = refusal_as(preference_commands.SaveLearningPreferencesPayload)
_RECOMMENDATION_EVENTS = refusal_as(recommendation_commands.RecordRecommendationEventsPayload)
_ENROLLMENT = refusal_as(enrollment_commands.EnrollmentPayload)


@strawberry.type(description="Everything that can be changed.")
class Mutation(AuthoringMutation):
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
