"""Enrollments: taking a course, leaving it, and what a learner has taken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from uuid import UUID

from core.errors import CommandError, ForbiddenError, InvalidArgumentError, UserErrorCode
from core.ids import decode_id, decode_key
from core.selections import Written
from database.notifications import enrollment_topic, notify
from database.queries import courses as course_queries, enrollments as queries, events as event_queries
from database.queries.courses import CourseRow
from database.queries.enrollments import EnrollmentRow, StoredEnrollment
from database.tables.courses import CourseStatus
from database.tables.enrollments import EnrollmentStatus
from database.tables.events import EventKind
from resolvers.accounts import Viewer
from resolvers.batches import aligned
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.pages import Count, Page, microseconds, moment, page, window
from resolvers.payloads import Payload
from resolvers.watching import watched
from resolvers.writing import asked_for, rows_of
from security.audit import Subject

_SCOPE = "enrollments"


@dataclass(frozen=True, slots=True)
class Enroll:
    """The course to take.

    Attributes:
        course_id: its opaque id.
        recommendation_id: the opaque id of the recommendation that it was chosen from, if any.
    """

    course_id: str
    recommendation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unenroll:
    """The enrollment to end, by its opaque id."""

    enrollment_id: str


@dataclass(frozen=True, kw_only=True)
class EnrollmentPayload(Payload):
    """The answer of `enroll` and `unenroll`; with ALREADY_ENROLLED it holds the enrollment that there is."""

    enrollment: EnrollmentRow | None = None


async def enroll(context: Context, input: Enroll) -> EnrollmentPayload:  # noqa: A002 - the contract's name.
    """Enroll the caller in a published course, or take up again one that they had left.

    Raises:
        CommandError: NOT_FOUND, NOT_PUBLISHED for an archived course, or INVALID for a recommendation id that
            this server did not issue.
    """
    identity = caller(context)
    recommendation_id = None
    if input.recommendation_id is not None:
        recommendation_id = recommendation_key(input.recommendation_id, ("input", "recommendationId"))
    course_id = decode_key(input.course_id, "Course")
    if course_id is None:
        raise _no_course()
    refusal: CommandError | None = None
    async with transact(context, "enroll", Subject("Course", course_id)) as act:
        await _refuse_unpublished(act, course_id)
        enrollment_id = await queries.activate(
            act.connection,
            learner_id=identity.learner_id,
            course_id=course_id,
            recommendation_id=recommendation_id,
            now=act.now,
        )
        if enrollment_id is None:
            # The enrollment that there is belongs to the answer, so this refusal is not raised.
            refusal = CommandError(
                UserErrorCode.ALREADY_ENROLLED, "You are enrolled in this course already.", ("input", "courseId")
            )
            act.outcome = refusal.code.value
        else:
            await queries.count_learner(act.connection, course_id, 1)
            await _write_event(act, EventKind.ENROLLED, identity.learner_id, course_id, recommendation_id)
            await notify(act.connection, [enrollment_topic(enrollment_id)])
            act.details["enrollment_id"] = enrollment_id
    (enrollment,) = await _in_courses(context, identity.learner_id, [course_id])
    return EnrollmentPayload(enrollment=enrollment, user_errors=() if refusal is None else (refusal,))


async def unenroll(context: Context, input: Unenroll) -> EnrollmentPayload:  # noqa: A002 - the contract's name.
    """Withdraw the caller from a course; leaving twice changes nothing.

    Raises:
        CommandError: NOT_FOUND, or INVALID for a course that is completed.
    """
    identity = caller(context)
    path = ("input", "enrollmentId")
    enrollment_id = decode_key(input.enrollment_id, "Enrollment")
    if enrollment_id is None:
        raise CommandError(UserErrorCode.NOT_FOUND, "There is no such enrollment.", path)
    async with transact(context, "unenroll", Subject("Enrollment", enrollment_id)) as act:
        stored = await queries.lock_enrollment(
            act.connection, learner_id=identity.learner_id, enrollment_id=enrollment_id
        )
        if stored is None:
            raise CommandError(UserErrorCode.NOT_FOUND, "There is no such enrollment.", path)
        if stored.status == EnrollmentStatus.COMPLETED:
            raise CommandError(UserErrorCode.INVALID, "A completed course cannot be left.", path)
        await _withdraw(act, identity.learner_id, stored)
    (enrollment,) = await by_ids(context, [enrollment_id])
    return EnrollmentPayload(enrollment=enrollment)


async def enrollments(
    context: Context,
    viewers: Sequence[Viewer],
    *,
    first: int | None = None,
    after: str | None = None,
    status: EnrollmentStatus | None = None,
    written: Written | None = None,
) -> list[Page[EnrollmentRow]]:
    """Return a page of each viewer's enrollments, newest first; without a status, all but withdrawn ones.

    Raises:
        InvalidArgumentError: the cursor is of another list, or the page is too large.
    """
    statuses = queries.TAKEN if status is None else (status,)
    scope = f"{_SCOPE}:{','.join(statuses)}"
    asked = window(scope=scope, kinds=(int, int), first=first, after=after)
    selection, values = asked_for(context, written)
    values["limit"] = rows_of(asked, selection)
    if asked.after is not None:
        values["after_at"], values["after_id"] = moment(asked.after[0]), asked.after[1]
    statement = queries.page(statuses, after=asked.after is not None, selection=selection)
    pages: dict[int, Page[EnrollmentRow]] = {}
    # All of them are the caller, at whatever places of the answer.
    for learner_id in {viewer.learner_id for viewer in viewers}:
        pages[learner_id] = page(
            await context.reader.fetch(statement, **values, taker_id=learner_id),
            asked,
            scope=scope,
            key=lambda row: (microseconds(row.enrolled_at), row.id),
            count=Count(_count, (learner_id, statuses)),
        )
    return [pages[viewer.learner_id] for viewer in viewers]


async def course(context: Context, enrollments: Sequence[EnrollmentRow]) -> list[CourseRow]:
    """Return the course of each enrollment, archived ones included."""
    keys = list({row.course_id for row in enrollments})
    rows = {row.id: row for row in await context.reader.fetch(course_queries.BY_IDS, ids=keys)}
    return [rows[row.course_id] for row in enrollments]


async def viewer_enrollment(context: Context, courses: Sequence[CourseRow]) -> list[EnrollmentRow | None]:
    """Return the caller's enrollment in each course; None when signed out, never enrolled or withdrawn."""
    if context.identity is None:
        return [None] * len(courses)
    return await _in_courses(context, context.identity.learner_id, [row.id for row in courses])


def enrollment_progress(context: Context, *, enrollment_id: str) -> AsyncGenerator[EnrollmentRow, None]:
    """Return the stream of an enrollment of the caller's own: at once, and whenever its progress or status changes.

    At its first value, or later, it raises what `watched` raises, and besides:

    Raises:
        ForbiddenError: there is no such enrollment of the caller's own.
    """
    key = decode_key(enrollment_id, "Enrollment")

    async def read() -> EnrollmentRow:
        (row,) = [None] if key is None else await by_ids(context, [key])
        if row is None:
            raise ForbiddenError("There is no enrollment of yours with this id.")
        return row

    return watched(context, enrollment_topic(key or 0), read)


async def by_ids(context: Context, keys: Sequence[int]) -> list[EnrollmentRow | None]:
    """Return the enrollment of each key if it is the caller's own, or None."""
    if context.identity is None:
        return [None] * len(keys)
    found = await context.reader.fetch(queries.BY_IDS, ids=list(keys), learner_id=context.identity.learner_id)
    return aligned(found, keys)


async def _in_courses(context: Context, learner_id: int, course_ids: Sequence[int]) -> list[EnrollmentRow | None]:
    found = await context.reader.fetch(queries.IN_COURSES, course_ids=list(course_ids), learner_id=learner_id)
    rows = {row.course_id: row for row in found}
    return [rows.get(course_id) for course_id in course_ids]


async def _count(context: Context, keys: Sequence[tuple[int, tuple[EnrollmentStatus, ...]]]) -> list[int]:
    learner_ids = list({learner_id for learner_id, _ in keys})
    rows = await context.reader.fetch(queries.COUNTS, learner_ids=learner_ids)
    totals = {(row.learner_id, row.status): row.count for row in rows}
    return [sum(totals.get((learner_id, status), 0) for status in statuses) for learner_id, statuses in keys]


async def _refuse_unpublished(act: Act, course_id: int) -> None:
    status = await queries.lock_course_status(act.connection, course_id)
    # Whoever may not see a draft is not told that there is one.
    if status is None or status in (CourseStatus.DRAFT, CourseStatus.IN_REVIEW):
        raise _no_course()
    if status != CourseStatus.PUBLISHED:
        raise CommandError(
            UserErrorCode.NOT_PUBLISHED, "This course takes no new learners any more.", ("input", "courseId")
        )


async def _withdraw(act: Act, learner_id: int, stored: StoredEnrollment) -> None:
    if stored.status == EnrollmentStatus.WITHDRAWN:
        return
    await queries.withdraw(act.connection, stored.id)
    await queries.count_learner(act.connection, stored.course_id, -1)
    await _write_event(act, EventKind.UNENROLLED, learner_id, stored.course_id, None)
    await notify(act.connection, [enrollment_topic(stored.id)])


async def _write_event(
    act: Act, kind: EventKind, learner_id: int, course_id: int, recommendation_id: UUID | None
) -> None:
    await event_queries.insert(
        act.connection,
        kind,
        learner_id=learner_id,
        course_id=course_id,
        recommendation_id=recommendation_id,
        occurred_at=act.now,
        recorded_at=act.now,
    )


def recommendation_key(text: str, path: tuple[str, ...]) -> UUID:
    """Return what the opaque id of a list of recommendations stands for.

    Raises:
        CommandError: INVALID, at `path`: this server did not issue it.
    """
    try:
        decoded = decode_id(text)
        if decoded.type_name != "Recommendation":
            raise ValueError("an id of another type")
        return UUID(decoded.key)
    except (InvalidArgumentError, ValueError) as error:
        raise CommandError(UserErrorCode.INVALID, "This is not the id of a recommendation.", path) from error


def _no_course() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such course.", ("input", "courseId"))
