"""Writing assessments as clients do it."""

from __future__ import annotations

from typing import Any

import strawberry

from database.tables.assessments import QuestionKind
from execution.fields import column
from resolvers import assessment_edits
from schema.assessments import Assessment
from schema.content_edits import MODULE, NEXT
from schema.course_edits import CourseEditInput
from schema.courses import Course
from schema.errors import UserError, user_errors
from schema.inputs import given
from schema.policies import ANYONE


@strawberry.type(description="The answer of a mutation that changes an assessment.")
class AssessmentPayload:
    """The answer of a mutation that changes an assessment."""

    course: Course | None = column(ANYONE, NEXT)
    assessment: Assessment | None = column(ANYONE, "The assessment in the draft; null when removed or refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="One of the answers to choose from.")
class ChoiceInput:
    """A choice."""

    text: str = strawberry.field(description="What it says, in Markdown; 1 to 2,000 characters.")
    right: bool = strawberry.field(description="Whether it is a right answer.")
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="`Choice.id` of the one that it replaces; made when left out."
    )


@strawberry.input(description="A question with choices.")
class ChoiceQuestionInput:
    """A question with choices."""

    prompt: str = strawberry.field(description="What is asked, in Markdown; 1 to 10,000 characters.")
    points: float = strawberry.field(description="What a right answer earns: more than 0, at most 1,000.")
    choices: list[ChoiceInput] = strawberry.field(description="2 to 20 choices, in the order to show.")
    explanation: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why that is right, in Markdown; shown once an attempt is graded."
    )
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The question that it replaces, so that attempts at both are comparable."
    )


@strawberry.input(description="A question that is answered by a number.")
class NumericQuestionInput:
    """A question for a number."""

    prompt: str = strawberry.field(description="What is asked, in Markdown; 1 to 10,000 characters.")
    points: float = strawberry.field(description="What a right answer earns: more than 0, at most 1,000.")
    number: float = strawberry.field(description="The right number.")
    tolerance: float = strawberry.field(default=0.0, description="How far off an answer may be.")
    explanation: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why that is right, in Markdown; shown once an attempt is graded."
    )
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The question that it replaces, so that attempts at both are comparable."
    )


@strawberry.input(description="A question that is answered in a few words.")
class ShortAnswerQuestionInput:
    """A question for a few words."""

    prompt: str = strawberry.field(description="What is asked, in Markdown; 1 to 10,000 characters.")
    points: float = strawberry.field(description="What a right answer earns: more than 0, at most 1,000.")
    accepted_texts: list[str] = strawberry.field(
        default_factory=list,
        description="Right answers, at most 50, whatever their case and spacing; without any, an instructor grades.",
    )
    explanation: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why that is right, in Markdown; shown once an attempt is graded."
    )
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The question that it replaces, so that attempts at both are comparable."
    )


@strawberry.input(one_of=True, description="A question: exactly one of its kinds.")
class QuestionInput:
    """A question."""

    single_choice: ChoiceQuestionInput | None = strawberry.field(
        default=strawberry.UNSET, description="With one right choice."
    )
    multiple_choice: ChoiceQuestionInput | None = strawberry.field(
        default=strawberry.UNSET, description="With any number of right choices, one at least."
    )
    numeric: NumericQuestionInput | None = strawberry.field(
        default=strawberry.UNSET, description="Answered by a number."
    )
    short_answer: ShortAnswerQuestionInput | None = strawberry.field(
        default=strawberry.UNSET, description="Answered in a few words."
    )

    def to_criteria(self) -> assessment_edits.GivenQuestion:
        """Return the resolver's form."""
        if chosen := given(self.single_choice):
            return _choices(QuestionKind.SINGLE_CHOICE, "singleChoice", chosen)
        if chosen := given(self.multiple_choice):
            return _choices(QuestionKind.MULTIPLE_CHOICE, "multipleChoice", chosen)
        if numeric := given(self.numeric):
            return assessment_edits.GivenQuestion(
                kind=QuestionKind.NUMERIC,
                part="numeric",
                number=numeric.number,
                tolerance=numeric.tolerance,
                **_common(numeric),
            )
        short = self.short_answer
        assert short is not None  # noqa: S101 - exactly one is given.
        return assessment_edits.GivenQuestion(
            kind=QuestionKind.SHORT_ANSWER, part="shortAnswer", accepted=tuple(short.accepted_texts), **_common(short)
        )


def _common(question: Any) -> dict[str, Any]:
    return {
        "prompt": question.prompt,
        "points": question.points,
        "id": given(question.id),
        "explanation": given(question.explanation),
    }


def _choices(kind: QuestionKind, part: str, question: ChoiceQuestionInput) -> assessment_edits.GivenQuestion:
    choices = tuple(
        assessment_edits.GivenChoice(choice.text, choice.right, given(choice.id)) for choice in question.choices
    )
    return assessment_edits.GivenQuestion(kind=kind, part=part, choices=choices, **_common(question))


@strawberry.input(description="The whole assessment of a module, in place of the one that it has.")
class PutAssessmentInput(CourseEditInput):
    """Input of `putAssessment`."""

    module_id: strawberry.ID = strawberry.field(description=MODULE)
    title: str = strawberry.field(description="1 to 200 characters.")
    passing_share: float = strawberry.field(description="Share of the points that passes, from 0 to 1.")
    questions: list[QuestionInput] = strawberry.field(description="1 to 200 questions, in the order to ask.")
    time_limit_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long an attempt may take, at most a day; no limit when left out."
    )
    attempt_limit: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many attempts a learner has; no limit when left out."
    )

    def to_criteria(self) -> assessment_edits.PutAssessment:
        """Return the resolver's form."""
        return assessment_edits.PutAssessment(
            target=self.target,
            module_id=self.module_id,
            title=self.title,
            passing_share=self.passing_share,
            questions=tuple(question.to_criteria() for question in self.questions),
            time_limit_seconds=given(self.time_limit_seconds),
            attempt_limit=given(self.attempt_limit),
        )


@strawberry.input(description="A module whose assessment is removed.")
class RemoveAssessmentInput(CourseEditInput):
    """Input of `removeAssessment`."""

    module_id: strawberry.ID = strawberry.field(description=MODULE)

    def to_criteria(self) -> assessment_edits.RemoveAssessment:
        """Return the resolver's form."""
        return assessment_edits.RemoveAssessment(self.target, self.module_id)
