"""Every table, on one metadata: what Alembic compares the migrations with."""

from database.tables import (
    accounts,
    audit,
    courses,
    enrollments,
    events,
    learners,
    models,
    operations,
    platform,
    preferences,
    topics,
)
from database.tables.base import metadata

__all__ = [
    "accounts",
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
    "topics",
]
