"""Learners: pseudonymous by themselves. Only `accounts` ties one to a person."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from database.tables.base import identity, metadata, moment

learners = Table(
    "learners",
    metadata,
    identity(),
    # Where imported history came from; such a learner has no account until an identity claims it.
    Column("source", Text),
    Column("source_id", Text),
    moment("created_at"),
    CheckConstraint("(source IS NULL) = (source_id IS NULL)", name="source"),
    UniqueConstraint("source", "source_id"),
)

# Who is forgotten: all that is left of a learner whose account was deleted, so that copies can forget them too.
erasures = Table(
    "erasures",
    metadata,
    Column("learner_id", BigInteger, primary_key=True, autoincrement=False),
    moment("erased_at"),
    Column(
        "forgotten_at",
        DateTime(timezone=True),
        comment="when a materialization last removed them from the copies, or found them gone; null before",
    ),
    # Of an imported learner, so that the same file does not bring them back. The source's id is kept as a keyed hash.
    Column("source", Text),
    Column("source_index", LargeBinary),
    CheckConstraint("(source IS NULL) = (source_index IS NULL)", name="source"),
    Index("erasures_source_idx", "source", postgresql_where=text("source IS NOT NULL")),
)
