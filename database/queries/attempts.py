"""Statements about attempts at assessments and the answers in them.

Every write locks in one order: first the keys of the assessment (`share_keys` to grade by them, `own_keys` to change
them), then the enrollment, which stands for all of its attempts. So nobody grades by a key that is being changed,
two tabs take turns, and no two of them wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Select,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.topics import CountRow
from database.rows import Row
from database.statements import Statement
from database.tables.assessments import assessments, questions
from database.tables.attempts import AttemptStatus, attempt_answers, attempts
from database.tables.enrollments import enrollments
from database.tables.revisions import RevisionStatus, course_revisions

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


def _of_parents(name: str) -> Any:
    """Return the keys of the parents of one level, as the table `parent`."""
    return (
        func.unnest(bindparam(name, type_=ARRAY(BigInteger)))
        .table_valued(column("id", BigInteger))
        .render_derived("parent")
    )


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
    parent = _of_parents("ids")
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
    parent = _of_parents("course_ids")
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


async def submit(connection: AsyncConnection, attempt_id: int, submitted_at: datetime) -> None:
    """Close an attempt; it waits to be graded."""
    await connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id)
        .values(status=AttemptStatus.SUBMITTED.value, submitted_at=submitted_at)
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
