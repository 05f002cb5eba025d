"""Attempts at assessments as clients see and change them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from database.queries.attempts import AttemptRow
from database.tables.attempts import AttemptStatus
from execution.fields import InstanceOf, batch, column
from resolvers import attempt_views, attempts as attempt_resolvers, regrading
from resolvers.answers import Answer, NewAnswerKey
from schema.assessments import Assessment, Question
from schema.enrollments import Enrollment
from schema.enums import describe
from schema.errors import UserError, user_errors
from schema.inputs import given, given_tuple
from schema.nodes import Node, global_id
from schema.policies import ANYONE, SIGNED_IN

describe(
    AttemptStatus,
    "Where an attempt stands. Open to growth: treat unknown as SUBMITTED.",
    IN_PROGRESS="Answers can be saved until it is submitted or its time is over.",
    SUBMITTED="It waits for an instructor to grade what the machine cannot.",
    GRADED="Its score is known.",
)


@strawberry.type(description="What a learner answered to a question.")
class AttemptAnswer:
    """An answer."""

    choice_ids: list[strawberry.ID] | None = column(SIGNED_IN, "What was chosen; null for other kinds of questions.")
    number: float | None = column(SIGNED_IN, "The number; null for other kinds of questions.")
    text: str | None = column(SIGNED_IN, "The text; null for other kinds of questions.")
    saved_at: datetime = column(SIGNED_IN, "When it was saved.")
    points: float | None = column(
        SIGNED_IN, "What it earned. Null for learners until the attempt is graded; authors see what was given so far."
    )
    feedback: str | None = column(SIGNED_IN, "What the instructor says to it, if anything; as for `points`.")

    @batch(attempt_views.question, policy=SIGNED_IN)
    def question(self) -> Question:
        """What was asked."""
        raise NotImplementedError


@strawberry.type(description="A learner's attempt at an assessment, seen by the learner and by authors of the course.")
class Attempt(Node):
    """An attempt."""

    id: strawberry.ID = column(SIGNED_IN, "Opaque and stable.", read=global_id("Attempt"))
    number: int = column(SIGNED_IN, "1 for the learner's first attempt at the assessment, in whichever revision.")
    status: AttemptStatus = column(SIGNED_IN, "Where it stands.")
    started_at: datetime = column(SIGNED_IN, "When it was started.")
    deadline_at: datetime | None = column(
        SIGNED_IN, "Until when answers count, fixed at the start; null without a time limit."
    )
    submitted_at: datetime | None = column(SIGNED_IN, "When it was submitted, or its time was over; null before that.")
    graded_at: datetime | None = column(SIGNED_IN, "When it was graded last; null before that.")
    score: float | None = column(SIGNED_IN, "Points it earned; null until it is graded.")
    max_score: float = column(SIGNED_IN, "Points of all questions.")
    passed: bool | None = column(SIGNED_IN, "Whether it passed; null until it is graded.")

    @batch(attempt_views.assessment, policy=SIGNED_IN)
    def assessment(self) -> Assessment:
        """The assessment, in the revision that the attempt was started in."""
        raise NotImplementedError

    @batch(attempt_views.questions, policy=SIGNED_IN)
    def questions(self) -> list[Question]:
        """What it asks, in order."""
        raise NotImplementedError

    @batch(attempt_views.answers, policy=SIGNED_IN)
    def answers(self) -> list[AttemptAnswer]:
        """What was answered, in the order of the questions; questions without an answer are left out."""
        raise NotImplementedError

    @batch(attempt_views.enrollment, policy=SIGNED_IN)
    def enrollment(self) -> Enrollment | None:
        """The learner's enrollment; null for authors, whom it does not concern who the learner is."""
        raise NotImplementedError

    is_type_of = InstanceOf(AttemptRow)


@strawberry.type(description="The answer of commands on an attempt.")
class AttemptPayload:
    """The answer of `startAttempt`, `saveAnswers`, `submitAttempt` and `gradeAnswer`."""

    attempt: Attempt | None = column(
        ANYONE,
        "The attempt, also beside errors about its answers, ATTEMPT_CLOSED and DEADLINE_PASSED; null when refused "
        "otherwise.",
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The answer of `correctAnswerKey`.")
class CorrectAnswerKeyPayload:
    """The answer of `correctAnswerKey`."""

    question: Question | None = column(ANYONE, "The question, with its new key; null when refused.")
    regraded_attempts: int = column(ANYONE, "How many attempts are graded otherwise than before.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="The assessment to attempt.")
class StartAttemptInput:
    """Input of `startAttempt`."""

    assessment_id: strawberry.ID = strawberry.field(
        description="An assessment of a course that the caller takes; of any revision's copy they get that of theirs."
    )

    def to_criteria(self) -> attempt_resolvers.StartAttempt:
        """Return the resolver's form."""
        return attempt_resolvers.StartAttempt(self.assessment_id)


@strawberry.input(one_of=True, description="An answer: exactly one of the fields, the one that fits the question.")
class AnswerInput:
    """One answer."""

    choice_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="For single choice, one at most, and for multiple choice; empty: none."
    )
    number: float | None = strawberry.field(default=strawberry.UNSET, description="For a numeric question.")
    text: str | None = strawberry.field(
        default=strawberry.UNSET, description="For a short answer; at most 10000 characters."
    )

    def to_criteria(self) -> Answer:
        """Return the resolver's form."""
        return Answer(choice_ids=given_tuple(self.choice_ids), number=given(self.number), text=given(self.text))


@strawberry.input(description="An answer to one question of the attempt.")
class QuestionAnswerInput:
    """An answer to a question."""

    question_id: strawberry.ID = strawberry.field(description="A question that the attempt asks.")
    answer: AnswerInput = strawberry.field(description="The answer.")

    def to_criteria(self) -> attempt_resolvers.QuestionAnswer:
        """Return the resolver's form."""
        return attempt_resolvers.QuestionAnswer(self.question_id, self.answer.to_criteria())


@strawberry.input(description="Answers to keep in an attempt in progress; all of them are kept, or none.")
class SaveAnswersInput:
    """Input of `saveAnswers`."""

    attempt_id: strawberry.ID = strawberry.field(description="An attempt of the caller's own.")
    answers: list[QuestionAnswerInput] = strawberry.field(
        description="In place of earlier answers to the same questions; at most 500."
    )

    def to_criteria(self) -> attempt_resolvers.SaveAnswers:
        """Return the resolver's form."""
        return attempt_resolvers.SaveAnswers(self.attempt_id, tuple(each.to_criteria() for each in self.answers))


@strawberry.input(description="The attempt to submit.")
class SubmitAttemptInput:
    """Input of `submitAttempt`."""

    attempt_id: strawberry.ID = strawberry.field(description="An attempt of the caller's own.")
    answers: list[QuestionAnswerInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Answers that were not saved yet; at most 500."
    )

    def to_criteria(self) -> attempt_resolvers.SubmitAttempt:
        """Return the resolver's form."""
        answers = given_tuple(self.answers) or ()
        return attempt_resolvers.SubmitAttempt(self.attempt_id, tuple(each.to_criteria() for each in answers))


@strawberry.input(description="Points for a short answer.")
class GradeAnswerInput:
    """Input of `gradeAnswer`."""

    attempt_id: strawberry.ID = strawberry.field(description="An attempt at an assessment of the caller's course.")
    question_id: strawberry.ID = strawberry.field(description="A short-answer question that was answered in it.")
    points: float = strawberry.field(description="From 0 to the points of the question.")
    feedback: str | None = strawberry.field(
        default=strawberry.UNSET, description="A word to the learner; at most 10000 characters."
    )

    def to_criteria(self) -> regrading.GradeAnswer:
        """Return the resolver's form."""
        return regrading.GradeAnswer(self.attempt_id, self.question_id, self.points, given(self.feedback))


@strawberry.input(description="A number that is right, and how far off one may be.")
class NumericKeyInput:
    """The key of a numeric question."""

    number: float = strawberry.field(description="The right number.")
    tolerance: float | None = strawberry.field(
        default=strawberry.UNSET, description="How far off a number may be, bounds included; 0 when left out."
    )


@strawberry.input(one_of=True, description="A key: exactly one of the fields, the one that fits the question.")
class AnswerKeyInput:
    """The key of a question."""

    choice_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="The right choices; one for single choice."
    )
    number: NumericKeyInput | None = strawberry.field(default=strawberry.UNSET, description="For a numeric question.")
    accepted_texts: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="For a short answer: texts that are right, 1 to 100."
    )

    def to_criteria(self) -> NewAnswerKey:
        """Return the resolver's form."""
        numeric = given(self.number)
        return NewAnswerKey(
            choice_ids=given_tuple(self.choice_ids),
            number=None if numeric is None else numeric.number,
            tolerance=None if numeric is None else given(numeric.tolerance),
            texts=given_tuple(self.accepted_texts),
        )


@strawberry.input(description="The right key of a question.")
class CorrectAnswerKeyInput:
    """Input of `correctAnswerKey`."""

    question_id: strawberry.ID = strawberry.field(description="A question of the caller's course, of any revision.")
    key: AnswerKeyInput = strawberry.field(description="What answers it rightly.")

    def to_criteria(self) -> regrading.CorrectAnswerKey:
        """Return the resolver's form."""
        return regrading.CorrectAnswerKey(self.question_id, self.key.to_criteria())
