"""Attempts at assessments, and the answers in them."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from database.tables.base import identity, metadata, moment, one_of, reference


class AttemptStatus(StrEnum):
    """Where an attempt stands. SUBMITTED waits for an instructor."""

    IN_PROGRESS = "IN_PROGRESS"
    SUBMITTED = "SUBMITTED"
    GRADED = "GRADED"


attempts = Table(
    "attempts",
    metadata,
    identity(),
    reference("enrollment_id", "enrollments.id"),
    # The revision that it was started in stays, so nobody is asked another question than they answered.
    reference("assessment_id", "assessments.id", index=True, ondelete="RESTRICT"),
    Column("assessment_lineage", Uuid, nullable=False),
    Column("number", Integer, nullable=False, comment="of the learner at this assessment, from 1, over all revisions"),
    Column("status", Text, nullable=False),
    moment("started_at"),
    moment("deadline_at", nullable=True),
    moment("submitted_at", nullable=True),
    moment("graded_at", nullable=True),
    Column("score", Float, comment="points; null until graded"),
    Column("max_score", Float, nullable=False),
    Column("passed", Boolean, comment="null until graded"),
    one_of("status", AttemptStatus),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint("(status = 'IN_PROGRESS') = (submitted_at IS NULL)", name="submitted_at"),
    CheckConstraint(
        "(status = 'GRADED') = (graded_at IS NOT NULL AND score IS NOT NULL AND passed IS NOT NULL)", name="graded"
    ),
    UniqueConstraint("enrollment_id", "assessment_lineage", "number"),
    # Two tabs that start at once: one of them continues what the other began.
    Index(
        "attempts_in_progress_idx",
        "enrollment_id",
        "assessment_lineage",
        unique=True,
        postgresql_where=text("status = 'IN_PROGRESS'"),
    ),
    Index("attempts_to_grade_idx", "assessment_id", "submitted_at", postgresql_where=text("status = 'SUBMITTED'")),
)

attempt_answers = Table(
    "attempt_answers",
    metadata,
    reference("attempt_id", "attempts.id", primary_key=True),
    reference("question_id", "questions.id", primary_key=True, index=True, ondelete="RESTRICT"),
    # One of {"choices": [id, ...]}, {"number": x} and {"text": "..."}.
    Column("response", JSONB, nullable=False),
    moment("saved_at"),
    Column("points", Float, comment="null until graded"),
    Column("graded_by", BigInteger, comment="account of the instructor; null for the machine"),
    Column("feedback", Text),
    CheckConstraint("points >= 0", name="points"),
)
