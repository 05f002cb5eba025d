"""The mutations of learning: progress, attempts, and what authors do to grades."""

from __future__ import annotations

from typing import Annotated

import strawberry

from execution.directives import list_size
from execution.fields import command
from resolvers import (
    attempts as attempt_commands,
    continuing as continuing_commands,
    enrollments as enrollment_commands,
    progress as progress_commands,
    regrading as regrading_commands,
)
from schema.attempts import (
    AttemptPayload,
    CorrectAnswerKeyInput,
    CorrectAnswerKeyPayload,
    GradeAnswerInput,
    SaveAnswersInput,
    StartAttemptInput,
    SubmitAttemptInput,
)
from schema.enrollments import MoveToLatestRevisionInput, MoveToLatestRevisionPayload
from schema.errors import refusal_as
from schema.inputs import INPUT
from schema.policies import INSTRUCTOR, SIGNED_IN
from schema.progress import RecordProgressInput, RecordProgressPayload

_ENROLLMENT = refusal_as(enrollment_commands.EnrollmentPayload)
_PROGRESS = refusal_as(progress_commands.RecordProgressPayload)
_ATTEMPT = refusal_as(attempt_commands.AttemptPayload)
_ANSWER_KEY = refusal_as(regrading_commands.CorrectAnswerKeyPayload)


@strawberry.type
class LearningMutation:
    """Part of the mutation type."""

    @command(continuing_commands.move_to_latest_revision, policy=SIGNED_IN, refusal=_ENROLLMENT)
    def move_to_latest_revision(
        self,
        input: Annotated[MoveToLatestRevisionInput, INPUT],  # noqa: A002
    ) -> MoveToLatestRevisionPayload:
        """Moves an enrollment to the published revision; what was done stays done, and a completed course completed."""
        raise NotImplementedError

    @command(
        progress_commands.record_progress,
        policy=SIGNED_IN,
        refusal=_PROGRESS,
        size=list_size(by="input.events", of=("results",)),
    )
    def record_progress(self, input: Annotated[RecordProgressInput, INPUT]) -> RecordProgressPayload:  # noqa: A002
        """Records what players saw: late, out of order or sent again, each event counts once."""
        raise NotImplementedError

    @command(attempt_commands.start_attempt, policy=SIGNED_IN, refusal=_ATTEMPT)
    def start_attempt(self, input: Annotated[StartAttemptInput, INPUT]) -> AttemptPayload:  # noqa: A002
        """Starts an attempt at an assessment, or returns the one that is in progress."""
        raise NotImplementedError

    @command(attempt_commands.save_answers, policy=SIGNED_IN, refusal=_ATTEMPT)
    def save_answers(self, input: Annotated[SaveAnswersInput, INPUT]) -> AttemptPayload:  # noqa: A002
        """Keeps answers of an attempt in progress: call it while the learner answers, so that nothing is lost."""
        raise NotImplementedError

    @command(attempt_commands.submit_attempt, policy=SIGNED_IN, refusal=_ATTEMPT)
    def submit_attempt(self, input: Annotated[SubmitAttemptInput, INPUT]) -> AttemptPayload:  # noqa: A002
        """Submits an attempt, and grades it unless an instructor has to. After the deadline, what was saved counts."""
        raise NotImplementedError

    @command(regrading_commands.grade_answer, policy=INSTRUCTOR, refusal=_ATTEMPT)
    def grade_answer(self, input: Annotated[GradeAnswerInput, INPUT]) -> AttemptPayload:  # noqa: A002
        """Grades a short answer, also again; for the authors of the course."""
        raise NotImplementedError

    @command(regrading_commands.correct_answer_key, policy=INSTRUCTOR, refusal=_ANSWER_KEY)
    def correct_answer_key(
        self,
        input: Annotated[CorrectAnswerKeyInput, INPUT],  # noqa: A002
    ) -> CorrectAnswerKeyPayload:
        """Puts a wrong key right in all revisions, and grades again whatever was submitted; for the authors."""
        raise NotImplementedError
