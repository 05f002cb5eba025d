"""Who did what, when: written in the same transaction as the act, and never changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from database.tables.base import identity, metadata, moment

# A trigger made by the first migration refuses UPDATE, DELETE and TRUNCATE.
audit_log = Table(
    "audit_log",
    metadata,
    identity(),
    moment("occurred_at"),
    Column("actor_account_id", BigInteger, comment="null for the system and for signed-out callers"),
    Column("action", Text, nullable=False, comment="the mutation or command, such as `enroll`"),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text),
    Column("outcome", Text, nullable=False, server_default="done", comment="`done` or a UserErrorCode"),
    Column("request_id", Uuid, comment="correlates with logs and traces"),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="never personal data"),
    Index("audit_log_actor_idx", "actor_account_id", "occurred_at"),
    Index("audit_log_subject_idx", "subject_type", "subject_id", "occurred_at"),
)
