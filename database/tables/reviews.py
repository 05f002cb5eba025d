"""What learners say of a course: one review each, editable, hidden by moderators."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, SmallInteger, Table, Text, UniqueConstraint, text

from database.tables.base import identity, metadata, moment, reference

reviews = Table(
    "reviews",
    metadata,
    identity(),
    reference("course_id", "courses.id"),
    reference("learner_id", "learners.id", index=True),
    Column("rating", SmallInteger, nullable=False),
    Column("text", Text),
    moment("created_at"),
    moment("updated_at"),
    moment("hidden_at", nullable=True),
    Column("hidden_by", BigInteger, comment="account of the moderator"),
    Column("hidden_reason", Text),
    CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
    CheckConstraint("(hidden_at IS NULL) = (hidden_by IS NULL)", name="hidden"),
    UniqueConstraint("course_id", "learner_id"),
    Index("reviews_newest_idx", "course_id", "created_at", "id", postgresql_where=text("hidden_at IS NULL")),
)
