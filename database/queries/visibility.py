"""Who may see which course, and which revision of it: conditions that statements share.

Their parameters are the caller's: `learner_id` and `account_id`, null when signed out, and `sees_all_courses`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ColumnElement, and_, bindparam, exists, literal_column, or_

from database.tables.courses import CourseStatus, course_instructors, courses, instructors
from database.tables.enrollments import EnrollmentStatus, enrollments
from database.tables.revisions import RevisionStatus, course_revisions

LEARNER_ID = bindparam("learner_id", type_=BigInteger)
_ACCOUNT_ID = bindparam("account_id", type_=BigInteger)
_SEES_ALL = bindparam("sees_all_courses", type_=Boolean)


def is_one(column: ColumnElement[str], *values: str) -> ColumnElement[bool]:
    """Return whether a text column holds one of the values, as constants of the statement."""
    return column.in_([literal_column(f"'{value}'") for value in values])


def takes(course_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return whether the caller takes a course or has completed it."""
    return exists().where(
        enrollments.c.course_id == course_id,
        enrollments.c.learner_id == LEARNER_ID,
        enrollments.c.status != literal_column(f"'{EnrollmentStatus.WITHDRAWN}'"),
    )


def writes(course_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return whether the caller is an author of a course, or sees all courses whoever wrote them."""
    written = (
        exists()
        .where(course_instructors.c.course_id == course_id, instructors.c.account_id == _ACCOUNT_ID)
        .where(instructors.c.id == course_instructors.c.instructor_id)
    )
    return or_(_SEES_ALL, written)


def course_is_visible() -> ColumnElement[bool]:
    """Return whether the caller may see a row of `courses`.

    A published course is for everybody, an archived one for those who take it, and any for its authors.
    """
    return or_(
        is_one(courses.c.status, CourseStatus.PUBLISHED),
        and_(is_one(courses.c.status, CourseStatus.ARCHIVED), takes(courses.c.id)),
        writes(courses.c.id),
    )


def revision_is_visible() -> ColumnElement[bool]:
    """Return whether the caller may see the content of a row of `course_revisions`, joined with `courses`.

    What is published is for everybody, what was published for those who take the course, and any for its authors.
    """
    published = and_(
        is_one(course_revisions.c.status, RevisionStatus.PUBLISHED), is_one(courses.c.status, CourseStatus.PUBLISHED)
    )
    was_published = is_one(course_revisions.c.status, RevisionStatus.PUBLISHED, RevisionStatus.SUPERSEDED)
    return or_(published, and_(was_published, takes(courses.c.id)), writes(courses.c.id))
