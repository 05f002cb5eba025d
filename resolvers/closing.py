"""Closing and grading attempts inside a transaction: whoever submits, whatever is overdue, whichever key was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from database.notifications import attempt_topic, notify
from database.queries import attempt_changes as changes, events as event_queries, grades
from database.queries.attempt_changes import StoredAttempt
from database.queries.events import NewEvent
from database.queries.grades import Result, StoredAnswer
from database.tables.attempts import AttemptStatus
from database.tables.events import EventKind
from resolvers.grading import GivenAnswer, Grade, GradedQuestion, grade
from resolvers.progress import settle


async def close(connection: AsyncConnection, attempt: StoredAttempt, now: datetime) -> None:
    """Submit an attempt that is in progress and grade it as far as the machine can.

    An attempt that is closed late counts as submitted when its time was over.

    Args:
        connection: a transaction that shares the assessment's keys and has locked the enrollment.
        attempt: the attempt.
        now: the moment of the act.
    """
    submitted_at = now if attempt.deadline_at is None else min(now, attempt.deadline_at)
    await changes.submit(connection, attempt.id, submitted_at)
    await evaluate(connection, [attempt], now)


async def evaluate(connection: AsyncConnection, attempts: Sequence[StoredAttempt], now: datetime) -> list[int]:
    """Grade attempts that were submitted, again if they were graded before.

    Points that an instructor gave stay; the machine's are what the keys say now. What is not entirely graded waits.
    Attempts whose points changed are graded with an event each, their enrollments' progress is computed, and whoever
    watches is told.

    Args:
        connection: a transaction that holds the assessment's keys and has locked the enrollments.
        attempts: the attempts.
        now: the moment of the act.

    Returns:
        Keys of the attempts that are graded otherwise than before.
    """
    questions: dict[int, list[GradedQuestion]] = {}
    for question in await grades.questions_of(connection, sorted({attempt.assessment_id for attempt in attempts})):
        questions.setdefault(question.assessment_id, []).append(
            GradedQuestion(question.id, str(question.lineage), question.kind, question.points, question.answer_key)
        )
    answers: dict[int, list[StoredAnswer]] = {attempt.id: [] for attempt in attempts}
    for answer in await grades.answers_of(connection, list(answers)):
        answers[answer.attempt_id].append(answer)
    points: dict[tuple[int, int], float | None] = {}
    graded: list[tuple[StoredAttempt, Grade]] = []
    for attempt in attempts:
        result = grade(questions.get(attempt.assessment_id, []), _given(answers[attempt.id]))
        changed = {
            (attempt.id, answer.question_id): result.points.get(answer.question_id)
            for answer in answers[attempt.id]
            if answer.points != result.points.get(answer.question_id)
        }
        points.update(changed)
        # An instructor's points are saved already, and show in the score alone.
        if not result.waiting and (changed or attempt.status != AttemptStatus.GRADED or attempt.score != result.score):
            graded.append((attempt, result))
    await grades.save_points(connection, points)
    await _write_results(connection, graded, now)
    return [attempt.id for attempt, _ in graded]


def _given(answers: Sequence[StoredAnswer]) -> dict[int, GivenAnswer]:
    return {
        answer.question_id: GivenAnswer(answer.response, None if answer.graded_by is None else answer.points)
        for answer in answers
    }


async def _write_results(
    connection: AsyncConnection, graded: Sequence[tuple[StoredAttempt, Grade]], now: datetime
) -> None:
    results = [
        Result(
            attempt.id,
            result.score,
            result.passed(max_score=attempt.max_score, passing_share=attempt.passing_share),
        )
        for attempt, result in graded
    ]
    await grades.save_results(connection, results, now)
    events = [
        NewEvent(
            EventKind.ATTEMPT_GRADED,
            attempt.learner_id,
            attempt.course_id,
            now,
            _payload(attempt, result, passed=written.passed),
        )
        for (attempt, result), written in zip(graded, results, strict=True)
    ]
    await event_queries.insert_many(connection, events, now)
    await settle(connection, (attempt.enrollment_id for attempt, _ in graded), now)
    await notify(connection, [attempt_topic(attempt.id) for attempt, _ in graded])


def _payload(attempt: StoredAttempt, result: Grade, *, passed: bool) -> dict[str, Any]:
    return {
        "assessment": str(attempt.assessment_lineage),
        "attempt_id": attempt.id,
        "number": attempt.number,
        "score": result.score,
        "max_score": attempt.max_score,
        "passed": passed,
        "questions": dict(result.shares),
    }
