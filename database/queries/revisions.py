"""Statements about revisions and their modules."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    true,
)

from database.queries.courses import CourseCountRow
from database.queries.enrollments import effective_revision
from database.queries.visibility import LEARNER_ID, is_one, revision_is_visible
from database.queries.written import Related, Table
from database.rows import Row
from database.statements import Statement, parents
from database.tables.courses import CourseStatus, courses
from database.tables.enrollments import EnrollmentStatus, enrollments
from database.tables.revisions import RevisionStatus, course_revisions, modules


class RevisionRow(Row):
    """A revision of the course `course_id`."""

    id: int
    course_id: int
    number: int
    status: str
    title: str
    summary: str | None
    description: str | None
    level: str
    language: str
    duration_minutes: int
    topic_ids: list[int]
    skills: list[str]
    prerequisite_ids: list[int]
    review_note: str | None
    created_at: datetime
    submitted_at: datetime | None
    published_at: datetime | None


class TakenRevisionRow(RevisionRow):
    """The revision that the enrollment `enrollment_id` sees."""

    enrollment_id: int


class ModuleRow(Row):
    """A module of the revision `revision_id`."""

    id: int
    course_id: int
    revision_id: int
    position: int
    title: str


_COLUMNS = tuple(getattr(course_revisions.c, name) for name in RevisionRow.__annotations__)
_MODULE_COLUMNS = (
    modules.c.id,
    course_revisions.c.course_id,
    modules.c.revision_id,
    modules.c.position,
    modules.c.title,
)
MODULE = Table("Module", {each.name: each for each in (modules.c.id, modules.c.position, modules.c.title)})
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))
_OPEN = is_one(course_revisions.c.status, RevisionStatus.DRAFT, RevisionStatus.IN_REVIEW)
_PUBLISHED = is_one(course_revisions.c.status, RevisionStatus.PUBLISHED)

VISIBLE_BY_IDS: Statement[RevisionRow] = Statement(
    select(*_COLUMNS).join_from(course_revisions, courses).where(course_revisions.c.id == _IDS, revision_is_visible()),
    RevisionRow,
)

OPEN_OF_COURSES: Statement[RevisionRow] = Statement(
    select(*_COLUMNS).where(course_revisions.c.course_id == _IDS, _OPEN), RevisionRow
)

PUBLISHED_OF_COURSES: Statement[RevisionRow] = Statement(
    select(*_COLUMNS).where(course_revisions.c.course_id == _IDS, _PUBLISHED), RevisionRow
)

OF_ENROLLMENTS: Statement[TakenRevisionRow] = Statement(
    select(*_COLUMNS, enrollments.c.id.label("enrollment_id"))
    .join_from(enrollments, course_revisions, course_revisions.c.id == effective_revision())
    .where(enrollments.c.id == _IDS),
    TakenRevisionRow,
)

COUNTS_OF_COURSES: Statement[CourseCountRow] = Statement(
    select(course_revisions.c.course_id, func.count().label("count"))
    .where(course_revisions.c.course_id == _IDS)
    .group_by(course_revisions.c.course_id),
    CourseCountRow,
)


@lru_cache(maxsize=2)
def page(*, after: bool) -> Statement[RevisionRow]:
    """Return the statement of one page of revisions for each course of `ids`, newest first: `limit`, `after_number`."""
    parent = parents("ids")
    part = (
        select(*_COLUMNS)
        .where(course_revisions.c.course_id == parent.c.id)
        .order_by(course_revisions.c.number.desc())
        .limit(bindparam("limit", type_=BigInteger))
    )
    if after:
        part = part.where(course_revisions.c.number < bindparam("after_number", type_=Integer))
    chosen = part.lateral("chosen")
    return Statement(
        select(*chosen.c)
        .select_from(parent.join(chosen, literal_column("true")))
        .order_by(chosen.c.course_id, chosen.c.number.desc()),
        RevisionRow,
    )


def _shown_revision() -> ColumnElement[int]:
    """Return the revision of a row of `courses` that the caller gets to see.

    The one that they learn with; else the published one; else, of a course that never was published and that only
    its authors see, the draft.
    """
    taken = (
        select(enrollments.c.revision_id)
        .where(
            enrollments.c.course_id == courses.c.id,
            enrollments.c.learner_id == LEARNER_ID,
            enrollments.c.status != literal_column(f"'{EnrollmentStatus.WITHDRAWN}'"),
        )
        .correlate(courses)
        .scalar_subquery()
    )
    of_course = course_revisions.c.course_id == courses.c.id
    published = select(course_revisions.c.id).where(of_course, _PUBLISHED).correlate(courses).scalar_subquery()
    unpublished = is_one(courses.c.status, CourseStatus.DRAFT, CourseStatus.IN_REVIEW)
    draft = select(course_revisions.c.id).where(of_course, _OPEN, unpublished).correlate(courses).scalar_subquery()
    return func.coalesce(taken, published, draft)


# Found once for each course, as PostgreSQL does not look into what has an offset, and then looked up in an index. As a
# condition of the join it would be found twice, and all modules there are would be read to compare them with it.
_SHOWN = select(_shown_revision().label("id")).correlate(courses).offset(literal_column("0")).lateral("shown")
_SHOWN_MODULES = (
    select(modules.c.id, courses.c.id.label("course_id"), modules.c.revision_id, modules.c.position, modules.c.title)
    .select_from(courses.join(_SHOWN, true()).join(modules, modules.c.revision_id == _SHOWN.c.id))
    .order_by(courses.c.id, modules.c.position)
)
SHOWN_MODULES: Statement[ModuleRow] = Statement(_SHOWN_MODULES.where(courses.c.id == _IDS), ModuleRow)
MODULES_OF_COURSE = Related(MODULE, _SHOWN_MODULES, courses.c.id)

_MODULES_OF_REVISIONS = (
    select(*_MODULE_COLUMNS)
    # A module always has a revision, which need not be looked at where only the module is wanted.
    .select_from(modules.outerjoin(course_revisions))
    .order_by(modules.c.revision_id, modules.c.position)
)
MODULES_OF_REVISIONS: Statement[ModuleRow] = Statement(
    _MODULES_OF_REVISIONS.where(modules.c.revision_id == _IDS), ModuleRow
)
MODULES_OF_REVISION = Related(MODULE, _MODULES_OF_REVISIONS, modules.c.revision_id)

VISIBLE_MODULES_BY_IDS: Statement[ModuleRow] = Statement(
    select(*_MODULE_COLUMNS)
    .select_from(modules.join(course_revisions).join(courses, courses.c.id == course_revisions.c.course_id))
    .where(and_(modules.c.id == _IDS, revision_is_visible())),
    ModuleRow,
)
