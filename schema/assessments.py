"""Assessments and questions as clients see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from database.queries.assessments import AssessmentRow, QuestionRow
from database.tables.assessments import QuestionKind
from execution.fields import InstanceOf, batch, column
from resolvers import assessments as assessment_resolvers, attempt_views
from schema.nodes import Node, global_id
from schema.policies import ANYONE, AUTHOR

if TYPE_CHECKING:
    from schema.attempts import Attempt


@strawberry.type(description="What answers a question rightly; what does not belong to its kind is null.")
class AnswerKey:
    """A key."""

    choice_ids: list[strawberry.ID] | None = column(ANYONE, "The right choices.")
    number: float | None = column(ANYONE, "The right number.")
    tolerance: float | None = column(ANYONE, "How far off a number may be.")
    accepted_texts: list[str] | None = column(
        ANYONE, "Right texts, whatever their case and spacing; empty: an instructor grades the answers."
    )


@strawberry.type(description="One of the answers to choose from.")
class Choice:
    """A choice."""

    id: strawberry.ID = column(ANYONE, "Names it within its question.", read=lambda choice: choice["id"])
    text: str = column(ANYONE, "What it says, in Markdown.", read=lambda choice: choice["text"])


@strawberry.interface(
    description="Something asked. New kinds may be added: an attempt can be submitted without an answer to every one."
)
class Question(Node):
    """A question."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Question"))
    prompt: str = column(ANYONE, "What is asked, in Markdown.")
    points: float = column(ANYONE, "What a right answer earns.")
    position: int = column(ANYONE, "Place in its assessment, from 0.")

    @batch(assessment_resolvers.answer_key, policy=AUTHOR)
    def answer_key(self) -> AnswerKey | None:
        """What answers it rightly; for the authors of the course."""
        raise NotImplementedError

    @batch(assessment_resolvers.explanation, policy=ANYONE)
    def explanation(self) -> str | None:
        """Why that is right, in Markdown; null for learners until an attempt of theirs that asked it is graded."""
        raise NotImplementedError


@strawberry.type(description="A question with one right choice.")
class SingleChoiceQuestion(Question):
    """One of several."""

    choices: list[Choice] = column(ANYONE, "What to choose from, in the order to show.")

    is_type_of = InstanceOf(QuestionRow, kind=QuestionKind.SINGLE_CHOICE)


@strawberry.type(description="A question with any number of right choices; a wrong one takes back a right one.")
class MultipleChoiceQuestion(Question):
    """Any of several."""

    choices: list[Choice] = column(ANYONE, "What to choose from, in the order to show.")

    is_type_of = InstanceOf(QuestionRow, kind=QuestionKind.MULTIPLE_CHOICE)


@strawberry.type(description="A question that is answered by a number.")
class NumericQuestion(Question):
    """A number."""

    is_type_of = InstanceOf(QuestionRow, kind=QuestionKind.NUMERIC)


@strawberry.type(description="A question that is answered in a few words.")
class ShortAnswerQuestion(Question):
    """A few words."""

    is_type_of = InstanceOf(QuestionRow, kind=QuestionKind.SHORT_ANSWER)


@strawberry.type(description="What closes a module: questions that show whether it was understood.")
class Assessment(Node):
    """An assessment."""

    id: strawberry.ID = column(ANYONE, "Opaque and stable.", read=global_id("Assessment"))
    title: str = column(ANYONE, "What it is called.")
    passing_share: float = column(ANYONE, "Share of the points that passes, from 0 to 1.")
    time_limit_seconds: int | None = column(ANYONE, "How long an attempt may take; null: as long as it takes.")
    attempt_limit: int | None = column(ANYONE, "How many attempts a learner has; null: as many as they want.")
    question_count: int = column(ANYONE, "How many questions it has.")
    max_score: float = column(ANYONE, "Points of all questions.")

    @batch(assessment_resolvers.questions, policy=AUTHOR)
    def questions(self) -> list[Question] | None:
        """The questions, for the authors of the course. Learners are asked them in an attempt."""
        raise NotImplementedError

    @batch(attempt_views.viewer_attempts, policy=ANYONE)
    def viewer_attempts(self) -> list[Annotated[Attempt, strawberry.lazy("schema.attempts")]]:
        """The caller's attempts over all revisions, newest first, at most 100; empty when signed out."""
        raise NotImplementedError

    is_type_of = InstanceOf(AssessmentRow)
