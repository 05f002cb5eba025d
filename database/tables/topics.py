"""Topics (a taxonomy of two levels) and skills."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from database.tables.base import identity, metadata

topics = Table(
    "topics",
    metadata,
    identity(),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, comment="in English"),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="names by BCP 47 tag"),
    Column("parent_id", BigInteger, ForeignKey("topics.id", ondelete="RESTRICT"), index=True),
    CheckConstraint("parent_id <> id", name="not_its_own_parent"),
)

skills = Table(
    "skills",
    metadata,
    identity(),
    Column("name", Text, nullable=False, unique=True),
)
