"""Statements about enrollments."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    ScalarSelect,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from core.selections import Selection
from database.queries.topics import CountRow
from database.queries.visibility import is_one
from database.queries.written import Related, Table, columns, most_together
from database.rows import Row
from database.statements import Statement, bounded, parents
from database.tables.attempts import attempts
from database.tables.courses import course_statistics, courses
from database.tables.enrollments import EnrollmentStatus, enrollments
from database.tables.progress import lesson_progress
from database.tables.revisions import course_revisions


class EnrollmentRow(Row):
    """A learner in a course."""

    id: int
    learner_id: int
    course_id: int
    revision_id: int | None
    status: str
    progress: float
    enrolled_at: datetime
    completed_at: datetime | None


class EnrollmentCountRow(CountRow):
    """How many enrollments of a status a learner has."""

    learner_id: int
    status: str


class StoredEnrollment(NamedTuple):
    """What a command must know of an enrollment."""

    id: int
    course_id: int
    status: str


_COLUMNS = (
    enrollments.c.id,
    enrollments.c.learner_id,
    enrollments.c.course_id,
    enrollments.c.revision_id,
    enrollments.c.status,
    enrollments.c.progress,
    enrollments.c.enrolled_at,
    enrollments.c.completed_at,
)
ENROLLMENT = Table("Enrollment", {each.name: each for each in _COLUMNS})
TAKEN = (EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED)
"""The states of what a list holds when none is asked for: a course that was left is not one that is taken."""

_NEWEST = select(*_COLUMNS).order_by(enrollments.c.enrolled_at.desc(), enrollments.c.id.desc())
TAKEN_BY_LEARNER = Related(
    ENROLLMENT,
    _NEWEST.where(is_one(enrollments.c.status, *TAKEN)),
    enrollments.c.learner_id,
    parent="learner_id",
    paged=True,
)
_LEARNER_ID = bindparam("learner_id", type_=BigInteger)
_WITHDRAWN: ColumnElement[str] = literal_column(f"'{EnrollmentStatus.WITHDRAWN}'")

# Only ever those of one learner: whoever asks is part of the question.
BY_IDS = Statement(
    select(*_COLUMNS).where(
        enrollments.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))), enrollments.c.learner_id == _LEARNER_ID
    ),
    EnrollmentRow,
)

IN_COURSES = Statement(
    select(*_COLUMNS).where(
        enrollments.c.course_id == any_(bindparam("course_ids", type_=ARRAY(BigInteger))),
        enrollments.c.learner_id == _LEARNER_ID,
        enrollments.c.status != _WITHDRAWN,
    ),
    EnrollmentRow,
)

COUNTS = Statement(
    select(enrollments.c.learner_id, enrollments.c.status, func.count().label("count"))
    .where(enrollments.c.learner_id == any_(bindparam("learner_ids", type_=ARRAY(BigInteger))))
    .group_by(enrollments.c.learner_id, enrollments.c.status),
    EnrollmentCountRow,
)


@lru_cache(maxsize=512)
def page(
    statuses: tuple[EnrollmentStatus, ...], *, after: bool, selection: Selection | None = None
) -> Statement[EnrollmentRow]:
    """Return the statement of one page of a learner's enrollments in any of some states, newest first.

    Parameters are `taker_id`, `limit`, and `after_at` and `after_id` if asked. One learner, and states as constants:
    with lists of either PostgreSQL would plan anew each time.
    """
    place = tuple_(enrollments.c.enrolled_at, enrollments.c.id)
    # Not `learner_id`, which is who asks, in what is written of a row.
    taker = bindparam("taker_id", type_=BigInteger)
    part = _NEWEST.where(enrollments.c.learner_id == taker, is_one(enrollments.c.status, *statuses))
    if after:
        part = part.where(
            place
            < tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=BigInteger))
        )
    listed = bounded(part, columns=lambda most: columns(selection, most, ("id", "enrolled_at")))
    return Statement(listed, EnrollmentRow, together=most_together(selection, 1))


def _continuing() -> Statement[EnrollmentRow]:
    parent = parents("learner_ids")
    moments = [
        select(func.max(moment)).where(table.c.enrollment_id == enrollments.c.id).scalar_subquery()
        for table, moment in ((lesson_progress, lesson_progress.c.position_at), (attempts, attempts.c.started_at))
    ]
    active_at = func.greatest(enrollments.c.enrolled_at, *moments).label("active_at")
    chosen = (
        select(*_COLUMNS, active_at)
        .where(
            enrollments.c.learner_id == parent.c.id,
            enrollments.c.status == literal_column(f"'{EnrollmentStatus.ACTIVE}'"),
        )
        .order_by(active_at.desc(), enrollments.c.id.desc())
        .limit(bindparam("limit", type_=BigInteger))
        .lateral("chosen")
    )
    return Statement(
        select(*(chosen.c[each.name] for each in _COLUMNS))
        .select_from(parent.join(chosen, literal_column("true")))
        .order_by(chosen.c.learner_id, chosen.c.active_at.desc(), chosen.c.id.desc()),
        EnrollmentRow,
    )


CONTINUING = _continuing()
"""The active enrollments of each of `learner_ids`, most recently active first, at most `limit` each."""


def published_revision(course_id: ColumnElement[int] | int) -> ScalarSelect[int]:
    """Return the key of the published revision of a course, or null, as an expression."""
    published = course_revisions.alias("published")
    return (
        select(published.c.id)
        .where(published.c.course_id == course_id, published.c.status == literal_column("'PUBLISHED'"))
        .scalar_subquery()
    )


def effective_revision() -> ColumnElement[int]:
    """Return the revision that a row of `enrollments` sees: its own, or else the published one."""
    published: ColumnElement[int] = published_revision(enrollments.c.course_id).correlate(enrollments)
    return func.coalesce(enrollments.c.revision_id, published)


async def lock_course_status(connection: AsyncConnection, course_id: int) -> str | None:
    """Return the status of a course, which cannot change until the transaction ends, or None."""
    statement = select(courses.c.status).where(courses.c.id == course_id).with_for_update(read=True)
    status: str | None = (await connection.execute(statement)).scalar_one_or_none()
    return status


async def lock_course_of(connection: AsyncConnection, *, learner_id: int, enrollment_id: int) -> int | None:
    """Return the course of an enrollment of a learner, where nothing is published until the transaction ends."""
    statement = (
        select(courses.c.id)
        .join(enrollments, enrollments.c.course_id == courses.c.id)
        .where(enrollments.c.id == enrollment_id, enrollments.c.learner_id == learner_id)
        .with_for_update(read=True, of=courses)
    )
    number: int | None = (await connection.execute(statement)).scalar_one_or_none()
    return number


async def latest_revision(connection: AsyncConnection, course_id: int) -> int | None:
    """Return the key of the published revision of a course, or None."""
    number: int | None = (await connection.execute(select(published_revision(course_id)))).scalar_one()
    return number


async def activate(
    connection: AsyncConnection,
    *,
    learner_id: int,
    course_id: int,
    recommendation_id: UUID | None,
    now: datetime,
) -> int | None:
    """Enroll a learner in the published revision, or take a withdrawn enrollment up again with what it had.

    The course must be locked, so that no other revision is published meanwhile.

    Returns:
        The enrollment's id; None when the learner is enrolled already, even by a command of this moment.
    """
    statement = insert_or(enrollments).values(
        learner_id=learner_id,
        course_id=course_id,
        revision_id=published_revision(course_id),
        status=EnrollmentStatus.ACTIVE.value,
        enrolled_at=now,
        recommendation_id=recommendation_id,
    )
    excluded = statement.excluded
    renewed: dict[str, Any] = {name: excluded[name] for name in ("status", "enrolled_at", "recommendation_id")}
    renewed["revision_id"] = func.coalesce(enrollments.c.revision_id, excluded.revision_id)
    statement_or_again = statement.on_conflict_do_update(
        index_elements=[enrollments.c.learner_id, enrollments.c.course_id],
        set_=renewed,
        where=enrollments.c.status == EnrollmentStatus.WITHDRAWN.value,
    ).returning(enrollments.c.id)
    number: int | None = (await connection.execute(statement_or_again)).scalar_one_or_none()
    return number


async def lock_enrollment(
    connection: AsyncConnection, *, learner_id: int, enrollment_id: int
) -> StoredEnrollment | None:
    """Return one enrollment of a learner, locked until the transaction ends, or None."""
    statement = (
        select(enrollments.c.id, enrollments.c.course_id, enrollments.c.status)
        .where(enrollments.c.id == enrollment_id, enrollments.c.learner_id == learner_id)
        .with_for_update()
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else StoredEnrollment(*found)


async def withdraw(connection: AsyncConnection, enrollment_id: int) -> None:
    """Withdraw a learner from a course."""
    await connection.execute(
        update(enrollments).where(enrollments.c.id == enrollment_id).values(status=EnrollmentStatus.WITHDRAWN.value)
    )


async def count_learner(connection: AsyncConnection, course_id: int, change: int) -> None:
    """Add `change`, 1 or -1, to how many learners a course has."""
    statement = insert_or(course_statistics).values(course_id=course_id, enrollment_count=max(change, 0))
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[course_statistics.c.course_id],
            set_={"enrollment_count": func.greatest(course_statistics.c.enrollment_count + change, 0)},
        )
    )
