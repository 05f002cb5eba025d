"""The way of a course from its draft to its learners, and to the archive."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.quality import QualitySeverity
from core.errors import CommandError, UserErrorCode
from database.notifications import CATALOG, notify
from database.queries import drafts as queries
from database.queries.drafts import StoredCourse, StoredRevision
from database.tables.courses import CourseStatus
from database.tables.revisions import RevisionStatus
from resolvers.commands import Act
from resolvers.context import Context
from resolvers.course_edits import apply
from resolvers.editing import CoursePayload, CourseVersion, changing, course_row, invalid_state
from resolvers.quality import contract_path, judge
from resolvers.texts import required
from security.policies import may_see_all_courses

LONGEST_REASON = 2_000
_REASON = ("input", "reason")


@dataclass(frozen=True, slots=True)
class ReturnCourse:
    """A course that is not published yet, and why."""

    target: CourseVersion
    reason: str


async def submit_course_for_review(context: Context, input: CourseVersion) -> CoursePayload:  # noqa: A002
    """Submit the draft of a course.

    Raises:
        CommandError: NOT_FOUND, FORBIDDEN, CONFLICT; INVALID_STATE without a draft.
    """
    async with changing(context, "submit_course_for_review", input) as (act, course):
        revision = await _open(act, course, RevisionStatus.DRAFT, "The course has no draft to submit.")
        values = {"status": RevisionStatus.IN_REVIEW.value, "submitted_at": act.now, "review_note": None}
        await queries.update_revision(act.connection, revision.id, values)
        if course.status == CourseStatus.DRAFT:
            await queries.set_status(act.connection, course.id, CourseStatus.IN_REVIEW)
    return await _payload(context, course)


async def return_course_to_draft(context: Context, input: ReturnCourse) -> CoursePayload:  # noqa: A002
    """Take a course out of review, so that it can be edited: by its authors, or by a moderator.

    Raises:
        CommandError: as for `submit_course_for_review`; REQUIRED or TOO_LONG for the reason.
    """
    reason = required(input.reason, LONGEST_REASON, _REASON)
    moderates = may_see_all_courses(context.identity)
    async with changing(context, "return_course_to_draft", input.target, moderators=moderates) as (act, course):
        revision = await _open(act, course, RevisionStatus.IN_REVIEW, "The course is not in review.")
        values = {"status": RevisionStatus.DRAFT.value, "submitted_at": None, "review_note": reason}
        await queries.update_revision(act.connection, revision.id, values)
        if course.status == CourseStatus.IN_REVIEW:
            await queries.set_status(act.connection, course.id, CourseStatus.DRAFT)
        act.details["revision"] = revision.id
    return await _payload(context, course)


async def publish_course(context: Context, input: CourseVersion) -> CoursePayload:  # noqa: A002
    """Publish what is in review: new learners get it, others keep the revision that they started with.

    Raises:
        CommandError: as for `submit_course_for_review`; QUALITY, once for each rule that blocks; PREREQUISITE_CYCLE.
    """
    async with changing(context, "publish_course", input, moderators=True) as (act, course):
        revision = await _open(act, course, RevisionStatus.IN_REVIEW, "The course is not in review.")
        await _refuse_poor(context, course)
        await queries.publish_revision(act.connection, course.id, revision.id, act.now)
        await apply(act.connection, course.id, revision.id, ("input", "courseId"))
        await queries.set_status(act.connection, course.id, CourseStatus.PUBLISHED, first_published_at=act.now)
        await notify(act.connection, [CATALOG])
        act.details["revision"] = revision.id
    return await _payload(context, course)


async def archive_course(context: Context, input: CourseVersion) -> CoursePayload:  # noqa: A002
    """Take no new learners any more; those who take the course go on.

    Raises:
        CommandError: as for `submit_course_for_review`; INVALID_STATE unless it is published.
    """
    async with changing(context, "archive_course", input) as (act, course):
        if course.status != CourseStatus.PUBLISHED:
            raise invalid_state("Only a published course can be archived.")
        await queries.set_status(act.connection, course.id, CourseStatus.ARCHIVED)
        await notify(act.connection, [CATALOG])
    return await _payload(context, course)


async def restore_course(context: Context, input: CourseVersion) -> CoursePayload:  # noqa: A002
    """Take learners again; errors as for `archive_course`."""
    async with changing(context, "restore_course", input) as (act, course):
        if course.status != CourseStatus.ARCHIVED:
            raise invalid_state("The course is not archived.")
        await queries.set_status(act.connection, course.id, CourseStatus.PUBLISHED)
        await notify(act.connection, [CATALOG])
    return await _payload(context, course)


async def _open(act: Act, course: StoredCourse, wanted: RevisionStatus, otherwise: str) -> StoredRevision:
    revision = await queries.open_revision(act.connection, course.id)
    if course.status == CourseStatus.ARCHIVED or revision is None or revision.status != wanted:
        raise invalid_state(otherwise)
    return revision


async def _refuse_poor(context: Context, course: StoredCourse) -> None:
    # The course is locked and its revision in review, so what another connection reads cannot change meanwhile.
    judged = await judge(context.reader, [course.id], context.services.standards)
    refusals = tuple(
        CommandError(UserErrorCode.QUALITY, f"{issue.rule}: {issue.message}", ("course", *contract_path(issue)))
        for issue in judged[course.id].issues
        if issue.severity is QualitySeverity.BLOCKING
    )
    if refusals:
        first, *others = refusals
        raise CommandError(first.code, first.message, first.field, tuple(others))


async def _payload(context: Context, course: StoredCourse) -> CoursePayload:
    return CoursePayload(course=await course_row(context, course.id))
