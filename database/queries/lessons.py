"""Statements about lessons."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, exists, literal_column, or_, select

from database.queries.enrollments import effective_revision
from database.queries.visibility import revision_is_visible, takes, writes
from database.queries.written import Related, Table
from database.rows import Row
from database.statements import Statement
from database.tables.courses import courses
from database.tables.enrollments import enrollments
from database.tables.progress import lesson_progress
from database.tables.revisions import course_revisions, lessons, modules


class LessonRow(Row):
    """A lesson of the module `module_id`, without what only those see who take the course."""

    id: int
    course_id: int
    revision_id: int
    module_id: int
    position: int
    kind: str
    title: str
    duration_seconds: int


class NextLessonRow(LessonRow):
    """The lesson that the enrollment `enrollment_id` continues with."""

    enrollment_id: int


class LessonContentRow(Row):
    """What is in a lesson."""

    id: int
    media_url: str | None
    body: str | None


COLUMNS = (
    lessons.c.id,
    course_revisions.c.course_id,
    lessons.c.revision_id,
    lessons.c.module_id,
    lessons.c.position,
    lessons.c.kind,
    lessons.c.title,
    lessons.c.duration_seconds,
)
LESSON = Table("Lesson", {each.name: each for each in COLUMNS})
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))
_WITH_COURSE = lessons.join(course_revisions, course_revisions.c.id == lessons.c.revision_id).join(
    courses, courses.c.id == course_revisions.c.course_id
)

_OF_MODULES = (
    select(*COLUMNS)
    # A lesson always has a revision. PostgreSQL does not look at the right side of an outer join whose columns nobody
    # wants, as it is with lessons that are written.
    .select_from(lessons.outerjoin(course_revisions, course_revisions.c.id == lessons.c.revision_id))
    .order_by(lessons.c.module_id, lessons.c.position)
)
OF_MODULES: Statement[LessonRow] = Statement(_OF_MODULES.where(lessons.c.module_id == _IDS), LessonRow)
LESSONS_OF_MODULE = Related(LESSON, _OF_MODULES, lessons.c.module_id)

VISIBLE_BY_IDS: Statement[LessonRow] = Statement(
    select(*COLUMNS).select_from(_WITH_COURSE).where(lessons.c.id == _IDS, revision_is_visible()), LessonRow
)

CONTENTS: Statement[LessonContentRow] = Statement(
    select(lessons.c.id, lessons.c.media_url, lessons.c.body)
    .select_from(_WITH_COURSE)
    .where(lessons.c.id == _IDS, revision_is_visible(), or_(takes(courses.c.id), writes(courses.c.id))),
    LessonContentRow,
)


def _next_of_enrollments() -> Statement[NextLessonRow]:
    done = exists().where(
        lesson_progress.c.enrollment_id == enrollments.c.id,
        lesson_progress.c.lesson_lineage == lessons.c.lineage,
        lesson_progress.c.completed_at.is_not(None),
    )
    first = (
        select(*COLUMNS)
        .select_from(lessons.join(course_revisions).join(modules, modules.c.id == lessons.c.module_id))
        .where(lessons.c.revision_id == effective_revision(), ~done.correlate(enrollments, lessons))
        .order_by(modules.c.position, lessons.c.position)
        .limit(literal_column("1"))
        .correlate(enrollments)
        .lateral("chosen")
    )
    return Statement(
        select(*first.c, enrollments.c.id.label("enrollment_id"))
        .select_from(enrollments.join(first, literal_column("true")))
        .where(enrollments.c.id == _IDS),
        NextLessonRow,
    )


NEXT_OF_ENROLLMENTS = _next_of_enrollments()
"""The first lesson that is not completed, in the order of the revision that the enrollment sees."""
