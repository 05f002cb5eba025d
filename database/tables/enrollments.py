"""Who takes which course, and how far they are."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Float, Index, Table, Text, UniqueConstraint, Uuid

from database.tables.base import identity, metadata, moment, one_of, reference


class EnrollmentStatus(StrEnum):
    """The states of an enrollment."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    WITHDRAWN = "WITHDRAWN"


enrollments = Table(
    "enrollments",
    metadata,
    identity(),
    reference("learner_id", "learners.id"),
    reference("course_id", "courses.id", index=True, ondelete="RESTRICT"),
    # What the learner sees until they move on; null for a course without content of its own.
    reference("revision_id", "course_revisions.id", ondelete="RESTRICT", nullable=True, index=True),
    Column("status", Text, nullable=False),
    Column("progress", Float, nullable=False, server_default="0", comment="share of the course, 0 to 1"),
    moment("enrolled_at"),
    moment("completed_at", nullable=True),
    # The recommendation that led here, so that exposures and enrollments join without guessing.
    Column("recommendation_id", Uuid),
    one_of("status", EnrollmentStatus),
    CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
    UniqueConstraint("learner_id", "course_id"),
    # A learner's history, newest first: the one indexed read of a recommendation.
    Index("enrollments_history_idx", "learner_id", "enrolled_at", "id"),
)
