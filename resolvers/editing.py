"""How every edit of a course runs: whoever may, on the version that they saw, into the draft."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import CommandError, UserErrorCode
from core.ids import decode_key
from database.notifications import course_topic, notify
from database.queries import courses as course_queries, drafts as queries
from database.queries.courses import CourseRow
from database.queries.drafts import StoredCourse
from database.tables.accounts import Role
from database.tables.courses import CourseStatus
from database.tables.revisions import RevisionStatus
from resolvers.commands import Act, caller, transact
from resolvers.context import Context
from resolvers.payloads import Payload
from security.audit import Subject
from security.policies import Identity, may_see_all_courses

_COURSE = ("input", "courseId")
_VERSION = ("input", "version")


@dataclass(frozen=True, slots=True)
class CourseVersion:
    """The course that is changed, and what the caller has seen of it.

    Attributes:
        course_id: its opaque id.
        version: `Course.version` when they read it.
    """

    course_id: str
    version: int


@dataclass(frozen=True, kw_only=True)
class CoursePayload(Payload):
    """The answer of a command that changes a course."""

    course: CourseRow | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit while it runs.

    Attributes:
        act: the command.
        course: the course as it was, locked.
        revision_id: the draft that takes the changes.
    """

    act: Act
    course: StoredCourse
    revision_id: int

    @property
    def connection(self) -> AsyncConnection:
        """The transaction."""
        return self.act.connection


@asynccontextmanager
async def changing(
    context: Context, action: str, target: CourseVersion, *, moderators: bool = False
) -> AsyncIterator[tuple[Act, StoredCourse]]:
    """Lock a course for a change that the caller may make to the version they have seen, and make the next version.

    Args:
        context: the request.
        action: the mutation, for the audit trail.
        target: the course and its version.
        moderators: whether the change is theirs, or else the authors'.

    Raises:
        CommandError: NOT_FOUND, FORBIDDEN, or CONFLICT when somebody else was faster.
    """
    identity = caller(context)
    course_id = decode_key(target.course_id, "Course")
    if course_id is None:
        raise _no_course()
    async with transact(context, action, Subject("Course", course_id)) as act:
        course = await queries.lock_course(act.connection, course_id, identity.account_id)
        _refuse_strangers(course, identity, moderators=moderators)
        assert course is not None  # noqa: S101 - a missing course was refused.
        if course.version != target.version:
            raise CommandError(
                UserErrorCode.CONFLICT,
                f"The course is at version {course.version} by now; read it again and repeat the change.",
                _VERSION,
            )
        yield act, course
        await queries.touch(act.connection, course_id, act.now)
        await notify(act.connection, [course_topic(course_id)])


@asynccontextmanager
async def editing(context: Context, action: str, target: CourseVersion) -> AsyncIterator[Edit]:
    """Change the draft of a course; one is begun from what is published when there is none.

    Raises:
        CommandError: as for `changing`, and INVALID_STATE for an archived course and while a review is under way.
    """
    async with changing(context, action, target) as (act, course):
        if course.status == CourseStatus.ARCHIVED:
            raise invalid_state("The course is archived; restore it to edit it.")
        revision = await queries.open_revision(act.connection, course.id)
        if revision is not None and revision.status == RevisionStatus.IN_REVIEW:
            raise invalid_state("The course is in review; return it to draft to edit it.")
        if revision is None:
            revision_id = await queries.begin_draft(act.connection, course.id, act.now)
            act.details["revision_begun"] = revision_id
        else:
            revision_id = revision.id
        yield Edit(act, course, revision_id)


async def course_row(context: Context, course_id: int) -> CourseRow:
    """Return a course as it is after a command of one of its authors or moderators."""
    (row,) = await context.reader.fetch(course_queries.BY_IDS, ids=[course_id])
    return row


def invalid_state(message: str) -> CommandError:
    """Return the refusal of what a course's state does not allow."""
    return CommandError(UserErrorCode.INVALID_STATE, message, _COURSE)


def _refuse_strangers(course: StoredCourse | None, identity: Identity, *, moderators: bool) -> None:
    sees_all = may_see_all_courses(identity)
    # Whoever may not see a draft is not told that there is one.
    if course is None or not (sees_all or course.is_author or course.status == CourseStatus.PUBLISHED):
        raise _no_course()
    allowed = sees_all if moderators else course.is_author or Role.ADMINISTRATOR.value in identity.roles
    if not allowed:
        who = "moderators" if moderators else "the authors of the course"
        raise CommandError(UserErrorCode.FORBIDDEN, f"This is for {who}.", _COURSE)


def _no_course() -> CommandError:
    return CommandError(UserErrorCode.NOT_FOUND, "There is no such course.", _COURSE)
