"""What clients read of attempts: what is asked and was answered, and what waits for an instructor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from database.queries import (
    assessments as assessment_queries,
    attempts as queries,
)
from database.queries.assessments import AssessmentRow, QuestionRow
from database.queries.attempts import AnswerRow, AttemptRow
from database.queries.courses import CourseRow
from database.queries.enrollments import EnrollmentRow
from database.tables.attempts import AttemptStatus
from resolvers import enrollments
from resolvers.batches import grouped
from resolvers.commands import caller
from resolvers.context import Context
from resolvers.pages import Count, Page, microseconds, moment, page, window

_SCOPE = "attemptsToGrade"


@dataclass(frozen=True, slots=True)
class AttemptAnswer:
    """An answer as its reader may see it: points and feedback are None until the learner may know them."""

    question_id: int
    choice_ids: list[str] | None
    number: float | None
    text: str | None
    saved_at: datetime
    points: float | None
    feedback: str | None


async def viewer_attempts(context: Context, assessments: Sequence[Any]) -> Sequence[Sequence[AttemptRow]]:
    """Return the caller's latest attempts at each assessment, whichever revision they were started in."""
    if context.identity is None:
        return [[] for _ in assessments]
    keys = [row.id for row in assessments]
    learner_id = context.identity.learner_id
    found = await context.reader.fetch(queries.IN_ASSESSMENTS, ids=list(set(keys)), learner_id=learner_id)
    return grouped(found, "asked_id", keys)


async def assessment(context: Context, attempts: Sequence[AttemptRow]) -> list[AssessmentRow]:
    """Return the assessment of each attempt, in the revision that it was started in."""
    keys = list({row.assessment_id for row in attempts})
    rows = {row.id: row for row in await context.reader.fetch(assessment_queries.BY_IDS, ids=keys)}
    return [rows[row.assessment_id] for row in attempts]


async def questions(context: Context, attempts: Sequence[AttemptRow]) -> list[list[QuestionRow]]:
    """Return what each attempt asks, in order."""
    keys = list({row.assessment_id for row in attempts})
    rows = await context.reader.fetch(assessment_queries.QUESTIONS, ids=keys)
    return grouped(rows, "assessment_id", [row.assessment_id for row in attempts])


async def enrollment(context: Context, attempts: Sequence[AttemptRow]) -> list[EnrollmentRow | None]:
    """Return the enrollment of each attempt if it is the caller's own, or None."""
    return await enrollments.by_ids(context, [row.enrollment_id for row in attempts])


async def answers(context: Context, attempts: Sequence[AttemptRow]) -> list[list[AttemptAnswer]]:
    """Return what was answered in each attempt, in the order of the questions."""
    learner_id = caller(context).learner_id
    rows = await context.reader.fetch(queries.ANSWERS, ids=list({row.id for row in attempts}))
    return [
        [_shown(row, told=attempt.status == AttemptStatus.GRADED or attempt.learner_id != learner_id) for row in given]
        for attempt, given in zip(attempts, grouped(rows, "attempt_id", [row.id for row in attempts]), strict=True)
    ]


def _shown(row: AnswerRow, *, told: bool) -> AttemptAnswer:
    return AttemptAnswer(
        question_id=row.question_id,
        choice_ids=row.response.get("choices"),
        number=row.response.get("number"),
        text=row.response.get("text"),
        saved_at=row.saved_at,
        points=row.points if told else None,
        feedback=row.feedback if told else None,
    )


async def question(context: Context, answers: Sequence[AttemptAnswer]) -> list[QuestionRow]:
    """Return what each answer answers."""
    keys = list({answer.question_id for answer in answers})
    rows = {row.id: row for row in await context.reader.fetch(assessment_queries.QUESTIONS_BY_IDS, ids=keys)}
    return [rows[answer.question_id] for answer in answers]


async def attempts_to_grade(
    context: Context, courses: Sequence[CourseRow], *, first: int | None = None, after: str | None = None
) -> list[Page[AttemptRow]]:
    """Return a page of each course's attempts that wait for an instructor, those first that wait longest.

    Raises:
        InvalidArgumentError: the cursor is of another list, or the page is too large.
    """
    asked = window(scope=_SCOPE, kinds=(int, int), first=first, after=after)
    keys = list({row.id for row in courses})
    values: dict[str, Any] = {"course_ids": keys, "limit": asked.limit + 1}
    if asked.after is not None:
        values["after_at"], values["after_id"] = moment(asked.after[0]), asked.after[1]
    rows = await context.reader.fetch(queries.to_grade(after=asked.after is not None), **values)
    return [
        page(
            found,
            asked,
            scope=_SCOPE,
            key=_wait,
            count=Count(_count_to_grade, course.id),
        )
        for course, found in zip(courses, grouped(rows, "course_id", [row.id for row in courses]), strict=True)
    ]


def _wait(row: AttemptRow) -> tuple[int, int]:
    # What is submitted has a moment: the row was found by its status.
    return microseconds(row.submitted_at or row.started_at), row.id


async def _count_to_grade(context: Context, keys: Sequence[int]) -> list[int]:
    rows = await context.reader.fetch(queries.TO_GRADE_COUNTS, course_ids=list(keys))
    totals = {row.course_id: row.count for row in rows}
    return [totals.get(key, 0) for key in keys]
