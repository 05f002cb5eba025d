"""Every table, on one metadata: what Alembic compares the migrations with."""

from database.tables import (
    accounts,
    assessments,
    attempts,
    audit,
    courses,
    enrollments,
    events,
    learners,
    models,
    operations,
    platform,
    preferences,
    progress,
    recommendations,
    reviews,
    revisions,
    topics,
)
from database.tables.base import metadata

__all__ = [
    "accounts",
    "assessments",
    "attempts",
    "audit",
    "courses",
    "enrollments",
    "events",
    "learners",
    "metadata",
    "models",
    "operations",
    "platform",
    "preferences",
    "progress",
    "recommendations",
    "reviews",
    "revisions",
    "topics",
]
