"""Continuing a course: which one, with which lesson, in which revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import CommandError, InvalidArgumentError, UserErrorCode
from core.ids import decode_key
from database.notifications import enrollment_topic, notify
from database.queries import (
    enrollments as queries,
    lessons as lesson_queries,
    progress as progress_queries,
    revisions as revision_queries,
)
from database.queries.enrollments import EnrollmentRow
from database.queries.lessons import LessonRow
from database.queries.revisions import RevisionRow
from database.tables.enrollments import EnrollmentStatus
from resolvers.accounts import Viewer
from resolvers.batches import grouped
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.enrollments import EnrollmentPayload, by_ids
from resolvers.progress import settle
from security.audit import Subject

_DEFAULT = 5
_MOST = 20


@dataclass(frozen=True, slots=True)
class MoveToLatestRevision:
    """The enrollment to move on, by its opaque id."""

    enrollment_id: str


async def move_to_latest_revision(context: Context, input: MoveToLatestRevision) -> EnrollmentPayload:  # noqa: A002
    """Let the caller see the published revision of their course; what they have done of it stays done.

    Moving twice changes nothing. A completed course stays completed, whatever is new in it.

    Raises:
        CommandError: NOT_FOUND, or NOT_ENROLLED for a course that they have left.
    """
    learner_id = caller(context).learner_id
    path = ("input", "enrollmentId")
    key = decode_key(input.enrollment_id, "Enrollment")
    unknown = CommandError(UserErrorCode.NOT_FOUND, "There is no such enrollment.", path)
    if key is None:
        raise unknown
    async with transact(context, "moveToLatestRevision", Subject("Enrollment", key)) as act:
        course_id = await queries.lock_course_of(act.connection, learner_id=learner_id, enrollment_id=key)
        if course_id is None:
            raise unknown
        (enrollment,) = await progress_queries.lock_by_ids(act.connection, [key])
        if enrollment.status == EnrollmentStatus.WITHDRAWN:
            raise CommandError(UserErrorCode.NOT_ENROLLED, "You have left this course.", path)
        latest = await queries.latest_revision(act.connection, course_id)
        if latest is not None and latest != enrollment.revision_id:
            await _move(act, key, latest)
    (row,) = await by_ids(context, [key])
    return EnrollmentPayload(enrollment=row)


async def _move(act: Act, enrollment_id: int, revision_id: int) -> None:
    await progress_queries.move_to(act.connection, enrollment_id, revision_id)
    await settle(act.connection, [enrollment_id], act.now)
    await notify(act.connection, [enrollment_topic(enrollment_id)])
    act.details["revision_id"] = revision_id


async def continue_learning(
    context: Context, viewers: Sequence[Viewer], *, first: int | None = None
) -> list[list[EnrollmentRow]]:
    """Return each viewer's active enrollments, those first that they were active in last.

    Raises:
        InvalidArgumentError: `first` is not from 0 to 20.
    """
    limit = _DEFAULT if first is None else first
    if not 0 <= limit <= _MOST:
        raise InvalidArgumentError(f"`first` must be from 0 to {_MOST}.")
    keys = [viewer.learner_id for viewer in viewers]
    rows = await context.reader.fetch(queries.CONTINUING, learner_ids=list(set(keys)), limit=limit)
    return grouped(rows, "learner_id", keys)


async def revision(context: Context, enrollments: Sequence[EnrollmentRow]) -> list[RevisionRow | None]:
    """Return the revision that each enrollment sees; None for a course without content."""
    found = await context.reader.fetch(revision_queries.OF_ENROLLMENTS, ids=[row.id for row in enrollments])
    rows = {row.enrollment_id: row for row in found}
    return [rows.get(row.id) for row in enrollments]


async def newer_revision(context: Context, enrollments: Sequence[EnrollmentRow]) -> list[RevisionRow | None]:
    """Return the published revision of each course where the enrollment sees an older one, or None."""
    keys = list({row.course_id for row in enrollments})
    found = await context.reader.fetch(revision_queries.PUBLISHED_OF_COURSES, ids=keys)
    rows = {row.course_id: row for row in found}
    return [_newer(row, rows.get(row.course_id)) for row in enrollments]


def _newer(enrollment: EnrollmentRow, published: RevisionRow | None) -> RevisionRow | None:
    if published is None or enrollment.revision_id in {None, published.id}:
        return None
    return published


async def next_lesson(context: Context, enrollments: Sequence[EnrollmentRow]) -> list[LessonRow | None]:
    """Return the first lesson of each enrollment that is not completed, in the order of its revision, or None."""
    found = await context.reader.fetch(lesson_queries.NEXT_OF_ENROLLMENTS, ids=[row.id for row in enrollments])
    rows = {row.enrollment_id: row for row in found}
    return [rows.get(row.id) for row in enrollments]
