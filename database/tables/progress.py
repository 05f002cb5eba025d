"""How far a learner is in each lesson, and which reports of theirs were counted."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, Uuid

from database.tables.base import metadata, moment, reference

lesson_progress = Table(
    "lesson_progress",
    metadata,
    reference("enrollment_id", "enrollments.id", primary_key=True),
    Column("lesson_lineage", Uuid, primary_key=True),
    Column("position_seconds", Integer, nullable=False, server_default="0"),
    Column("watched_seconds", Integer, nullable=False, server_default="0"),
    # Of the report that the position is from: an earlier one that arrives later does not move it.
    moment("position_at"),
    moment("completed_at", nullable=True),
    CheckConstraint("position_seconds >= 0", name="position_seconds"),
    CheckConstraint("watched_seconds >= 0", name="watched_seconds"),
)

# A report that is sent twice counts once: the key decides, however many servers received it.
progress_reports = Table(
    "progress_reports",
    metadata,
    reference("learner_id", "learners.id", primary_key=True),
    Column("client_event_id", Text, primary_key=True),
    moment("recorded_at"),
    Index("progress_reports_recorded_at_idx", "recorded_at"),
)
