"""Learners: pseudonymous by themselves. Only `accounts` ties one to a person."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Table, Text, UniqueConstraint

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
)
