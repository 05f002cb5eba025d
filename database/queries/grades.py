"""Statements about keys, and about the points that answers earn by them; see `attempt_changes` for their locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Double,
    Select,
    any_,
    bindparam,
    column,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.assessments import assessments, questions
from database.tables.attempts import AttemptStatus, attempt_answers, attempts
from database.tables.revisions import course_revisions


class StoredQuestion(NamedTuple):
    """A question with its key."""

    id: int
    assessment_id: int
    lineage: UUID
    kind: str
    points: float
    choices: list[dict[str, str]]
    answer_key: dict[str, Any]


class StoredAnswer(NamedTuple):
    """An answer with the points that it was given, and by whom: None for the machine."""

    attempt_id: int
    question_id: int
    response: dict[str, Any]
    points: float | None
    graded_by: int | None


class Result(NamedTuple):
    """What an attempt has come to."""

    attempt_id: int
    score: float
    passed: bool


async def questions_of(connection: AsyncConnection, assessment_ids: Sequence[int]) -> list[StoredQuestion]:
    """Return the questions of assessments, in order."""
    statement = (
        _question()
        .where(questions.c.assessment_id == any_(literal(list(assessment_ids), ARRAY(BigInteger))))
        .order_by(questions.c.assessment_id, questions.c.position)
    )
    return [StoredQuestion(*row) for row in await connection.execute(statement)]


def _question() -> Select[Any]:
    return select(
        questions.c.id,
        questions.c.assessment_id,
        questions.c.lineage,
        questions.c.kind,
        questions.c.points,
        questions.c.choices,
        questions.c.answer_key,
    )


async def answers_of(connection: AsyncConnection, attempt_ids: Sequence[int]) -> list[StoredAnswer]:
    """Return the answers in attempts."""
    columns = [attempt_answers.c[name] for name in StoredAnswer._fields]
    statement = select(*columns).where(
        attempt_answers.c.attempt_id == any_(literal(list(attempt_ids), ARRAY(BigInteger)))
    )
    return [StoredAnswer(*row) for row in await connection.execute(statement)]


async def save_points(connection: AsyncConnection, points: Mapping[tuple[int, int], float | None]) -> None:
    """Give answers their points, by attempt and question; None takes them back."""
    if not points:
        return
    given = (
        func.unnest(
            bindparam("attempt_ids", type_=ARRAY(BigInteger)),
            bindparam("question_ids", type_=ARRAY(BigInteger)),
            bindparam("given_points", type_=ARRAY(Double)),
        )
        .table_valued(column("attempt_id", BigInteger), column("question_id", BigInteger), column("points", Double))
        .render_derived("given")
    )
    statement = (
        update(attempt_answers)
        .where(attempt_answers.c.attempt_id == given.c.attempt_id, attempt_answers.c.question_id == given.c.question_id)
        .values(points=given.c.points)
    )
    values = {
        "attempt_ids": [attempt_id for attempt_id, _ in points],
        "question_ids": [question_id for _, question_id in points],
        "given_points": list(points.values()),
    }
    await connection.execute(statement, values)


async def grade_by_hand(
    connection: AsyncConnection, attempt_id: int, question_id: int, *, points: float, feedback: str | None, by: int
) -> None:
    """Give one answer the points and the feedback of an instructor."""
    await connection.execute(
        update(attempt_answers)
        .where(attempt_answers.c.attempt_id == attempt_id, attempt_answers.c.question_id == question_id)
        .values(points=points, feedback=feedback, graded_by=by)
    )


async def save_results(connection: AsyncConnection, results: Sequence[Result], now: datetime) -> None:
    """Write what attempts that were submitted have come to."""
    if not results:
        return
    given = (
        func.unnest(
            bindparam("attempt_ids", type_=ARRAY(BigInteger)),
            bindparam("scores", type_=ARRAY(Double)),
            bindparam("outcomes", type_=ARRAY(Boolean)),
        )
        .table_valued(column("attempt_id", BigInteger), column("score", Double), column("passed", Boolean))
        .render_derived("given")
    )
    statement = (
        update(attempts)
        .where(attempts.c.id == given.c.attempt_id)
        .values(status=AttemptStatus.GRADED.value, score=given.c.score, passed=given.c.passed, graded_at=now)
    )
    values = {
        "attempt_ids": [result.attempt_id for result in results],
        "scores": [result.score for result in results],
        "outcomes": [result.passed for result in results],
    }
    await connection.execute(statement, values)


async def find_question(connection: AsyncConnection, question_id: int) -> tuple[StoredQuestion, UUID, int] | None:
    """Return a question, the lineage of its assessment and the key of its course, or None."""
    statement = (
        _question()
        .add_columns(assessments.c.lineage, course_revisions.c.course_id)
        .join(assessments, assessments.c.id == questions.c.assessment_id)
        .join(course_revisions, course_revisions.c.id == assessments.c.revision_id)
        .where(questions.c.id == question_id)
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else (StoredQuestion(*found[:-2]), found[-2], found[-1])


async def copies_of_question(connection: AsyncConnection, lineage: UUID, course_id: int) -> list[StoredQuestion]:
    """Return the copies of a question in all revisions of a course, oldest first."""
    statement = (
        _question()
        .join(assessments, assessments.c.id == questions.c.assessment_id)
        .join(course_revisions, course_revisions.c.id == assessments.c.revision_id)
        .where(questions.c.lineage == lineage, course_revisions.c.course_id == course_id)
        .order_by(questions.c.id)
    )
    return [StoredQuestion(*row) for row in await connection.execute(statement)]


async def change_key(connection: AsyncConnection, question_ids: Sequence[int], key: Mapping[str, Any]) -> None:
    """Give questions another key."""
    chosen = questions.c.id == any_(literal(list(question_ids), ARRAY(BigInteger)))
    await connection.execute(update(questions).where(chosen).values(answer_key=dict(key)))
