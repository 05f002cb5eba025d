"""Recommendations: what learners did with them, and what staff wants of them."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Index, Integer, SmallInteger, Table, Text, Uuid

from database.tables.base import identity, metadata, moment, one_of, reference


class RecommendationEventKind(StrEnum):
    """What a learner did with a recommended course."""

    IMPRESSION = "IMPRESSION"
    CLICK = "CLICK"
    DISMISSAL = "DISMISSAL"


class RecommendationSurface(StrEnum):
    """A place in a client where recommendations are shown."""

    HOME = "HOME"
    COURSE_PAGE = "COURSE_PAGE"
    AFTER_COMPLETION = "AFTER_COMPLETION"


class RecommendationRuleKind(StrEnum):
    """What staff wants of a course in the lists of learners."""

    PIN = "PIN"
    BOOST = "BOOST"
    EXCLUSION = "EXCLUSION"


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

# Which places of which lists were logged with what they were ranked by: each counts once. The logs are in the outbox.
recommendation_exposures = Table(
    "recommendation_exposures",
    metadata,
    Column("recommendation_id", Uuid, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    reference("learner_id", "learners.id", index=True),
    moment("recorded_at"),
    Index("recommendation_exposures_recorded_at_idx", "recorded_at"),
)

HIGHEST_PLACE = 50
LEAST_WEIGHT, MOST_WEIGHT = 0.1, 10.0

# What staff wants of a course, or of all courses on a topic, from one moment to another. A trigger tells every process
# when a rule changes, or what rules are about: which courses are published, in which language, on which topics, and
# what builds upon what.
recommendation_rules = Table(
    "recommendation_rules",
    metadata,
    identity(),
    Column("kind", Text, nullable=False),
    reference("course_id", "courses.id", nullable=True, index=True),
    reference("topic_id", "topics.id", nullable=True, index=True),
    Column("surface", Text, comment="null for everywhere"),
    # Conditions: only lists around this course, or of learners and around courses on this topic.
    reference("around_course_id", "courses.id", nullable=True, index=True),
    reference("around_topic_id", "topics.id", nullable=True, index=True),
    Column("place", SmallInteger, comment="of a pinned course, from 1"),
    Column("weight", Float, comment="of a boost: above 1 moves up, below 1 moves down"),
    moment("starts_at"),
    moment("ends_at", nullable=True),
    Column("note", Text, comment="why, for other staff"),
    moment("created_at"),
    moment("updated_at"),
    one_of("kind", RecommendationRuleKind),
    one_of("surface", RecommendationSurface),
    CheckConstraint("(course_id IS NULL) <> (topic_id IS NULL)", name="target"),
    CheckConstraint("(kind = 'PIN') = (place IS NOT NULL) AND (kind <> 'PIN' OR course_id IS NOT NULL)", name="pin"),
    CheckConstraint("(kind = 'BOOST') = (weight IS NOT NULL)", name="boost"),
    CheckConstraint(f"place BETWEEN 1 AND {HIGHEST_PLACE}", name="place"),
    CheckConstraint(f"weight BETWEEN {LEAST_WEIGHT} AND {MOST_WEIGHT}", name="weight"),
    CheckConstraint("ends_at > starts_at", name="dates"),
    Index("recommendation_rules_ends_at_idx", "ends_at"),
)
