"""What learners did with recommendations: which reports were counted, and which courses they do not want to see."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid

from database.tables.base import metadata, moment, one_of, reference


class RecommendationEventKind(StrEnum):
    """What a learner did with a recommended course."""

    IMPRESSION = "IMPRESSION"
    CLICK = "CLICK"
    DISMISSAL = "DISMISSAL"


# One impression, click and dismissal of a course in a list: a report that is sent twice counts once. The events
# themselves are in the outbox.
recommendation_feedback = Table(
    "recommendation_feedback",
    metadata,
    reference("learner_id", "learners.id", primary_key=True),
    Column("recommendation_id", Uuid, primary_key=True),
    # No foreign key: a report may come late, and history outlives what it speaks of.
    Column("course_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    moment("recorded_at"),
    one_of("kind", RecommendationEventKind),
    Index("recommendation_feedback_recorded_at_idx", "recorded_at"),
)

recommendation_dismissals = Table(
    "recommendation_dismissals",
    metadata,
    reference("learner_id", "learners.id", primary_key=True),
    reference("course_id", "courses.id", primary_key=True, index=True),
    moment("dismissed_at"),
)
