"""Statements of commands on attempts at assessments.

Every write locks in one order: first the keys of the assessment (`share_keys` to grade by them, `own_keys` to change
them), then the enrollment, which stands for all of its attempts. So nobody grades by a key that is being changed,
two tabs take turns, and no two of them wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Select,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.tables.assessments import assessments
from database.tables.attempts import AttemptStatus, attempt_answers, attempts
from database.tables.enrollments import enrollments
from database.tables.revisions import RevisionStatus, course_revisions

_MOMENT = DateTime(timezone=True)


class StoredAssessment(NamedTuple):
    """What starting an attempt must know of an assessment."""

    id: int
    lineage: UUID
    course_id: int
    revision_id: int
    time_limit_seconds: int | None
    attempt_limit: int | None


class Place(NamedTuple):
    """Where an attempt belongs, which never changes."""

    enrollment_id: int
    learner_id: int
    course_id: int
    assessment_lineage: UUID


class StoredAttempt(NamedTuple):
    """What a command must know of an attempt; its enrollment is locked."""

    id: int
    enrollment_id: int
    assessment_id: int
    assessment_lineage: UUID
    number: int
    status: str
    deadline_at: datetime | None
    score: float | None
    max_score: float
    passed: bool | None
    passing_share: float
    learner_id: int
    course_id: int


async def share_keys(connection: AsyncConnection, lineage: UUID) -> None:
    """Have the keys of an assessment, in all revisions, stay as they are until the transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock_shared(_number(lineage))))


async def own_keys(connection: AsyncConnection, lineage: UUID) -> None:
    """Wait until nobody grades by the keys of an assessment, and let nobody do so until the transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(_number(lineage))))


def _number(lineage: UUID) -> int:
    return lineage.int & (2**63 - 1)


async def find_assessment(connection: AsyncConnection, assessment_id: int) -> StoredAssessment | None:
    """Return an assessment that learners may have seen, or None."""
    seen = (RevisionStatus.PUBLISHED.value, RevisionStatus.SUPERSEDED.value)
    statement = _assessment().where(assessments.c.id == assessment_id, course_revisions.c.status.in_(seen))
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredAssessment(*found)


async def find_copy(connection: AsyncConnection, lineage: UUID, revision_id: int) -> StoredAssessment | None:
    """Return the copy of an assessment in a revision, or None."""
    statement = _assessment().where(assessments.c.lineage == lineage, assessments.c.revision_id == revision_id)
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredAssessment(*found)


def _assessment() -> Select[Any]:
    return select(
        assessments.c.id,
        assessments.c.lineage,
        course_revisions.c.course_id,
        assessments.c.revision_id,
        assessments.c.time_limit_seconds,
        assessments.c.attempt_limit,
    ).join_from(assessments, course_revisions)


async def locate(connection: AsyncConnection, attempt_id: int) -> Place | None:
    """Return where an attempt belongs, or None."""
    statement = (
        select(
            attempts.c.enrollment_id, enrollments.c.learner_id, enrollments.c.course_id, attempts.c.assessment_lineage
        )
        .join_from(attempts, enrollments)
        .where(attempts.c.id == attempt_id)
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else Place(*found)


async def find_attempt(connection: AsyncConnection, attempt_id: int) -> StoredAttempt | None:
    """Return an attempt whose enrollment is locked; None when both are gone meanwhile."""
    found = (await connection.execute(_attempt().where(attempts.c.id == attempt_id))).one_or_none()
    return None if found is None else StoredAttempt(*found)


async def find_open_attempt(connection: AsyncConnection, enrollment_id: int, lineage: UUID) -> StoredAttempt | None:
    """Return the attempt in progress of an enrollment, which is locked, or None."""
    statement = _attempt().where(
        attempts.c.enrollment_id == enrollment_id,
        attempts.c.assessment_lineage == lineage,
        attempts.c.status == AttemptStatus.IN_PROGRESS.value,
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredAttempt(*found)


def _attempt() -> Select[Any]:
    return (
        select(
            attempts.c.id,
            attempts.c.enrollment_id,
            attempts.c.assessment_id,
            attempts.c.assessment_lineage,
            attempts.c.number,
            attempts.c.status,
            attempts.c.deadline_at,
            attempts.c.score,
            attempts.c.max_score,
            attempts.c.passed,
            assessments.c.passing_share,
            enrollments.c.learner_id,
            enrollments.c.course_id,
        )
        .join_from(attempts, assessments)
        .join(enrollments, enrollments.c.id == attempts.c.enrollment_id)
    )


async def last_number(connection: AsyncConnection, enrollment_id: int, lineage: UUID) -> int:
    """Return the number of the latest attempt, over all revisions; 0 when there was none."""
    statement = select(func.coalesce(func.max(attempts.c.number), 0)).where(
        attempts.c.enrollment_id == enrollment_id, attempts.c.assessment_lineage == lineage
    )
    number: int = (await connection.execute(statement)).scalar_one()
    return number


async def start(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    """Insert an attempt and return its key."""
    statement = insert(attempts).values(status=AttemptStatus.IN_PROGRESS.value, **values).returning(attempts.c.id)
    number: int = (await connection.execute(statement)).scalar_one()
    return number


async def save_answers(
    connection: AsyncConnection, attempt_id: int, responses: Mapping[int, Mapping[str, Any]], now: datetime
) -> None:
    """Save answers in place of those that were there, by question."""
    given = (
        func.unnest(bindparam("question_ids", type_=ARRAY(BigInteger)), bindparam("responses", type_=ARRAY(JSONB)))
        .table_valued(column("question_id", BigInteger), column("response", JSONB))
        .render_derived("given")
    )
    statement = insert_or(attempt_answers).from_select(
        ["attempt_id", "question_id", "response", "saved_at"],
        select(literal(attempt_id, BigInteger), given.c.question_id, given.c.response, literal(now, _MOMENT)),
    )
    saved = {name: statement.excluded[name] for name in ("response", "saved_at")}
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[attempt_answers.c.attempt_id, attempt_answers.c.question_id], set_=saved
        ),
        {"question_ids": list(responses), "responses": [dict(response) for response in responses.values()]},
    )


async def submit(connection: AsyncConnection, attempt_id: int, submitted_at: datetime) -> None:
    """Close an attempt; it waits to be graded."""
    await connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(status=AttemptStatus.SUBMITTED.value, submitted_at=submitted_at)
    )


async def overdue(connection: AsyncConnection, now: datetime, after: int, limit: int) -> list[int]:
    """Return the keys of attempts that are in progress after their deadline, in order of key, not locked."""
    statement = (
        select(attempts.c.id)
        .where(
            attempts.c.status == AttemptStatus.IN_PROGRESS.value, attempts.c.deadline_at < now, attempts.c.id > after
        )
        .order_by(attempts.c.id)
        .limit(limit)
    )
    return list((await connection.execute(statement)).scalars())


async def submitted_after(
    connection: AsyncConnection, assessment_ids: Sequence[int], place: tuple[int, int], limit: int
) -> list[StoredAttempt]:
    """Return attempts that were submitted, in order of enrollment and attempt, after a place in that order."""
    order = tuple_(attempts.c.enrollment_id, attempts.c.id)
    statement = (
        _attempt()
        .where(
            attempts.c.assessment_id == any_(literal(list(assessment_ids), ARRAY(BigInteger))),
            attempts.c.status != AttemptStatus.IN_PROGRESS.value,
            order > tuple_(*(literal(part, BigInteger) for part in place)),
        )
        .order_by(attempts.c.enrollment_id, attempts.c.id)
        .limit(limit)
    )
    return [StoredAttempt(*row) for row in await connection.execute(statement)]
