"""Statements about assessments and their questions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, exists, func, literal_column, or_, select

from database.queries.courses import IdRow
from database.queries.visibility import LEARNER_ID, revision_is_visible, writes
from database.rows import Row
from database.statements import Statement
from database.tables.assessments import assessments, questions
from database.tables.attempts import AttemptStatus, attempts
from database.tables.courses import courses
from database.tables.enrollments import enrollments
from database.tables.revisions import course_revisions


class AssessmentRow(Row):
    """The assessment of the module `module_id`."""

    id: int
    course_id: int
    revision_id: int
    module_id: int
    title: str
    passing_share: float
    time_limit_seconds: int | None
    attempt_limit: int | None
    question_count: int
    max_score: float


class QuestionRow(Row):
    """A question of the assessment `assessment_id`, with its key."""

    id: int
    course_id: int
    assessment_id: int
    position: int
    kind: str
    prompt: str
    points: float
    choices: list[dict[str, str]]
    answer_key: dict[str, Any]
    explanation: str | None


_ASKED = questions.c.assessment_id == assessments.c.id
COLUMNS = (
    assessments.c.id,
    course_revisions.c.course_id,
    assessments.c.revision_id,
    assessments.c.module_id,
    assessments.c.title,
    assessments.c.passing_share,
    assessments.c.time_limit_seconds,
    assessments.c.attempt_limit,
    select(func.count()).where(_ASKED).scalar_subquery().label("question_count"),
    select(func.coalesce(func.sum(questions.c.points), literal_column("0.0")))
    .where(_ASKED)
    .scalar_subquery()
    .label("max_score"),
)
QUESTION_COLUMNS = (
    questions.c.id,
    course_revisions.c.course_id,
    questions.c.assessment_id,
    questions.c.position,
    questions.c.kind,
    questions.c.prompt,
    questions.c.points,
    questions.c.choices,
    questions.c.answer_key,
    questions.c.explanation,
)
_IDS = any_(bindparam("ids", type_=ARRAY(BigInteger)))
WITH_REVISION = assessments.join(course_revisions, course_revisions.c.id == assessments.c.revision_id)
QUESTIONS_WITH_REVISION = questions.join(assessments, assessments.c.id == questions.c.assessment_id).join(
    course_revisions, course_revisions.c.id == assessments.c.revision_id
)

OF_MODULES: Statement[AssessmentRow] = Statement(
    select(*COLUMNS).select_from(WITH_REVISION).where(assessments.c.module_id == _IDS), AssessmentRow
)

# For who has an attempt at them, whoever may see the course now.
BY_IDS: Statement[AssessmentRow] = Statement(
    select(*COLUMNS).select_from(WITH_REVISION).where(assessments.c.id == _IDS), AssessmentRow
)

VISIBLE_BY_IDS: Statement[AssessmentRow] = Statement(
    select(*COLUMNS)
    .select_from(WITH_REVISION.join(courses, courses.c.id == course_revisions.c.course_id))
    .where(assessments.c.id == _IDS, revision_is_visible()),
    AssessmentRow,
)

QUESTIONS: Statement[QuestionRow] = Statement(
    select(*QUESTION_COLUMNS)
    .select_from(QUESTIONS_WITH_REVISION)
    .where(questions.c.assessment_id == _IDS)
    .order_by(questions.c.assessment_id, questions.c.position),
    QuestionRow,
)

QUESTIONS_BY_IDS: Statement[QuestionRow] = Statement(
    select(*QUESTION_COLUMNS).select_from(QUESTIONS_WITH_REVISION).where(questions.c.id == _IDS), QuestionRow
)

# A question is explained to authors, and to learners once an attempt of theirs is graded that asked it.
EXPLAINED: Statement[IdRow] = Statement(
    select(questions.c.id)
    .select_from(QUESTIONS_WITH_REVISION)
    .where(
        questions.c.id == _IDS,
        or_(
            exists()
            .where(attempts.c.assessment_id == questions.c.assessment_id, enrollments.c.learner_id == LEARNER_ID)
            .where(
                enrollments.c.id == attempts.c.enrollment_id,
                attempts.c.status == literal_column(f"'{AttemptStatus.GRADED}'"),
            ),
            writes(course_revisions.c.course_id),
        ),
    ),
    IdRow,
)

# A question is seen by those who were asked it, and by the authors of its course.
VISIBLE_QUESTIONS_BY_IDS: Statement[QuestionRow] = Statement(
    select(*QUESTION_COLUMNS)
    .select_from(QUESTIONS_WITH_REVISION)
    .where(
        questions.c.id == _IDS,
        or_(
            exists()
            .where(attempts.c.assessment_id == questions.c.assessment_id, enrollments.c.learner_id == LEARNER_ID)
            .where(enrollments.c.id == attempts.c.enrollment_id),
            writes(course_revisions.c.course_id),
        ),
    ),
    QuestionRow,
)
