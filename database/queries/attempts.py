"""Statements that read attempts at assessments and the answers in them."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
)

from database.queries.topics import CountRow
from database.rows import Row
from database.statements import Statement, parents
from database.tables.assessments import assessments, questions
from database.tables.attempts import AttemptStatus, attempt_answers, attempts
from database.tables.enrollments import enrollments
from database.tables.revisions import course_revisions

_MOMENT = DateTime(timezone=True)


_LATEST = 100


class AttemptRow(Row):
    """An attempt, and whose it is."""

    id: int
    enrollment_id: int
    assessment_id: int
    learner_id: int
    course_id: int
    number: int
    status: str
    started_at: datetime
    deadline_at: datetime | None
    submitted_at: datetime | None
    graded_at: datetime | None
    score: float | None
    max_score: float
    passed: bool | None


class AssessmentAttemptRow(AttemptRow):
    """An attempt at the assessment `asked_id` or at another copy of it."""

    asked_id: int


class AnswerRow(Row):
    """An answer in an attempt."""

    attempt_id: int
    question_id: int
    response: dict[str, Any]
    saved_at: datetime
    points: float | None
    feedback: str | None


class CourseAttemptCountRow(CountRow):
    """How many attempts of a course wait for an instructor."""

    course_id: int


_COLUMNS = (
    attempts.c.id,
    attempts.c.enrollment_id,
    attempts.c.assessment_id,
    enrollments.c.learner_id,
    enrollments.c.course_id,
    attempts.c.number,
    attempts.c.status,
    attempts.c.started_at,
    attempts.c.deadline_at,
    attempts.c.submitted_at,
    attempts.c.graded_at,
    attempts.c.score,
    attempts.c.max_score,
    attempts.c.passed,
)


_LEARNER_ID = bindparam("learner_id", type_=BigInteger)


_SUBMITTED: ColumnElement[str] = literal_column(f"'{AttemptStatus.SUBMITTED}'")


BY_IDS = Statement(
    select(*_COLUMNS)
    .join_from(attempts, enrollments)
    .where(attempts.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))),
    AttemptRow,
)


ANSWERS = Statement(
    select(
        attempt_answers.c.attempt_id,
        attempt_answers.c.question_id,
        attempt_answers.c.response,
        attempt_answers.c.saved_at,
        attempt_answers.c.points,
        attempt_answers.c.feedback,
    )
    .join_from(attempt_answers, questions)
    .where(attempt_answers.c.attempt_id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .order_by(attempt_answers.c.attempt_id, questions.c.position),
    AnswerRow,
)


TO_GRADE_COUNTS = Statement(
    select(enrollments.c.course_id, func.count().label("count"))
    .join_from(attempts, enrollments)
    .where(
        enrollments.c.course_id == any_(bindparam("course_ids", type_=ARRAY(BigInteger))),
        attempts.c.status == _SUBMITTED,
    )
    .group_by(enrollments.c.course_id),
    CourseAttemptCountRow,
)


def _in_assessments() -> Statement[AssessmentAttemptRow]:
    parent = parents("ids")
    asked = assessments.alias("asked")
    revision = course_revisions.alias("revision")
    part = (
        select(*_COLUMNS)
        .join_from(attempts, enrollments)
        .where(
            attempts.c.assessment_lineage == asked.c.lineage,
            enrollments.c.course_id == revision.c.course_id,
            enrollments.c.learner_id == _LEARNER_ID,
        )
        .order_by(attempts.c.number.desc())
        .limit(literal_column(str(_LATEST)))
        .lateral("chosen")
    )
    joined = (
        parent.join(asked, asked.c.id == parent.c.id)
        .join(revision, revision.c.id == asked.c.revision_id)
        .join(part, literal_column("true"))
    )
    statement = select(parent.c.id.label("asked_id"), *part.c).select_from(joined)
    return Statement(statement.order_by(parent.c.id, part.c.number.desc()), AssessmentAttemptRow)


IN_ASSESSMENTS = _in_assessments()


@lru_cache(maxsize=2)
def to_grade(*, after: bool) -> Statement[AttemptRow]:
    """Return the statement of one page for each of `course_ids`: what waits for an instructor, longest first.

    Parameters are `course_ids`, `limit`, and `after_at` and `after_id` if asked.
    """
    parent = parents("course_ids")
    place = tuple_(attempts.c.submitted_at, attempts.c.id)
    part = (
        select(*_COLUMNS)
        .join_from(attempts, enrollments)
        .where(enrollments.c.course_id == parent.c.id, attempts.c.status == _SUBMITTED)
        .order_by(attempts.c.submitted_at, attempts.c.id)
        .limit(bindparam("limit", type_=BigInteger))
    )
    if after:
        part = part.where(place > tuple_(bindparam("after_at", type_=_MOMENT), bindparam("after_id", type_=BigInteger)))
    chosen = part.lateral("chosen")
    return Statement(
        select(*chosen.c)
        .select_from(parent.join(chosen, literal_column("true")))
        .order_by(chosen.c.course_id, chosen.c.submitted_at, chosen.c.id),
        AttemptRow,
    )
