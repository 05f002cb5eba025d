"""Statements about how far learners are: reports of it, and what follows for an enrollment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Double,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    delete,
    exists,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from database.queries.enrollments import effective_revision
from database.rows import Row
from database.statements import Statement
from database.tables.assessments import assessments
from database.tables.attempts import attempts
from database.tables.enrollments import EnrollmentStatus, enrollments
from database.tables.progress import lesson_progress, progress_reports
from database.tables.revisions import RevisionStatus, course_revisions, lessons

_MOMENT = DateTime(timezone=True)


class LessonProgressRow(Row):
    """How far the caller is in the lesson `lesson_id`."""

    lesson_id: int
    position_seconds: int
    watched_seconds: int
    completed_at: datetime | None
    updated_at: datetime


class ReportedLesson(NamedTuple):
    """The lesson that a report names."""

    id: int
    lineage: UUID
    course_id: int


class LockedEnrollment(NamedTuple):
    """An enrollment, locked; `revision_id` is the published revision's where the enrollment has none of its own."""

    id: int
    learner_id: int
    course_id: int
    revision_id: int | None
    status: str


class Report(NamedTuple):
    """One report of progress, made out to an enrollment and a lineage."""

    client_event_id: str
    enrollment_id: int
    lesson_lineage: UUID
    position_seconds: int
    watched_seconds: int
    occurred_at: datetime
    completed_at: datetime | None


class Recorded(NamedTuple):
    """A report that was counted, and what all reports together did to its lesson.

    Attributes:
        first_at: moment of the earliest report on the lesson in this batch.
        is_first: whether the lesson had no progress before.
        completed_before: when it was completed, as known before.
        completed_at: when it was completed, as known now.
    """

    client_event_id: str
    enrollment_id: int
    lesson_lineage: UUID
    first_at: datetime
    is_first: bool
    completed_before: datetime | None
    completed_at: datetime | None


class Standing(NamedTuple):
    """Where an enrollment stands after its progress was computed, and where it stood before."""

    enrollment_id: int
    learner_id: int
    course_id: int
    progress: float
    progress_before: float
    status: str
    status_before: str


# Progress is looked up through the caller's enrollment, by lineage: a lesson of any revision finds it.
IN_LESSONS = Statement(
    select(
        lessons.c.id.label("lesson_id"),
        lesson_progress.c.position_seconds,
        lesson_progress.c.watched_seconds,
        lesson_progress.c.completed_at,
        lesson_progress.c.position_at.label("updated_at"),
    )
    .select_from(lessons)
    .join(course_revisions, course_revisions.c.id == lessons.c.revision_id)
    .join(
        enrollments,
        and_(
            enrollments.c.course_id == course_revisions.c.course_id,
            enrollments.c.learner_id == bindparam("learner_id", type_=BigInteger),
            enrollments.c.status != literal_column(f"'{EnrollmentStatus.WITHDRAWN}'"),
        ),
    )
    .join(
        lesson_progress,
        and_(
            lesson_progress.c.enrollment_id == enrollments.c.id,
            lesson_progress.c.lesson_lineage == lessons.c.lineage,
        ),
    )
    .where(lessons.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))),
    LessonProgressRow,
)


async def reported_lessons(connection: AsyncConnection, lesson_ids: Sequence[int]) -> dict[int, ReportedLesson]:
    """Return those of the lessons that learners may ever have seen, by key."""
    seen = (RevisionStatus.PUBLISHED.value, RevisionStatus.SUPERSEDED.value)
    statement = (
        select(lessons.c.id, lessons.c.lineage, course_revisions.c.course_id)
        .join(course_revisions, course_revisions.c.id == lessons.c.revision_id)
        .where(lessons.c.id == any_(literal(list(lesson_ids), ARRAY(BigInteger))), course_revisions.c.status.in_(seen))
    )
    return {row.id: ReportedLesson(*row) for row in await connection.execute(statement)}


async def lock_enrollments(
    connection: AsyncConnection, learner_id: int, course_ids: Sequence[int]
) -> dict[int, LockedEnrollment]:
    """Return a learner's enrollments that are not withdrawn, locked until the transaction ends, by course."""
    statement = (
        _locked()
        .where(
            enrollments.c.learner_id == learner_id,
            enrollments.c.course_id == any_(literal(list(course_ids), ARRAY(BigInteger))),
            enrollments.c.status != EnrollmentStatus.WITHDRAWN.value,
        )
        # Whoever locks several does it in this order, so that two of them never wait for each other.
        .order_by(enrollments.c.id)
    )
    return {row.course_id: LockedEnrollment(*row) for row in await connection.execute(statement)}


async def lock_by_ids(connection: AsyncConnection, enrollment_ids: Sequence[int]) -> list[LockedEnrollment]:
    """Return enrollments, locked until the transaction ends, in the order that everybody locks them in."""
    chosen = enrollments.c.id == any_(literal(list(enrollment_ids), ARRAY(BigInteger)))
    statement = _locked().where(chosen).order_by(enrollments.c.id)
    return [LockedEnrollment(*row) for row in await connection.execute(statement)]


def _locked() -> Select[Any]:
    return select(
        enrollments.c.id,
        enrollments.c.learner_id,
        enrollments.c.course_id,
        effective_revision(),
        enrollments.c.status,
    ).with_for_update(of=enrollments)


async def record(
    connection: AsyncConnection, learner_id: int, reports: Sequence[Report], now: datetime
) -> list[Recorded]:
    """Count reports that were never counted before, and merge them into their lessons' progress.

    The result is the same in whatever order reports arrive: the position is that of the latest moment (of the
    farthest position, at one moment), watched seconds are the largest number reported, and a lesson was completed
    when the earliest report says so. The enrollments must be locked.

    Returns:
        Those that were counted; the others had been counted before.
    """
    columns = list(zip(*reports, strict=True))
    values = {f"given_{name}": list(column) for name, column in zip(Report._fields, columns, strict=True)}
    found = await connection.execute(_RECORD, {"learner_id": learner_id, "now": now, **values})
    return [Recorded(*row) for row in found]


def _record() -> Select[Any]:
    types: dict[str, Any] = {
        "client_event_id": Text,
        "enrollment_id": BigInteger,
        "lesson_lineage": Uuid,
        "position_seconds": Integer,
        "watched_seconds": Integer,
        "occurred_at": _MOMENT,
        "completed_at": _MOMENT,
    }
    unnested = (
        func.unnest(*(bindparam(f"given_{name}", type_=ARRAY(type_)) for name, type_ in types.items()))
        .table_valued(*(column(name, type_) for name, type_ in types.items()))
        .render_derived("unnested")
    )
    given = select(unnested).cte("given")
    counting = insert_or(progress_reports).from_select(
        ["learner_id", "client_event_id", "recorded_at"],
        # In one order for everybody: two servers that received the same reports never wait for each other in turn.
        select(
            bindparam("learner_id", type_=BigInteger), given.c.client_event_id, bindparam("now", type_=_MOMENT)
        ).order_by(given.c.client_event_id),
    )
    counted = counting.on_conflict_do_nothing().returning(progress_reports.c.client_event_id).cte("counted")
    key = (given.c.enrollment_id, given.c.lesson_lineage)
    latest = aggregate_order_by(given.c.position_seconds, given.c.occurred_at.desc(), given.c.position_seconds.desc())
    merged = (
        select(
            *key,
            func.array_agg(latest, type_=ARRAY(Integer))[1].label("position_seconds"),
            func.max(given.c.watched_seconds).label("watched_seconds"),
            func.max(given.c.occurred_at).label("position_at"),
            func.min(given.c.completed_at).label("completed_at"),
            func.min(given.c.occurred_at).label("first_at"),
        )
        .join(counted, counted.c.client_event_id == given.c.client_event_id)
        .group_by(*key)
        .cte("merged")
    )
    written = _merge_into_progress(merged)
    before = lesson_progress.alias("before")
    return (
        select(
            given.c.client_event_id,
            *key,
            merged.c.first_at,
            before.c.enrollment_id.is_(None).label("is_first"),
            before.c.completed_at.label("completed_before"),
            written.c.completed_at,
        )
        .join(counted, counted.c.client_event_id == given.c.client_event_id)
        .join(merged, and_(*(merged.c[part.name] == part for part in key)))
        .join(written, and_(*(written.c[part.name] == part for part in key)))
        # The statement sees the table as it was when it began, whatever its other parts write.
        .outerjoin(before, and_(*(before.c[part.name] == part for part in key)))
    )


def _merge_into_progress(merged: Any) -> Any:
    names = ["enrollment_id", "lesson_lineage", "position_seconds", "watched_seconds", "position_at", "completed_at"]
    statement = insert_or(lesson_progress).from_select(names, select(*(merged.c[name] for name in names)))
    stored, new = lesson_progress.c, statement.excluded
    later = tuple_(new.position_at, new.position_seconds) > tuple_(stored.position_at, stored.position_seconds)
    return (
        statement.on_conflict_do_update(
            index_elements=[stored.enrollment_id, stored.lesson_lineage],
            set_={
                "position_seconds": case((later, new.position_seconds), else_=stored.position_seconds),
                "position_at": func.greatest(stored.position_at, new.position_at),
                "watched_seconds": func.greatest(stored.watched_seconds, new.watched_seconds),
                "completed_at": func.least(stored.completed_at, new.completed_at),
            },
        )
        .returning(stored.enrollment_id, stored.lesson_lineage, stored.completed_at)
        .cte("written")
    )


_RECORD = _record()


async def recompute(connection: AsyncConnection, enrollment_ids: Sequence[int], now: datetime) -> list[Standing]:
    """Compute the progress of enrollments, which must be locked, and complete those that have everything done.

    Progress is the share of the revision's lessons that are completed and assessments that are passed. Without any
    of them it stays as it was. What is completed stays completed, and an enrollment without a revision of its own
    gets the one that its learner sees.
    """
    found = await connection.execute(_RECOMPUTE, {"enrollment_ids": list(enrollment_ids), "completed_now": now})
    return [Standing(*row) for row in found]


def _recompute() -> Any:
    old = (
        select(
            enrollments.c.id,
            enrollments.c.progress,
            enrollments.c.status,
            effective_revision().label("revision_id"),
        )
        .where(enrollments.c.id == any_(bindparam("enrollment_ids", type_=ARRAY(BigInteger))))
        .cte("known")
    )
    lesson_done = exists().where(
        lesson_progress.c.enrollment_id == old.c.id,
        lesson_progress.c.lesson_lineage == lessons.c.lineage,
        lesson_progress.c.completed_at.is_not(None),
    )
    assessment_done = exists().where(
        attempts.c.enrollment_id == old.c.id,
        attempts.c.assessment_lineage == assessments.c.lineage,
        attempts.c.passed,
    )
    counts = [
        select(func.count().label("total"), func.count().filter(done.correlate(old, table)).label("done"))
        .where(table.c.revision_id == old.c.revision_id)
        .lateral(name)
        for name, table, done in (
            ("lesson_counts", lessons, lesson_done),
            ("assessment_counts", assessments, assessment_done),
        )
    ]
    total = counts[0].c.total + counts[1].c.total
    done = counts[0].c.done + counts[1].c.done
    new = (
        select(old, total.label("total"), done.label("done"))
        .select_from(old.join(counts[0], literal_column("true")).join(counts[1], literal_column("true")))
        .cte("counted")
    )
    completes = and_(new.c.total > 0, new.c.done == new.c.total, new.c.status == EnrollmentStatus.ACTIVE.value)
    share = cast(new.c.done, Double) / func.nullif(new.c.total, 0, type_=Double)
    return (
        update(enrollments)
        .where(enrollments.c.id == new.c.id)
        .values(
            revision_id=new.c.revision_id,
            progress=func.coalesce(share, enrollments.c.progress),
            status=case((completes, EnrollmentStatus.COMPLETED.value), else_=enrollments.c.status),
            completed_at=case((completes, bindparam("completed_now", type_=_MOMENT)), else_=enrollments.c.completed_at),
        )
        .returning(
            enrollments.c.id,
            enrollments.c.learner_id,
            enrollments.c.course_id,
            enrollments.c.progress,
            new.c.progress,
            enrollments.c.status,
            new.c.status,
        )
    )


_RECOMPUTE = _recompute()


async def move_to(connection: AsyncConnection, enrollment_id: int, revision_id: int) -> None:
    """Let an enrollment see another revision from now on."""
    await connection.execute(
        update(enrollments).where(enrollments.c.id == enrollment_id).values(revision_id=revision_id)
    )


async def prune_reports(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget up to `limit` reports that were recorded before a moment; return how many."""
    oldest = (
        select(progress_reports.c.learner_id, progress_reports.c.client_event_id)
        .where(progress_reports.c.recorded_at < before)
        .order_by(progress_reports.c.recorded_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    pair = tuple_(progress_reports.c.learner_id, progress_reports.c.client_event_id)
    return (await connection.execute(delete(progress_reports).where(pair.in_(oldest)))).rowcount
