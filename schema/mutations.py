"""The root of all mutations: each takes one `input` and answers with a payload that has `userErrors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import strawberry

from core.errors import CommandError
from execution.fields import command
from resolvers import (
    attempts as attempt_commands,
    continuing as continuing_commands,
    enrollments as enrollment_commands,
    preferences as preference_commands,
    progress as progress_commands,
    recommendation_events as recommendation_commands,
    regrading as regrading_commands,
    sessions as session_commands,
)
from resolvers.payloads import Payload
from schema.attempts import (
    AttemptPayload,
    CorrectAnswerKeyInput,
    CorrectAnswerKeyPayload,
    GradeAnswerInput,
    SaveAnswersInput,
    StartAttemptInput,
    SubmitAttemptInput,
)
from schema.enrollments import (
    EnrollInput,
    EnrollPayload,
    MoveToLatestRevisionInput,
    MoveToLatestRevisionPayload,
    UnenrollInput,
    UnenrollPayload,
)
from schema.policies import ANYONE, INSTRUCTOR, SIGNED_IN
from schema.preferences import SaveLearningPreferencesInput, SaveLearningPreferencesPayload
from schema.progress import RecordProgressInput, RecordProgressPayload
from schema.recommendations import RecordRecommendationEventsInput, RecordRecommendationEventsPayload
from schema.sessions import RefreshSessionInput, SessionPayload, SignInInput, SignOutPayload, SignUpInput


def _as(payload: type[Payload]) -> Callable[[CommandError], Payload]:
    """Return what makes a refusal into an otherwise empty payload."""

    def refusal(error: CommandError) -> Payload:
        return payload(user_errors=(error,))

    return refusal


_SESSION = _as(session_commands.SessionPayload)
_SIGN_OUT = _as(session_commands.SignOutPayload)
_PREFERENCES = _as(preference_commands.SaveLearningPreferencesPayload)
_RECOMMENDATION_EVENTS = _as(recommendation_commands.RecordRecommendationEventsPayload)
_ENROLLMENT = _as(enrollment_commands.EnrollmentPayload)
_PROGRESS = _as(progress_commands.RecordProgressPayload)
_ATTEMPT = _as(attempt_commands.AttemptPayload)
_ANSWER_KEY = _as(regrading_commands.CorrectAnswerKeyPayload)

# The argument's name is the contract's, and shadows nothing that a stub uses.
_INPUT = strawberry.argument(description="What to do it with.")


@strawberry.type(description="Everything that can be changed.")
class Mutation:
    """The mutation type."""

    @command(session_commands.sign_up, policy=ANYONE, refusal=_SESSION)
    def sign_up(self, input: Annotated[SignUpInput, _INPUT]) -> SessionPayload:  # noqa: A002
        """Creates an account and signs in."""
        raise NotImplementedError

    @command(session_commands.sign_in, policy=ANYONE, refusal=_SESSION)
    def sign_in(self, input: Annotated[SignInInput, _INPUT]) -> SessionPayload:  # noqa: A002
        """Signs in with address and password. Too many failures are refused with RATE_LIMITED for a while."""
        raise NotImplementedError

    @command(session_commands.refresh_session, policy=ANYONE, refusal=_SESSION)
    def refresh_session(self, input: Annotated[RefreshSessionInput, _INPUT]) -> SessionPayload:  # noqa: A002
        """Exchanges a refresh token for a new session; send it without an Authorization header."""
        raise NotImplementedError

    @command(session_commands.sign_out, policy=SIGNED_IN, refusal=_SIGN_OUT)
    def sign_out(self) -> SignOutPayload:
        """Ends the session: its refresh token is void at once, its access token when it expires."""
        raise NotImplementedError

    @command(preference_commands.save_learning_preferences, policy=SIGNED_IN, refusal=_PREFERENCES)
    def save_learning_preferences(
        self,
        input: Annotated[SaveLearningPreferencesInput, _INPUT],  # noqa: A002
    ) -> SaveLearningPreferencesPayload:
        """Saves what the caller wants to learn, in place of what was saved before. Recommendations follow at once."""
        raise NotImplementedError

    @command(enrollment_commands.enroll, policy=SIGNED_IN, refusal=_ENROLLMENT)
    def enroll(self, input: Annotated[EnrollInput, _INPUT]) -> EnrollPayload:  # noqa: A002
        """Enrolls the caller in a published course."""
        raise NotImplementedError

    @command(enrollment_commands.unenroll, policy=SIGNED_IN, refusal=_ENROLLMENT)
    def unenroll(self, input: Annotated[UnenrollInput, _INPUT]) -> UnenrollPayload:  # noqa: A002
        """Withdraws the caller from a course; enrolling again continues where they were."""
        raise NotImplementedError

    @command(recommendation_commands.record_recommendation_events, policy=SIGNED_IN, refusal=_RECOMMENDATION_EVENTS)
    def record_recommendation_events(
        self,
        input: Annotated[RecordRecommendationEventsInput, _INPUT],  # noqa: A002
    ) -> RecordRecommendationEventsPayload:
        """Records impressions, clicks and dismissals. A dismissal acts at once."""
        raise NotImplementedError

    @command(continuing_commands.move_to_latest_revision, policy=SIGNED_IN, refusal=_ENROLLMENT)
    def move_to_latest_revision(
        self,
        input: Annotated[MoveToLatestRevisionInput, _INPUT],  # noqa: A002
    ) -> MoveToLatestRevisionPayload:
        """Moves an enrollment to the published revision; what was done stays done, and a completed course completed."""
        raise NotImplementedError

    @command(progress_commands.record_progress, policy=SIGNED_IN, refusal=_PROGRESS)
    def record_progress(self, input: Annotated[RecordProgressInput, _INPUT]) -> RecordProgressPayload:  # noqa: A002
        """Records what players saw: late, out of order or sent again, each event counts once."""
        raise NotImplementedError

    @command(attempt_commands.start_attempt, policy=SIGNED_IN, refusal=_ATTEMPT)
    def start_attempt(self, input: Annotated[StartAttemptInput, _INPUT]) -> AttemptPayload:  # noqa: A002
        """Starts an attempt at an assessment, or returns the one that is in progress."""
        raise NotImplementedError

    @command(attempt_commands.save_answers, policy=SIGNED_IN, refusal=_ATTEMPT)
    def save_answers(self, input: Annotated[SaveAnswersInput, _INPUT]) -> AttemptPayload:  # noqa: A002
        """Keeps answers of an attempt in progress: call it while the learner answers, so that nothing is lost."""
        raise NotImplementedError

    @command(attempt_commands.submit_attempt, policy=SIGNED_IN, refusal=_ATTEMPT)
    def submit_attempt(self, input: Annotated[SubmitAttemptInput, _INPUT]) -> AttemptPayload:  # noqa: A002
        """Submits an attempt, and grades it unless an instructor has to. After the deadline, what was saved counts."""
        raise NotImplementedError

    @command(regrading_commands.grade_answer, policy=INSTRUCTOR, refusal=_ATTEMPT)
    def grade_answer(self, input: Annotated[GradeAnswerInput, _INPUT]) -> AttemptPayload:  # noqa: A002
        """Grades a short answer, also again; for the authors of the course."""
        raise NotImplementedError

    @command(regrading_commands.correct_answer_key, policy=INSTRUCTOR, refusal=_ANSWER_KEY)
    def correct_answer_key(
        self,
        input: Annotated[CorrectAnswerKeyInput, _INPUT],  # noqa: A002
    ) -> CorrectAnswerKeyPayload:
        """Puts a wrong key right in all revisions, and grades again whatever was submitted; for the authors."""
        raise NotImplementedError
