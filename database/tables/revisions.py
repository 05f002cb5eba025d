"""What a course consists of: revisions, each with modules and lessons of its own.

A published revision never changes. Editing a published course copies its content into a draft, so that learners
keep what they started with; `lineage` is what a module or lesson and its copies have in common, and what a
learner's progress refers to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from database.tables.base import identity, metadata, moment, one_of, reference
from database.tables.courses import CourseLevel


class RevisionStatus(StrEnum):
    """Where a revision stands; a course has at most one that is open, and at most one that is published."""

    DRAFT = "DRAFT"
    IN_REVIEW = "IN_REVIEW"
    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"


class LessonKind(StrEnum):
    """What a learner does in a lesson."""

    VIDEO = "VIDEO"
    ARTICLE = "ARTICLE"
    EXERCISE = "EXERCISE"


def lineage() -> Column[Any]:
    """Return the column that a row and its copies in later revisions share."""
    return Column("lineage", Uuid, nullable=False, server_default=text("gen_random_uuid()"))


# `courses` mirrors what is public: the published revision, and before the first one is, the draft.
course_revisions = Table(
    "course_revisions",
    metadata,
    identity(),
    reference("course_id", "courses.id"),
    Column("number", Integer, nullable=False, comment="1 for the first revision of a course"),
    Column("status", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("summary", Text),
    Column("description", Text),
    Column("level", Text, nullable=False),
    Column("language", Text, nullable=False, comment="BCP 47 tag, lower case"),
    Column("duration_minutes", Integer, nullable=False, server_default="0"),
    Column("topic_ids", ARRAY(BigInteger), nullable=False, comment="most important first"),
    Column("skills", ARRAY(Text), nullable=False, comment="names, most important first"),
    Column("prerequisite_ids", ARRAY(BigInteger), nullable=False, comment="courses"),
    Column("review_note", Text, comment="why it was returned to its authors; null once it is submitted again"),
    moment("created_at"),
    moment("submitted_at", nullable=True),
    moment("published_at", nullable=True),
    one_of("status", RevisionStatus),
    one_of("level", CourseLevel),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint("duration_minutes >= 0", name="duration_minutes"),
    CheckConstraint("status NOT IN ('PUBLISHED', 'SUPERSEDED') OR published_at IS NOT NULL", name="published_at"),
    UniqueConstraint("course_id", "number"),
    Index(
        "course_revisions_open_idx",
        "course_id",
        unique=True,
        postgresql_where=text("status IN ('DRAFT', 'IN_REVIEW')"),
    ),
    Index("course_revisions_published_idx", "course_id", unique=True, postgresql_where=text("status = 'PUBLISHED'")),
)

modules = Table(
    "modules",
    metadata,
    identity(),
    reference("revision_id", "course_revisions.id"),
    lineage(),
    Column("position", Integer, nullable=False, comment="from 0, without gaps"),
    Column("title", Text, nullable=False),
    CheckConstraint("position >= 0", name="position"),
    # Checked at commit, so that modules can be put into another order one after the other.
    UniqueConstraint("revision_id", "position", deferrable=True, initially="DEFERRED"),
    UniqueConstraint("revision_id", "lineage"),
)

lessons = Table(
    "lessons",
    metadata,
    identity(),
    reference("revision_id", "course_revisions.id"),
    reference("module_id", "modules.id"),
    lineage(),
    Column("position", Integer, nullable=False, comment="in its module, from 0, without gaps"),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("duration_seconds", Integer, nullable=False, server_default="0", comment="0 when unknown"),
    Column("media_url", Text, comment="where a video is"),
    Column("body", Text, comment="Markdown: an article, the instructions of an exercise, notes to a video"),
    one_of("kind", LessonKind),
    CheckConstraint("position >= 0", name="position"),
    CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
    UniqueConstraint("module_id", "position", deferrable=True, initially="DEFERRED"),
    UniqueConstraint("revision_id", "lineage"),
)
