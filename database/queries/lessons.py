"""Statements about lessons."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, or_, select

from database.queries.visibility import revision_is_visible, takes, writes
from database.rows import Row
from database.statements import Statement
from database.tables.courses import courses
from database.tables.revisions import course_revisions, lessons


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
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))
_WITH_COURSE = lessons.join(course_revisions, course_revisions.c.id == lessons.c.revision_id).join(
    courses, courses.c.id == course_revisions.c.course_id
)

OF_MODULES: Statement[LessonRow] = Statement(
    select(*COLUMNS)
    .join_from(lessons, course_revisions, course_revisions.c.id == lessons.c.revision_id)
    .where(lessons.c.module_id == _IDS)
    .order_by(lessons.c.module_id, lessons.c.position),
    LessonRow,
)

VISIBLE_BY_IDS: Statement[LessonRow] = Statement(
    select(*COLUMNS).select_from(_WITH_COURSE).where(lessons.c.id == _IDS, revision_is_visible()), LessonRow
)

CONTENTS: Statement[LessonContentRow] = Statement(
    select(lessons.c.id, lessons.c.media_url, lessons.c.body)
    .select_from(_WITH_COURSE)
    .where(lessons.c.id == _IDS, revision_is_visible(), or_(takes(courses.c.id), writes(courses.c.id))),
    LessonContentRow,
)
