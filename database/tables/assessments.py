"""Assessments: one a module, made of questions, with keys that learners never see."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Float, Integer, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from database.tables.base import identity, metadata, one_of, reference
from database.tables.revisions import lineage


class QuestionKind(StrEnum):
    """How a question is answered."""

    SINGLE_CHOICE = "SINGLE_CHOICE"
    MULTIPLE_CHOICE = "MULTIPLE_CHOICE"
    NUMERIC = "NUMERIC"
    SHORT_ANSWER = "SHORT_ANSWER"


assessments = Table(
    "assessments",
    metadata,
    identity(),
    reference("revision_id", "course_revisions.id", index=True),
    reference("module_id", "modules.id", unique=True),
    lineage(),
    Column("title", Text, nullable=False),
    Column("passing_share", Float, nullable=False, comment="share of the points that passes, 0 to 1"),
    Column("time_limit_seconds", Integer, comment="null: no limit"),
    Column("attempt_limit", Integer, comment="null: no limit"),
    CheckConstraint("passing_share BETWEEN 0 AND 1", name="passing_share"),
    CheckConstraint("time_limit_seconds > 0", name="time_limit_seconds"),
    CheckConstraint("attempt_limit > 0", name="attempt_limit"),
)

questions = Table(
    "questions",
    metadata,
    identity(),
    reference("assessment_id", "assessments.id"),
    lineage(),
    Column("position", Integer, nullable=False, comment="from 0, without gaps"),
    Column("kind", Text, nullable=False),
    Column("prompt", Text, nullable=False, comment="Markdown"),
    Column("points", Float, nullable=False),
    Column("choices", JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment='[{"id", "text"}]'),
    # {"choices": [id, ...]}, {"number": x, "tolerance": y} or {"texts": [accepted, ...]}; an empty list of texts
    # leaves the answer to an instructor.
    Column("answer_key", JSONB, nullable=False),
    Column("explanation", Text, comment="shown once the attempt is graded"),
    one_of("kind", QuestionKind),
    CheckConstraint("position >= 0", name="position"),
    CheckConstraint("points > 0", name="points"),
    UniqueConstraint("assessment_id", "position", deferrable=True, initially="DEFERRED"),
    UniqueConstraint("assessment_id", "lineage"),
)
