"""The event log, which is also the outbox that the lake is exported from."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from database.tables.base import identity, metadata, moment


class EventKind(StrEnum):
    """What happened. Names are stable: they are written to the lake."""

    ENROLLED = "enrolled"
    UNENROLLED = "unenrolled"
    PREFERENCES_SAVED = "preferences_saved"
    LESSON_STARTED = "lesson_started"
    LESSON_COMPLETED = "lesson_completed"
    COURSE_COMPLETED = "course_completed"
    ATTEMPT_GRADED = "attempt_graded"
    COURSE_REVIEWED = "course_reviewed"
    RECOMMENDATION_RANKED = "recommendation_ranked"
    RECOMMENDATION_SHOWN = "recommendation_shown"
    RECOMMENDATION_CLICKED = "recommendation_clicked"
    RECOMMENDATION_DISMISSED = "recommendation_dismissed"


class TransactionId(UserDefinedType[str]):
    """PostgreSQL's `xid8`: the 64-bit id of a transaction, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return "xid8"


events = Table(
    "events",
    metadata,
    identity(),
    # Ids are handed out before their transaction commits, so a reader that only remembers the highest id
    # would miss a slow transaction's events. With the transaction's id it can stop before the oldest one
    # still running (`pg_snapshot_xmin`) and never skips any.
    Column("transaction_id", TransactionId, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("kind", Text, nullable=False),
    # No foreign keys: the log is history, and outlives what it speaks of.
    Column("learner_id", BigInteger),
    Column("course_id", BigInteger),
    Column("recommendation_id", Uuid),
    Column("payload", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    moment("occurred_at"),
    moment("recorded_at"),
    Index("events_export_idx", "transaction_id", "id"),
    Index("events_learner_idx", "learner_id", "occurred_at"),
)
