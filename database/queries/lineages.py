"""Statements that find what a lineage is by now: the newest published copy, else the newest one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.dialects.postgresql import distinct_on

from database.queries.assessments import QUESTION_COLUMNS, QUESTIONS_WITH_REVISION, QuestionRow
from database.queries.lessons import COLUMNS, LessonRow
from database.statements import Statement
from database.tables.assessments import questions
from database.tables.revisions import course_revisions, lessons


class LineageLessonRow(LessonRow):
    """A lesson with its lineage."""

    lineage: UUID


class LineageQuestionRow(QuestionRow):
    """A question with its lineage."""

    lineage: UUID


_LINEAGES = any_(bindparam("lineages", type_=ARRAY(Uuid)))
_NEWEST = (course_revisions.c.published_at.desc().nulls_last(), course_revisions.c.number.desc())

LESSONS: Statement[LineageLessonRow] = Statement(
    select(*COLUMNS, lessons.c.lineage)
    .join_from(lessons, course_revisions, course_revisions.c.id == lessons.c.revision_id)
    .where(lessons.c.lineage == _LINEAGES)
    .ext(distinct_on(lessons.c.lineage))
    .order_by(lessons.c.lineage, *_NEWEST),
    LineageLessonRow,
)

QUESTIONS: Statement[LineageQuestionRow] = Statement(
    select(*QUESTION_COLUMNS, questions.c.lineage)
    .select_from(QUESTIONS_WITH_REVISION)
    .where(questions.c.lineage == _LINEAGES)
    .ext(distinct_on(questions.c.lineage))
    .order_by(questions.c.lineage, *_NEWEST),
    LineageQuestionRow,
)
