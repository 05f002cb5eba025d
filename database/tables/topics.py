"""Topics (a taxonomy of two levels) and skills."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Table, Text

from database.tables.base import identity, metadata

topics = Table(
    "topics",
    metadata,
    identity(),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("parent_id", BigInteger, ForeignKey("topics.id", ondelete="RESTRICT"), index=True),
    CheckConstraint("parent_id <> id", name="not_its_own_parent"),
)

skills = Table(
    "skills",
    metadata,
    identity(),
    Column("name", Text, nullable=False, unique=True),
)
